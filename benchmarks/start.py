"""From the command to the tenth step: a first start, which compiles, and a second, which does not.

    XMRC_DATA=DIR python -m benchmarks.start --config.model.weights=FOLDER
    XMRC_DATA=DIR python -m benchmarks.start --config configs/quickstart.py  # any configuration

Each start is the command in a process of its own, ended at the twentieth step. A start before them
leaves the windows in the cache, so that neither cuts any. What is told besides the seconds to the
tenth step is how many remain without the ten steps themselves, by the time of the ten that follow.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from xmrc_jax.reporting.tables import pipes

STEPS = 10
OWN = ("--config.recipe=('base',)", '--config.train.log_every=1')


def started(folder: Path, words: Sequence[str], steps: int) -> list[float]:
    """Starts the command and ends it at a step: seconds from its start to each step's metrics.

    Raises:
      SystemExit: it ended by itself before.
    """
    metrics, seen = folder / 'base' / 'metrics.jsonl', []
    begun = time.perf_counter()
    command = [sys.executable, '-m', 'xmrc_jax.main', *words, f'--workdir={folder}']
    environment = os.environ | {'JAX_COMPILATION_CACHE_DIR': str(folder.parent / 'compiled')}
    folder.parent.mkdir(exist_ok=True)
    errors = folder.parent / 'errors'
    with (
        errors.open('w') as told,
        subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=told
        ) as process,
    ):
        while len(seen) < steps:
            ended = process.poll() is not None
            lines = metrics.read_text().splitlines() if metrics.exists() else []
            logged = sum('loss' in json.loads(line) for line in lines)
            seen += [time.perf_counter() - begun] * (logged - len(seen))
            if ended and len(seen) < steps:
                raise SystemExit(f'ended before step {steps}: {errors.read_text()[-500:]}')
            time.sleep(0.02)
        process.kill()
    return seen[:steps]


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the table."""
    argv = sys.argv[1:] if argv is None else argv
    words = [*argv, *OWN]
    if not any(word.partition('=')[0] == '--config' for word in words):
        words = ['--config', 'configs/small.py', *words]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        words.append(f'--config.data.cache={folder}/cache')
        started(Path(folder, 'windows', 'run'), words, 1)
        for name in ('first', 'second'):
            seconds = started(Path(folder, 'starts', name), words, 2 * STEPS)
            tenth, twentieth = seconds[STEPS - 1], seconds[-1]
            ten = twentieth - tenth
            rows.append([name, *(f'{each:.1f}' for each in (seconds[0], tenth, ten, tenth - ten))])
    print(report.head('benchmarks.start', argv))
    head = ['start', 'to the first step, s', 'to the tenth', 'ten steps', 'without them']
    print(pipes(head, rows))


if __name__ == '__main__':
    main()
