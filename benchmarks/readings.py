"""What each reading of the method does to training: a line for each entry of a sweep.

    python -m xmrc_jax.sweep --config configs/tables/readings.py:quickstart --workdir runs/readings
    python -m benchmarks.readings runs/readings

Losses, accuracy and gradient are those of ``metrics.jsonl``: of the contrast (eq. 8) the means over
the first, second and last third of the stage, of the whole gradient the median. The gradients of
eq. 5 and eq. 8 apart, each with its weight in eq. 9, are taken at the reader that the run reports,
with the slots of eq. 5 as they start: medians over a few training batches. Scores are means over
the test sets, and over seeds. Entries that were not run say so.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import numpy as np
import optax

from benchmarks import report
from xmrc_jax.data.batches import Batch
from xmrc_jax.ground.commands import command, documented
from xmrc_jax.ground.files import read_json
from xmrc_jax.recipe import settings
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.recipe.reopen import Reopened
from xmrc_jax.recipe.surroundings import keep_compiled
from xmrc_jax.reporting import runs
from xmrc_jax.reporting.tables import pipes
from xmrc_jax.train.two_stage import two_stage_objective

THIRDS = ('begins', 'middle', 'ends')
GRADIENTS = {'hard_loss': 'of eq. 5', 'contrast_loss': 'of eq. 8'}
COLUMNS = {
    'steps': 'd',
    'dev F1': '.2f',
    'F1': '.2f',
    'EM': '.2f',
    'EM, best 5': '.2f',
    'eq. 5, ends': '.2f',
    **{f'eq. 8, {third}': '.3f' for third in THIRDS},
    **{f'right, {third}': '.1%' for third in THIRDS},
    'hardness': '.2f',
    'gradient': '.2f',
    **dict.fromkeys(GRADIENTS.values(), '.3f'),
}


def trained(run: runs.Run, system: str) -> Iterator[tuple[str, float]]:
    """What the run's files say of a reader, by column."""
    name = system.partition('@')[0]
    if name == system:
        selected = read_json(run.folder / name / 'selected.json')
        yield 'steps', max(selected['choices']['last'])
        if selected['f1'] is not None:
            yield 'dev F1', selected['f1']
    records = run.of(system)
    yield 'F1', np.mean([each.f1 for each in records])
    yield 'EM', np.mean([each.exact_match for each in records])
    yield 'EM, best 5', np.mean([each.top_k[5] for each in records])
    logged = run.metrics(name) if name == system else []
    logged = [line for line in logged if 'grad_norm' in line]
    if logged:
        yield 'gradient', np.median([line['grad_norm'] for line in logged])
    if hard := [line['hard_loss'] for line in logged if 'hard_loss' in line]:
        yield 'eq. 5, ends', np.mean(np.array_split(hard, 3)[-1])
    if contrast := [line for line in logged if 'contrast_loss' in line]:
        yield 'hardness', np.mean([line['negative_hardness'] for line in contrast])
        for column, key in (('eq. 8', 'contrast_loss'), ('right', 'contrast_accuracy')):
            thirds = np.array_split([line[key] for line in contrast], 3)
            for third, values in zip(THIRDS, thirds, strict=True):
                yield f'{column}, {third}', np.mean(values)


def gradients(folder: Path, batches: int) -> Iterator[tuple[str, float]]:
    """The norms of the gradients of eq. 5 and eq. 8, each with its weight in eq. 9, by column.

    At the two-stage reader of a finished run, medians over its first so many training batches.
    """
    own = Experiment(settings.read_folder(folder), folder)
    keep_compiled(own.inputs.cache)
    method, place = own.run.method.reading, own.run.mine.gold_slot
    longest = own.run.evaluate.ask.max_answer_tokens
    objective = two_stage_objective(own.inputs.encoder, method, 1, longest, place)
    slots = method.hard.initial_slots(own.run.mine.candidates, place)
    params = {'reader': own.store('two_stage').reported()} | slots
    weight_of = {'hard_loss': 1 - method.alpha, 'contrast_loss': method.alpha}
    parts = [name for name, weight in weight_of.items() if weight]

    @jax.jit
    def norms(params: dict, batch: Batch) -> list[jax.Array]:
        def mean(params: dict, name: str) -> jax.Array:
            outcome = objective(params, batch, 0, jax.random.key(0))
            values_B, held_B = outcome.averages[name]
            held_B &= batch.real_B
            return (values_B * held_B).sum() / held_B.sum()

        return [optax.tree.norm(jax.grad(mean)(params, name)) for name in parts]

    drawn = own.fit.batches(own.inputs.train, own.mined.of_windows())
    found = [norms(params, drawn.batch_at(step)) for step in range(batches)]
    for name, norm in zip(parts, np.median(found, axis=0), strict=True):
        yield GRADIENTS[name], weight_of[name] * norm


def line(entry: runs.Entry, batches: int) -> list[str]:
    """The cells of an entry."""
    found: dict[str, list[float]] = {}
    for trial in entry.trials:
        if trial.run.of(entry.system):
            facts = dict(trained(trial.run, entry.system))
            if entry.system == 'two_stage' and batches:
                facts |= gradients(trial.run.folder, batches)
            for column, value in facts.items():
                found.setdefault(column, []).append(value)
    if not found:
        return [entry.label, 'not run', *[''] * (len(COLUMNS) - 1)]
    cells = {name: np.mean(values) for name, values in found.items()}
    return [
        entry.label,
        *(
            format(int(cells[name]) if form == 'd' else cells[name], form) if name in cells else ''
            for name, form in COLUMNS.items()
        ),
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the table."""
    argv = sys.argv[1:] if argv is None else argv
    parser = documented('benchmarks.readings', __doc__)
    parser.add_argument('sweep', type=Path, help='its folder')
    parser.add_argument('--batches', type=int, default=4, help='for the gradients apart; 0: none')
    args = parser.parse_args(argv)
    study = runs.read([args.sweep], lambda folder: Reopened(folder).setup)[0]
    rows = [line(entry, args.batches) for entry in study.entries]
    print(report.head('benchmarks.readings', argv))
    print(pipes(['', *COLUMNS], rows))


if __name__ == '__main__':
    command(main)
