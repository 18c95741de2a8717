"""What several processes, other devices and killing change: nothing. The tables of docs/scale.md.

    python -m benchmarks.scale processes        # 1, 2 and 4 processes
    python -m benchmarks.scale restore          # saved by two processes, continued elsewhere
    python -m benchmarks.scale kill --kills 40  # SIGKILL at random moments
    python -m benchmarks.scale loaded --runs 20 # two processes beside four that burn processors
    python -m benchmarks.scale checkpoints      # what saving costs at XLM-R base size

All on the CPU of this machine, each process with simulated devices; processes meet over gloo. The
first four run the recipe of tests/small.py: 72 questions in two languages, 6 steps a stage.
"""

import argparse
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.several import diary, ended, run, send, start
from xmrc_jax.reporting.tables import pipes

PLAIN = ''  # compiled as for users, not as for tests
BASE = ("--config.recipe=('base',)",)


def finished(workdir: Path, *arguments: str, **options) -> Path:
    """A run to its end."""
    for status, _, error in run(workdir, *arguments, settings=PLAIN, **options):
        if status:
            raise SystemExit(f'{workdir}: exit status {status}: {error}')
    return workdir


def losses(workdir: Path) -> np.ndarray:
    """Of every step of every stage."""
    stages = [path.parent.name for path in sorted(workdir.glob('*/metrics.jsonl'))]
    lines = (line for stage in stages for line in diary(workdir, stage))
    return np.array([line['loss'] for line in lines if 'loss' in line])


def apart(workdir: Path, other: Path) -> str:
    """The largest relative difference of a loss."""
    return f'{np.max(np.abs(losses(workdir) - losses(other)) / losses(other)):.1e}'


def candidates(workdir: Path) -> list[bytes]:
    return [
        np.load(path)['chars_QK2'].tobytes()
        for path in sorted((workdir / 'candidates').glob('part-*.npz'))
    ]


