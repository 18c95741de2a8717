"""What was answered and what it scored, as files: a run's ``predictions/`` and ``results.json``.

Owns their paths and layouts. It computes no score and knows no table.

    predictions/{system}/{dataset}.{c}-{q}.json           best answers, official layout
    predictions/{system}/{dataset}.{c}-{q}.nbest.json     n-best answers, run_qa's layout
    predictions/{system}/{dataset}.{c}-{q}.scores.json    their record, written last
    results.json                                          the records of a finished run
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from xmrc_jax.data.squad import Answer, Corpus, Question
from xmrc_jax.evaluate import metrics
from xmrc_jax.evaluate.nbest import NBest, nbest_json, predictions, texts
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import read_json, write_json


@dataclass(frozen=True)
class Whole:
    """A test set of which not every record could be asked as it stands.

    Attributes:
      records: of the file; those that were neither dropped nor unanswerable were asked.
      dropped: for a defect.
      unanswerable: as the file itself says.
      exact_match, f1: in percent over all records and the gold answers of the file, as the official
        script counts them; None where only a share of the questions was asked.
    """

    records: int
    dropped: int
    unanswerable: int
    exact_match: float | None
    f1: float | None


@dataclass(frozen=True)
class Record:
    """What one system scored on one test set; percentages. `top_k` is exact match by k.

    `selection` says how its parameters were chosen, `steps` of which checkpoints they are the mean,
    and `whole` what there is besides the questions asked, if anything.
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


def prediction_path(workdir: Path, system: str, corpus: Corpus) -> Path:
    """Where a system's answers to a corpus lie."""
    languages = corpus.context_language, corpus.question_language
    return _path(workdir, system, _dataset(corpus), *languages)


def record_path(workdir: Path, record: Record) -> Path:
    """Where the answers lie that a record scores; equal to ``prediction_path`` of its corpus."""
    languages = record.context_language, record.question_language
    return _path(workdir, record.system, record.dataset, *languages)


def _path(workdir: Path, system: str, dataset: str, c: str, q: str) -> Path:
    name = re.sub(r'[^\w.-]+', '-', f'{dataset}.{c}-{q}.json').strip('-')
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
    whole = Whole(**values['whole']) if 'whole' in values else None
    return Record(**values | {'top_k': top_k, 'steps': tuple(values['steps']), 'whole': whole})


def _plain(record: Record) -> dict:
    """The record as JSON; without ``whole`` where every record of the file was asked."""
    return {
        name: value
        for name, value in asdict(record).items()
        if name != 'whole' or record.whole is not None
    }


def _texts(question: Question) -> tuple[str, ...]:
    return tuple(answer.text for answer in question.answers)


def _whole(
    corpus: Corpus,
    questions: Sequence[Question],
    best: Mapping[str, str],
    metric: str,
    scored: Mapping[str, float],
) -> Whole | None:
    """All records of a corpus, scored; None where that is what was scored."""
    golds = {mend.id: mend.golds for mend in corpus.mends}
    # A duplicate is scored with the answer to its first record.
    golds_of = [(each.id, golds.get(each.id, _texts(each))) for each in questions]
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
    dropped = len(corpus.drops) - corpus.unanswerable
    return Whole(corpus.records, dropped, corpus.unanswerable, **of_all)


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
) -> Record:
    """Scores the answers to a corpus and writes them with their record.

    Args:
      path: as `prediction_path` gives it.
      system: name of the system.
      corpus: names the dataset and its languages.
      questions: those of the corpus that were answered.
      nbest: the answers.
      metric: a key of `metrics.METRICS`.
      ks: for which k the exact match of the k best is scored.
      selection: how the system's parameters were chosen.
      steps: of the checkpoints whose mean they are.

    Raises:
      UserError: the metric does not know the language, or a file cannot be written.
    """
    language = corpus.context_language
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
    )
    write_json(path, best)
    write_json(path.with_suffix('.nbest.json'), nbest_json(questions, nbest))
    write_json(path.with_suffix('.scores.json'), _plain(record))
    return record


def write_records(workdir: Path, records: Sequence[Record]) -> None:
    """Writes ``results.json``.

    Raises:
      UserError: it cannot be written.
    """
    write_json(workdir / 'results.json', [_plain(record) for record in records])
