"""Runs of the command in processes of their own, one or several, as a user starts them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

# Seconds after which a test hangs: ten times what the longest wait takes on a loaded machine. Tests
# wait for what is to happen, and never for a time.
HANG = 1200

# With the settings of the tests, which let the compiler optimise little: starting is most of the
# time of these runs.
SETTINGS = 'import tests.conftest'
START = """
import sys
import jax
{settings}
jax.config.update('jax_num_cpu_devices', {devices})
{before}
from xmrc_jax import main
from xmrc_jax.ground.commands import command
command(lambda: main.main(sys.argv), main.end)
"""


def start(
    workdir: Path,
    *arguments: str,
    processes: int = 1,
    devices: int = 8,
    before: str = '',
    settings: str = SETTINGS,
    config: str = 'tests/small.py',
) -> list[subprocess.Popen]:
    """Starts the command with all its processes, each with its devices; runs ``before`` first."""
    command = [
        sys.executable,
        '-c',
        START.format(devices=devices, before=before, settings=settings),
    ]
    command += [f'--config={config}', f'--workdir={workdir}', *arguments]
    if processes > 1:
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = free.getsockname()[1]
        command += [f'--coordinator=127.0.0.1:{port}', f'--num_processes={processes}']
    return [
        subprocess.Popen(
            [*command, *([f'--process_id={number}'] if processes > 1 else [])],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {'JAX_PLATFORMS': 'cpu'},
        )
        for number in range(processes)
    ]


def ended(running: list[subprocess.Popen]) -> list[tuple[int, str, str]]:
    """Status, stdout and stderr of each at its end, the bars left out."""
    try:
        outputs = [process.communicate(timeout=HANG) for process in running]
    finally:
        for process in running:
            process.kill()
    return [
        (process.returncode, out.decode(), _without_bars(err.decode()))
        for process, (out, err) in zip(running, outputs, strict=True)
    ]


def _without_bars(text: str) -> str:
    """Nor the lines that stand for one where nobody looks on."""
    return '\n'.join(line for line in text.split('\n') if not re.search(r': \d+% \d+/\d+ \[', line))


def run(workdir: Path, *arguments: str, **options) -> list[tuple[int, str, str]]:
    """Starts the command and waits for its end."""
    return ended(start(workdir, *arguments, **options))


def send(running: subprocess.Popen, number: signal.Signals, when: Path) -> None:
    """Sends a signal as soon as a file is there."""
    until = time.monotonic() + HANG
    while not when.exists():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < until, f'{when} did not appear'
        time.sleep(0.02)
    running.send_signal(number)


def diary(workdir: Path, stage: str) -> list[dict]:
    """The lines of a stage's metrics, without what tells the time and what was compiled."""
    lines = map(json.loads, (workdir / stage / 'metrics.jsonl').read_text().splitlines())
    timed = ('sequences_per_second', 'real_tokens_per_second', 'programs')
    kept = [{name: line[name] for name in line if not name.startswith(timed)} for line in lines]
    return [line for line in kept if line.keys() != {'step'}]