def processes(folder: Path) -> None:
    """The whole recipe on four devices of 1, 2 and 4 processes."""
    alone = finished(folder / '1', devices=4)
    rows = []
    for number in (1, 2, 4):
        workdir = folder / str(number)
        if number > 1:
            finished(workdir, processes=number, devices=4 // number)
        same = [
            candidates(workdir) == candidates(alone),
            (workdir / 'results.json').read_bytes() == (alone / 'results.json').read_bytes(),
        ]
        found = losses(workdir)
        ends = [f'{found[0]:.7f}', f'{found[-1]:.7f}']
        row = [str(number), str(len(found)), *ends, apart(workdir, alone)]
        rows.append(row + ['the same' if each else 'OTHER' for each in same])
    head = ['processes', 'losses', 'first', 'last', 'largest difference', 'Z', 'results.json']
    print(pipes(head, rows))


STOP = """
from xmrc_jax.train import throughput
original = throughput.Meter.add
def add(meter, step, metrics, *lengths):
    original(meter, step, metrics, *lengths)
    if step == 3:
        import os, signal
        os.kill(os.getpid(), signal.SIGTERM)
throughput.Meter.add = add
"""


def restore(folder: Path) -> None:
    """Saved at step 3 by two processes of two devices, then continued on others."""
    undisturbed = finished(folder / 'undisturbed', *BASE, processes=2, devices=2)
    saved = folder / 'saved'
    stopped = run(saved, *BASE, processes=2, devices=2, before=STOP, settings=PLAIN)
    if {status for status, _, _ in stopped} != {75}:
        raise SystemExit(f'{saved}: was not stopped: {stopped}')
    rows = []
    for devices in (1, 2, 4, 8):
        cells = []
        for number in (1, 2, 4):
            if number > devices:
                cells.append('')
                continue
            workdir = folder / f'{devices}-{number}'
            shutil.copytree(saved, workdir)
            mesh = f'--config.mesh.fsdp={2 if devices > 2 else 1}'
            finished(workdir, *BASE, mesh, processes=number, devices=devices // number)
            cells.append(apart(workdir, undisturbed))
        rows.append([str(devices), *cells])
    print(pipes(['devices', '1 process', '2 processes', '4 processes'], rows))


def kill(folder: Path, kills: int) -> None:
    """The whole recipe in one process, killed again and again at random moments."""
    begun = time.monotonic()
    undisturbed = finished(folder / 'undisturbed', devices=1)
    seconds = time.monotonic() - begun
    moments, done, runs, where = random.Random(0), 0, 0, {}
    while done < kills:
        workdir = folder / str(runs)
        [running] = start(workdir, devices=1, settings=PLAIN)
        try:
            running.communicate(timeout=moments.uniform(0, 0.6) * seconds)
        except subprocess.TimeoutExpired:
            running.kill()
            running.communicate()
            done += 1
            at = reached(workdir)
            where[at] = where.get(at, 0) + 1
        else:
            seconds *= 0.8  # the machine is faster than it was
        if (workdir / 'results.json').exists():
            runs += 1
    finished(folder / str(runs), devices=1)
    for number in range(runs + 1):
        workdir = folder / str(number)
        finished(workdir, devices=1)
        for name in ('results.json', 'base/selected.json', 'two_stage/selected.json'):
            if (workdir / name).read_bytes() != (undisturbed / name).read_bytes():
                raise SystemExit(f'{workdir / name}: differs from the undisturbed run')
        if not np.array_equal(losses(workdir), losses(undisturbed)):
            raise SystemExit(f'{workdir}: losses differ from the undisturbed run')
        if candidates(workdir) != candidates(undisturbed):
            raise SystemExit(f'{workdir}: Z differs from the undisturbed run')
    rows = [[name, str(count)] for name, count in sorted(where.items())]
    print(pipes(['killed while', 'kills'], rows))
    print(f'\n{kills} kills; {runs + 1} runs to the end, each bit-equal to the undisturbed one')


def reached(workdir: Path) -> str:
    """The step of the recipe that a killed run was in."""
    marks = {
        'scoring': workdir / 'two_stage' / 'selected.json',
        'training the two-stage reader': workdir / 'two_stage',
        'mining': workdir / 'base' / 'selected.json',
        'training the base reader': workdir / 'base',
    }
    return next((name for name, path in marks.items() if path.exists()), 'starting and reading')


@contextmanager
def burning(processes: int = 4) -> Iterator[None]:
    """Beside the block so many processes take all the time they get."""
    running = [
        subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(processes)
    ]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def loaded(folder: Path, runs: int) -> None:
    """Whether slow processes are taken for lost ones, and how soon lost ones are told."""
    of_two = {'processes': 2, 'devices': 2, 'settings': PLAIN}
    seconds, errors = [], []
    with burning():
        for number in range(runs):
            begun = time.monotonic()
            found = run(folder / str(number), *BASE, **of_two)
            seconds.append(time.monotonic() - begun)
            errors += [error for status, _, error in found if status]
        print(
            f'{runs} runs of two processes beside four that burn the processors: {len(errors)} of '
            f'{2 * runs} processes lost; a run took {statistics.median(seconds):.0f} s, the median'
        )
        print(*errors, sep='\n', end='')
        for name, number in (('killed', signal.SIGKILL), ('stopped', signal.SIGSTOP)):
            first, victim = start(folder / name, *BASE, **of_two)
            send(victim, number, folder / name / 'base' / 'metrics.jsonl')
            begun = time.monotonic()
            [(status, _, error)] = ended([first])
            after = time.monotonic() - begun
            ended([victim]) if number == signal.SIGKILL else victim.kill()
            line = error.strip().splitlines()[-1]
            print(f'one {name}: the other ended {after:.0f} s later with status {status}: {line}')


def checkpoints(folder: Path) -> None:
    """A state of XLM-R base, saved behind steps that take a given time."""
    import jax

    from xmrc_jax.configs.paper import paper_config
    from xmrc_jax.model import reader
    from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig
    from xmrc_jax.recipe import settings
    from xmrc_jax.train import checkpoints, sharding
    from xmrc_jax.train.optimizer import build
    from xmrc_jax.train.parts import parts_of
    from xmrc_jax.train.step import initial_state

    encoder = EncoderConfig.of(ENCODERS['xlmr_base'], PLAIN)
    adamw = settings.read(paper_config()).train.optimizer
    params = {'reader': reader.init(encoder, jax.random.key(0))}
    state = jax.jit(lambda params: initial_state(params, build(adamw, 10)))(params)
    state = jax.device_put(state, sharding.of(state, sharding.make_mesh()))
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(state)) / 1e9
    saved = checkpoints.Checkpoints(folder / 'checkpoints', keep=1, scores={})
    blocked, whole = [], []
    for step in range(1, 6):
        begun = time.perf_counter()
        saved.save(step, parts_of(state, {}))
        blocked.append(time.perf_counter() - begun)
        saved.wait()
        whole.append(time.perf_counter() - begun)
    saved.close()
    begun = time.perf_counter()
    checkpoints.Checkpoints(folder / 'checkpoints', keep=1, scores={}).restore(
        parts_of(sharding.placed(state, sharding.make_mesh()))
    )
    restored = time.perf_counter() - begun
    print(f'state of XLM-R base: {size:.2f} GB; five saves')
    for name, seconds in (('training waits', blocked), ('on disk and sealed', whole)):
        median, most = statistics.median(seconds), max(seconds)
        print(f'{name}: median {median:.2f} s, at most {most:.2f} s')
    print(f'checked and restored: {restored:.2f} s')
    share = statistics.median(blocked) / 0.02 / 1000
    print(f'under 2 % of 1000 steps where a step takes {1000 * share:.0f} ms or more')


TABLES = {
    'processes': lambda folder, args: processes(folder),
    'restore': lambda folder, args: restore(folder),
    'kill': lambda folder, args: kill(folder, args.kills),
    'loaded': lambda folder, args: loaded(folder, args.runs),
    'checkpoints': lambda folder, args: checkpoints(folder),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('table', choices=TABLES)
    parser.add_argument('--kills', type=int, default=40)
    parser.add_argument('--runs', type=int, default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        TABLES[args.table](Path(folder), args)


if __name__ == '__main__':
    main()
