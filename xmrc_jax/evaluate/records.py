"""What was answered and what it scored, as files: a run's ``predictions/`` and ``results.json``.

Owns their paths and layouts. It computes no score and knows no table.

    predictions/{system}/{dataset}.{c}-{q}.json           best answers, official layout
    predictions/{system}/{dataset}.{c}-{q}.nbest.json     n-best answers, run_qa's layout
    predictions/{system}/{dataset}.{c}-{q}.null_odds.json where questions have no answer: run_qa's
    predictions/{system}/{dataset}.{c}-{q}.scores.json    their record, written last
    results.json                                          the records of a finished run
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from xmrc_jax.data.squad import Answer, Corpus, Question
from xmrc_jax.evaluate import metrics
from xmrc_jax.evaluate.calibration import UNCALIBRATED, Calibration
from xmrc_jax.evaluate.nbest import NBest, nbest_json, null_odds, predictions, texts
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import read_json, write_json, write_text


@dataclass(frozen=True)
class Whole:
    """A test set of which not every record could be asked as it stands.

    Attributes:
      records: of the file; those that were not dropped were asked.
      dropped: for a defect.
      exact_match, f1: in percent over all records and the gold answers of the file, as the official
        script counts them; None where only a share of the questions was asked.
    """

    records: int
    dropped: int
    exact_match: float | None
    f1: float | None


@dataclass(frozen=True)
class Kinds:
    """A test set of which some questions have no answer, both kinds apart; percentages.

    Attributes:
      unanswerable: how many have none.
      threshold: null odds beyond which the reader gave none; None: it always gave one.
      exact_match, f1: of the questions that have an answer; None where there is no such question.
      right: share of the others to which none was given.
    """

    unanswerable: int
    threshold: float | None
    exact_match: float | None
    f1: float | None
    right: float


@dataclass(frozen=True)
class Record:
    """What one system scored on one test set; percentages. `top_k` is exact match by k.

    `selection` says how its parameters were chosen, `steps` of which checkpoints they are the mean,
    `whole` what there is besides the questions asked, if anything, and `kinds` how those with and
    without an answer scored, if there are both.
    """

    system: str
    dataset: str
    context_language: str
    question_language: str
    questions: int
    exact_match: float
    f1: float
    top_k: dict[int, float]
    metric: str
    selection: str = ''
    steps: tuple[int, ...] = ()
    whole: Whole | None = None
    kinds: Kinds | None = None


def prediction_path(workdir: Path, system: str, corpus: Corpus) -> Path:
    """Where a system's answers to a corpus lie."""
    return _path(workdir, system, _dataset(corpus), corpus)


def check_apart(corpora: Sequence[Corpus]) -> None:
    """Refuse test sets of which the answers to one would lie where those to another do.

    Raises:
      UserError: names two.
    """
    names: dict[Path, str] = {}
    for corpus in corpora:
        path = prediction_path(Path(), '', corpus)
        if path in names:
            raise UserError(
                f'test sets {names[path]} and {corpus.name}: their answers would lie in one file, '
                f'{path.name}; name each set once, or call a file otherwise'
            )
        names[path] = corpus.name


def record_path(workdir: Path, record: Record) -> Path:
    """Where the answers lie that a record scores; equal to ``prediction_path`` of its corpus."""
    return _path(workdir, record.system, record.dataset, record)


def _path(workdir: Path, system: str, dataset: str, of: Corpus | Record) -> Path:
    name = f'{dataset}.{of.context_language}-{of.question_language}.json'
    name = re.sub(r'[^\w.-]+', '-', name).strip('-')
    return workdir / 'predictions' / system / name


def _dataset(corpus: Corpus) -> str:
    """A corpus's name without its languages: 'mlqa/test' of 'mlqa/test/es-en'."""
    c, q = corpus.context_language, corpus.question_language
    return re.sub(f'[/@]{re.escape(c)}([-:]{re.escape(q)})?$', '', corpus.name)


def read_record(path: Path) -> Record | None:
    """The record beside the predictions at `path`, or None where they are not complete."""
    path = path.with_suffix('.scores.json')
    return _record(read_json(path)) if path.exists() else None


def read_records(workdir: Path) -> tuple[Record, ...]:
    """Those of ``results.json``; none where the run has not come to its end.

    Raises:
      UserError: the file is not what ``write_records`` wrote.
    """
    path = workdir / 'results.json'
    if not path.exists():
        return ()
    records = read_json(path)
    try:
        if not isinstance(records, list):
            raise TypeError(records)
        return tuple(map(_record, records))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise UserError(f'{path}: not a list of results: {error!r}') from None


