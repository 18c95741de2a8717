"""What stands in a report, and in which order."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from xmrc_jax.ground.errors import UserError
from xmrc_jax.reporting import cases, runs
from xmrc_jax.reporting.cases import PAIR
from xmrc_jax.reporting.cells import Spreads, columns_of, datasets, f1_and_em, label, over_seeds
from xmrc_jax.reporting.comparison import Comparison, compare
from xmrc_jax.reporting.confidence import calibration
from xmrc_jax.reporting.errors import error_table
from xmrc_jax.reporting.figures import Line, Plot
from xmrc_jax.reporting.outcomes import Outcomes
from xmrc_jax.reporting.page import Facts, Section
from xmrc_jax.reporting.runs import Run, Study
from xmrc_jax.reporting.scores import crossed_tables, gain_table, score_table, top_k, top_k_table
from xmrc_jax.reporting.significance import in_words, scored, significance_table
from xmrc_jax.reporting.tables import Table


def build(
    folders: Sequence[Path], reopened: Callable, ids: Sequence[str], compared: Sequence[str] | None
) -> tuple[str, list[Section], list[str]]:
    """Reads folders of runs and sweeps and puts the report together.

    Args:
      reopened: a run's folder to its setup, data and checkpoints, see `xmrc_jax.recipe.reopen`.
      ids: test questions of case studies.
      compared: two systems, or two runs with or without ':' and a system.

    Returns:
      Title, sections, and lines that say what is missing.

    Raises:
      UserError: a folder, a question or a system is not there.
    """
    studies = runs.read(folders, lambda folder: reopened(folder).setup)
    outcomes = Outcomes(lambda folder: reopened(folder).tests())
    focus = [run for study in studies for run in _focus(study)]
    parts = {
        'About': _about(studies, focus, outcomes),
        'Scores': _scores(studies, outcomes),
        'Top-k': _top_k(studies),
        'Training': (plot for number, run in enumerate(focus) for plot in _training(run, number)),
        'Errors': _errors(focus, outcomes),
        'Confidence': _confidence(focus, outcomes),
        'Case studies': _cases(focus, ids, reopened, outcomes),
        'Comparison': _comparisons(studies, focus, compared, outcomes),
        'Runs': [_run_table(studies)],
    }
    sections = [Section(title, list(filter(None, each))) for title, each in parts.items()]
    if not focus:
        outcomes.missing.append('No run has come to its end yet: the cells are empty.')
    elif any(len(study.finished) > len(_focus(study)) for study in studies):
        names = ', '.join(str(run.folder) for run in focus)
        outcomes.missing.append(f'Training, errors, case and comparison are those of {names}.')
    title = f'Report: {", ".join(study.title for study in studies)}'
    return title, sections, outcomes.missing


def _focus(study: Study) -> list[Run]:
    """The runs looked at one by one: all that were named, the first one of a sweep."""
    named = study.folder.joinpath('sweep.json').exists()
    both = [run for run in study.finished if set(PAIR) <= set(run.systems)]
    return (both or study.finished)[:1] if named else study.finished


def _about(studies: Sequence[Study], focus: Sequence[Run], outcomes: Outcomes) -> Iterator:
    """What came out, in a sentence for each study, and what each run looked at was."""
    for study in studies:
        for dataset in datasets(study)[:1]:
            yield next(in_words(study, dataset, outcomes), None) or scored(study, dataset)
    for run in focus:
        systems = ('Systems', ', '.join(run.systems))
        yield Facts(run.folder.name, (systems, *run.setup.facts))


def _scores(studies: Sequence[Study], outcomes: Outcomes) -> Iterator[Plot | Table | None]:
    for number, study in enumerate(studies):
        yield _sweep_plot(study, f'sweep-{number}')
        for dataset in datasets(study):
            yield score_table(study, dataset)
            yield significance_table(study, dataset, outcomes)
            yield from crossed_tables(study, dataset)


def _sweep_plot(study: Study, name: str) -> Plot | None:
    """Average F1 over the entries' x, a line for each dataset with two points or more."""
    lines = []
    for dataset in datasets(study):
        columns = columns_of(study, dataset)
        mean = dict(sorted(columns.items(), key=lambda column: len(column[1]))[-1:])  # of them all
        points = [
            (entry.x, f1.mean, f1.deviation or 0.0)
            for entry in study.entries
            if entry.x is not None
            for f1, _ in over_seeds(entry, dataset, mean, f1_and_em).values()
        ]
        if len(points) > 1:
            lines.append(Line(dataset, *zip(*sorted(points), strict=True)))
    title = f'{study.title}: mean F1 over languages; bars: sample deviation over seeds'
    return Plot(name, title, study.axis, 'mean F1', tuple(lines), marks=True) if lines else None


def _top_k(studies: Sequence[Study]) -> Iterator[Plot | Table | None]:
    """The curves of the first entries, a line for each language, then the tables of all."""
    for number, study in enumerate(studies):
        for dataset in datasets(study):
            columns = {c: each for c, each in columns_of(study, dataset).items() if len(each) == 1}
            measured = ((entry, top_k(entry, dataset, columns)) for entry in study.entries)
            shown = [(entry, _curves(by_k)) for entry, by_k in measured if by_k][:4]
            beside = tuple(line for _, lines in shown for line in lines)
            for entry, lines in shown:
                title = f'{dataset}, {label(entry)}: EM when any of the k best answers may hit'
                name = '.'.join([f'top-k-{number}', _slug(dataset), _slug(entry.label)])
                yield Plot(name, title, 'k', 'EM', lines, marks=True, beside=beside)
            yield top_k_table(study, dataset)
            yield gain_table(study, dataset)


