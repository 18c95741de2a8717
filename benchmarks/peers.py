"""What each of the paper's peers costs, against the base reader: steps, time and disk.

    python -m benchmarks.peers --workdir runs/peers
    python -m benchmarks.peers --workdir runs/peers --passages 440 --methods base LBMRC

trains each method on the embedded corpus in six languages, the base reader and the two-stage method
among them, in a folder of its own. Each runs twice: the first time fills the cache of compiled
programs, the second, in a new folder, is timed, from the first training step of the recipe to the
last, with all that is asked in between; test sets are not scored. Steps are updates of batches of
equal size, of all readers; disk is what the run leaves.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
from tqdm import tqdm

from benchmarks import report
from xmrc_jax.configs import quickstart
from xmrc_jax.ground.choices import require
from xmrc_jax.ground.commands import command
from xmrc_jax.ground.files import read_json
from xmrc_jax.recipe import experiment, settings
from xmrc_jax.reporting.tables import pipes

METHODS = {  # by their name in table 5, the variants of the configuration
    'base': 'translate_train,base',
    'two-stage': 'translate_train,two_stage',
    'mixMRC': 'mixmrc',
    'LBMRC': 'lbmrc',
    'self-distillation': 'translate_train,skd',
    'CalibreNet': 'translate_train,calibrenet',
    'LAKM': 'translate_train,lakm',
}
HEADER = ('method', 'readers', 'steps', 'ratio', 's', 'ratio', 'MB', 'ratio', 'passes an answer')


class Cost(NamedTuple):
    """Of one method."""

    readers: int  # that are trained
    steps: int
    seconds: float
    bytes: int
    passes: int  # of an encoder, for an answer


def measured(run: settings.Run, folder: Path) -> Cost:
    """The cost of a recipe in a new folder, without its scores."""
    folder.mkdir(parents=True)
    own = experiment.Experiment(run, folder)
    own.prepare()
    start = time.perf_counter()
    for name in run.recipe:
        if name != 'score':
            experiment.STEPS[name](own)
    seconds = time.perf_counter() - start
    steps = [max(read_json(path)['choices']['last']) for path in folder.rglob('selected.json')]
    size = sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())
    return Cost(len(steps), sum(steps), seconds, size, 1 + ('calibrate' in run.recipe))


def table(costs: Mapping[str, Cost]) -> str:
    """A Markdown table; the first method is what the others are compared with."""
    first, rows = next(iter(costs.values())), []
    for name, cost in costs.items():
        numbers = (cost.steps, cost.seconds, cost.bytes / 1e6)
        others = (first.steps, first.seconds, first.bytes / 1e6)
        cells = [name, cost.readers]
        for number, other, form in zip(numbers, others, (',d', ',.0f', ',.1f'), strict=True):
            cells += [f'{number:{form}}', f'{number / other:.2f}']
        rows.append([*map(str, cells), str(cost.passes)])
    return pipes(HEADER, rows)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog='benchmarks.peers')
    parser.add_argument('--workdir', type=Path, required=True, help='a new folder')
    parser.add_argument('--passages', type=int, default=40, help='to train on, in each language')
    parser.add_argument('--methods', nargs='+', default=[*METHODS], metavar='METHOD')
    argv = sys.argv[1:] if argv is None else argv
    args = parser.parse_args(argv)
    for name in args.methods:
        require(METHODS, name, '--methods')
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)
    costs = {}
    for name in tqdm(args.methods, unit=' methods', leave=False):
        run = settings.read(quickstart.get_config(METHODS[name]))
        sizes = replace(run.data.encyclopedia, train_passages=args.passages)
        run = replace(run, data=replace(run.data, encyclopedia=sizes))
        for place in ('compiled', 'timed'):
            costs[name] = measured(run, args.workdir / place / name)
    print(report.head('benchmarks.peers', argv), table(costs), sep='\n')


if __name__ == '__main__':
    command(main)