def _record(values: dict) -> Record:
    top_k = {int(k): exact_match for k, exact_match in values['top_k'].items()}
    parts = {'steps': tuple(values['steps']), 'top_k': top_k}
    if whole := values.get('whole'):
        whole.pop('unanswerable', None)  # once no question was asked that has no answer
        parts['whole'] = Whole(**whole)
    if kinds := values.get('kinds'):
        parts['kinds'] = Kinds(**kinds)
    return Record(**values | parts)


def _plain(record: Record) -> dict:
    """The record as JSON; without the parts that it does not have."""
    return {name: value for name, value in asdict(record).items() if value is not None}


def _whole(
    corpus: Corpus,
    questions: Sequence[Question],
    best: Mapping[str, str],
    metric: str,
    scored: Mapping[str, float],
) -> Whole | None:
    """All records of a corpus, scored; None where that is what was scored."""
    golds = {each.id: tuple(answer.text for answer in each.answers) for each in questions}
    golds |= {mend.id: mend.golds for mend in corpus.mends if mend.id in golds}
    # A duplicate is scored with the answer to its first record.
    golds_of = list(golds.items())
    golds_of += [(drop.id, drop.golds) for drop in corpus.drops if drop.golds and drop.id in best]
    asked = [
        Question(id_, '', '', tuple(Answer(-1, text) for text in texts)) for id_, texts in golds_of
    ]
    of_all = {'exact_match': None, 'f1': None}
    is_share = len(questions) < len(corpus.questions)
    if not is_share:
        of_all = metrics.score(asked, best, metric, corpus.context_language, corpus.records)
    if not corpus.drops and (is_share or of_all == scored):
        return None
    return Whole(corpus.records, len(corpus.drops), **of_all)


def _kinds(
    questions: Sequence[Question],
    best: Mapping[str, str],
    metric: str,
    language: str,
    threshold: float | None,
) -> Kinds | None:
    """Questions with and without an answer apart; None where all have one."""
    without = [question for question in questions if not question.answers]
    if not without:
        return None
    of_others = {'exact_match': None, 'f1': None}
    if others := [question for question in questions if question.answers]:
        of_others = metrics.score(others, best, metric, language)
    right = metrics.score(without, best, metric, language)['exact_match']
    return Kinds(len(without), threshold, **of_others, right=right)


def write_predictions(
    path: Path,
    system: str,
    corpus: Corpus,
    questions: Sequence[Question],
    nbest: NBest,
    metric: str,
    ks: Sequence[int],
    selection: str = '',
    steps: Sequence[int] = (),
    calibration: Calibration = UNCALIBRATED,
    among: int | None = None,
) -> Record:
    """Scores the answers to a corpus and writes them with their record.

    Args:
      path: as `prediction_path` gives it.
      system: name of the system.
      corpus: names the dataset and its languages.
      questions: those of the corpus that were answered.
      nbest: the answers, spans alone.
      metric: a key of `metrics.METRICS`.
      ks: for which k the exact match of the k best is scored.
      selection: how the system's parameters were chosen.
      steps: of the checkpoints whose mean they are.
      calibration: of the system.
      among: see ``Calibration.confidences``.

    Raises:
      UserError: the metric does not know the language, or a file cannot be written.
    """
    language = corpus.context_language
    odds = null_odds(questions, nbest)
    nbest, _ = calibration.ranked(nbest)
    best = predictions(questions, nbest)
    scored = metrics.score(questions, best, metric, language)
    record = Record(
        system=system,
        dataset=_dataset(corpus),
        context_language=language,
        question_language=corpus.question_language,
        questions=len(questions),
        **scored,
        top_k=metrics.top_k_exact_match(questions, texts(questions, nbest), ks, metric, language),
        metric=metric,
        selection=selection,
        steps=tuple(steps),
        whole=_whole(corpus, questions, best, metric, scored),
        kinds=_kinds(questions, best, metric, language, calibration.null_threshold),
    )
    write_json(path, best)
    listed = nbest_json(questions, nbest, calibration.confidences(nbest, among))
    write_text(path.with_suffix('.nbest.json'), listed)
    if record.kinds:
        write_json(path.with_suffix('.null_odds.json'), odds)
    write_json(path.with_suffix('.scores.json'), _plain(record))
    return record


def write_records(workdir: Path, records: Sequence[Record]) -> None:
    """Writes ``results.json``.

    Raises:
      UserError: it cannot be written.
    """
    write_json(workdir / 'results.json', [_plain(record) for record in records])