def _curves(by_k: dict[int, Spreads]) -> tuple[Line, ...]:
    """EM over k, a line for each language that has any."""
    found = []
    for c in dict.fromkeys(c for each in by_k.values() for c in each):
        points = {k: each[c][0].mean for k, each in by_k.items() if c in each}
        found.append(Line(c, list(points), list(points.values())))
    return tuple(found)


def _slug(text: str) -> str:
    return re.sub(r'[^\w.-]+', '-', text).strip('-.')


def _training(run: Run, number: int) -> Iterator[Plot]:
    """Loss, dev F1 and the learned weights w by step."""
    metrics = {system: run.metrics(system) for system in run.readers}
    lines: dict[str, list[Line]] = {'loss': [], 'dev_f1': []}
    for system, logged in metrics.items():
        for key, own in lines.items():
            if points := [(line['step'], line[key]) for line in logged if key in line]:
                own.append(Line(system, *zip(*points, strict=True)))
    for line in lines['loss']:  # of several kinds, which no axis has in common
        title = f'{run.folder.name}: loss of {line.label} by step'
        yield Plot(f'training-{number}.loss.{line.label}', title, 'step', 'loss', (line,))
    if lines['dev_f1']:
        title, f1s = f'{run.folder.name}: F1 on the dev set by step', tuple(lines['dev_f1'])
        yield Plot(f'training-{number}.dev_f1', title, 'step', 'F1', f1s, marks=True)
    weights = {line['step']: line['w'] for line in metrics.get('two_stage', ()) if 'w' in line}
    if weights:
        steps, (*others, last) = list(weights), zip(*weights.values(), strict=True)
        quiet = [
            Line('' if i else 'other slots', steps, w, quiet=True) for i, w in enumerate(others)
        ]
        loud = Line('gold slot' if run.setup.gold_is_last else 'last slot', steps, last)
        title = f'{run.folder.name}: learned weights w of eq. 5 by step'
        yield Plot(f'training-{number}.w', title, 'step', 'w', (*quiet, loud))


def _errors(focus: Sequence[Run], outcomes: Outcomes) -> Iterator[Table | None]:
    for run in focus:
        pair = [system for system in PAIR if system in run.systems] or run.systems[:2]
        for dataset in dict.fromkeys(record.dataset for record in run.records):
            yield error_table(run, pair, dataset, outcomes)


def _confidence(focus: Sequence[Run], outcomes: Outcomes) -> Iterator[Table | Plot]:
    for number, run in enumerate(focus):
        for dataset in dict.fromkeys(record.dataset for record in run.records):
            yield from calibration(run, dataset, outcomes, f'confidence-{number}.{_slug(dataset)}')


def _cases(focus, ids, reopened, outcomes: Outcomes) -> Iterator:
    for run in focus:
        if not ids and (case := cases.by_rule(run, outcomes)):
            yield (
                'Chosen by rule: the first test question that base misses though its n-best '
                'answers hold it, and that two_stage answers. Probabilities are shares among the '
                'stored n-best answers; one that was stored without its place is shown where its '
                'text first occurs. --case asks every checkpoint.'
            )
            yield case
    if not ids:
        return
    if not focus:
        raise UserError(f'--case {ids[0]}: no run has come to its end')
    run, opened = focus[0], reopened(focus[0].folder)
    yield (
        f'Answers of every checkpoint kept in {run.folder}. The probability of an answer is '
        'P(start) P(end), each a softmax over the real tokens of its window (eq. 2). '
        'Underlined: gold; shaded: the four likeliest answers, darker where likelier.'
    )
    for id_ in ids:
        record, question = cases.find(run, id_, outcomes)
        yield cases.answered(run, record, question, opened.kept, opened.ask)


def _comparisons(studies, focus, compared, outcomes: Outcomes) -> Iterator[Table | Comparison]:
    a, b = compared or PAIR
    systems = {system for study in studies for run in study.finished for system in run.systems}
    pairs = [((run, a), (run, b)) for run in focus if {a, b} <= set(run.systems)]
    if compared and not {a, b} <= systems:
        pairs = [(_named(studies, a), _named(studies, b))]
    elif compared and not pairs:
        raise UserError(f'--compare {a} {b}: no reported run has both; name them as FOLDER:SYSTEM')
    for made in filter(None, (compare(*pair, outcomes) for pair in pairs)):
        yield from (made.counts, made)


def _named(studies: Sequence[Study], name: str) -> tuple[Run, str]:
    """A finished run and a system of it, from 'folder' or 'folder:system'."""
    known = {run.folder.resolve(): run for study in studies for run in study.finished}
    folder, system = (name, '') if Path(name).resolve() in known else name.rpartition(':')[::2]
    run = known.get(Path(folder).resolve()) if folder else None
    if run is None:
        systems = ', '.join(dict.fromkeys(s for run in known.values() for s in run.systems))
        raise UserError(
            f'--compare {name}: neither a system ({systems}) nor a finished run that is reported, '
            'as FOLDER or FOLDER:SYSTEM'
        )
    system = system or (PAIR[1] if PAIR[1] in run.systems else run.systems[0])
    if system not in run.systems:
        raise UserError(f'--compare {name}: the run has {", ".join(run.systems)}, no {system!r}')
    return run, system


def _run_table(studies: Sequence[Study]) -> Table:
    rows = []
    for study in studies:
        rows.append([study.title])
        seeds = {trial.run.folder: trial.seed for e in study.entries for trial in e.trials}
        for run in study.runs:
            encoder = run.setup.encoder if run.setup else ''
            done = ', '.join(run.systems) or 'not finished'
            rows.append([str(run.folder), str(seeds[run.folder]), encoder, done])
    return Table('What was read', ['', 'seed', 'encoder', 'systems'], rows)
