"""The model card of an exported reader: what it was made of, and what it scored."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub

from xmrc_jax.data.corpora import hub_id, public
from xmrc_jax.evaluate.records import Record, read_records
from xmrc_jax.ground.files import read_object
from xmrc_jax.recipe import settings
from xmrc_jax.recipe.trained import Trained
from xmrc_jax.reporting.tables import pipes

METHOD = {
    'base': 'Fine-tuned with the cross entropy of the first and the last token of the answer.',
    'two_stage': (
        'Two-stage training of [From Good to Best](https://arxiv.org/abs/2112.04735) (Chen et al., '
        'AAAI 2022): a base reader mines its best answers to every training question; this one '
        'learns from them with weights (hard learning) and in the same steps tells the gold answer '
        'from the most similar wrong one (answer-aware contrast).'
    ),
}

LOADING = """## How to load it

With PyTorch:

```python
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

model = AutoModelForQuestionAnswering.from_pretrained(FOLDER_OR_ID)
tokenizer = AutoTokenizer.from_pretrained(FOLDER_OR_ID)
```

With JAX, for passages of any length:

```python
from xmrc_jax import Reader

reader = Reader.load(FOLDER_OR_ID)
best, *others = reader.ask('Who founded it?', 'It was founded by Ada Fenwick.')
```
"""


@dataclass(frozen=True)
class Card:
    """A model card's text."""

    content: str

    def save_pretrained(self, folder: Path) -> None:
        """Into the folder of an exported reader."""
        (folder / 'README.md').write_text(self.content, 'utf-8')


def of(own: Trained) -> Card:
    """The card of a reader: of a run's all that its folder knows, of another how it is loaded."""
    facts = {
        'library_name': 'transformers',
        'pipeline_tag': 'question-answering',
        'tags': ['xmrc_jax', 'extractive-qa'],
    }
    sections = [f'# {"Reader" if own.origin is None else own.origin.system}']
    if own.origin is not None:
        run = settings.read_folder(own.origin.run)
        records = [
            record for record in read_records(own.origin.run) if record.system == own.origin.system
        ]
        corpora = read_object(own.origin.run / 'manifest.json').get('corpora', {})
        facts |= _facts(run, own.origin.system, records, corpora)
        sections += _sections(run, own, records)
    metadata = huggingface_hub.ModelCardData(**facts).to_yaml()
    return Card(f'---\n{metadata}\n---\n\n' + '\n\n'.join([*sections, LOADING]))


def _facts(run: settings.Run, system: str, records: list[Record], corpora: dict) -> dict:
    """What the metadata block says of a run's reader; nothing that is not known."""
    base, metrics = run.model.source, ('f1', 'exact_match')
    languages = {
        each[f'{of}_language'] for each in corpora.values() for of in ('context', 'question')
    }
    results = [
        huggingface_hub.EvalResult(
            task_type='question-answering',
            dataset_type=hub_id(record.dataset) or public(record.dataset),
            dataset_name=_named(record),
            dataset_config=f'{record.context_language}-{record.question_language}',
            metric_type=metric,
            metric_value=round(getattr(record, metric), 2),
        )
        for record in records
        for metric in metrics
    ]
    known = {
        'base_model': '' if Path(base).exists() else base,
        'license': _licence(base),
        'datasets': list(dict.fromkeys(filter(None, map(hub_id, run.data.train)))),
        'language': sorted(languages),
        'model_name': system if results else '',
        'eval_results': results,
        'metrics': list(metrics) if results else [],
    }
    return {name: value for name, value in known.items() if value}


def _named(record: Record) -> str:
    """Its test set, with what makes the score worth less: a dev or training set that leaks."""
    _, _, warning = record.selection.partition(', ')
    return public(record.dataset) + (f' ({warning})' if warning else '')


def _licence(base: str) -> str:
    """What the card of the base model, here or on the hub, names; '' where none can be read."""
    if not base:
        return ''
    card = Path(base) / 'README.md'
    try:
        found = huggingface_hub.ModelCard.load(card if Path(base).is_dir() else base)
    except Exception:  # no card, no network, no such name, broken YAML: it is not known
        return ''
    return found.data.license or ''


def _sections(run: settings.Run, own: Trained, records: list[Record]) -> Iterator[str]:
    """Method, data, scores and values of a run's reader."""
    reader, _, chosen = own.origin.system.partition('@')
    yield METHOD.get(reader, f'One of the readers of a run: {reader}.')
    base = run.model.source
    licence = f' (licence: {_licence(base) or "see there"})' if base else ''
    steps = ', '.join(map(str, own.origin.steps))
    many = 'the mean of its checkpoints at steps' if len(own.origin.steps) > 1 else 'its step'
    yield '\n'.join(
        [
            f'- Base model: {public(base) or "none, a random start"}{licence}',
            f'- Trained on: {", ".join(map(public, run.data.train))}',
            f'- Selected by: {chosen or run.train.loop.selection}'
            + (f' on {public(run.data.dev)}' if run.data.dev else '')
            + f'; {many} {steps}',
        ]
    )
    yield '## Scores'
    rows = [
        [
            _named(record),
            record.context_language,
            record.question_language,
            f'{record.f1:.2f}',
            f'{record.exact_match:.2f}',
        ]
        for record in records
    ]
    header = ['test set', 'passages', 'questions', 'F1', 'EM']
    yield pipes(header, rows) if rows else 'This choice of checkpoints was not scored.'
    yield '## Values of the training'
    leaves = settings.of_the_base(run) if reader == 'base' else settings.what(run)
    lines = [
        f'{path} = {_value(value)!r}'
        for path, value in leaves.items()
        if not path.startswith('evaluate.')
    ]
    yield '\n'.join(['```', *lines, '```'])


def _value(value):
    """A leaf's value, files by their names alone."""
    if isinstance(value, tuple):
        return tuple(map(_value, value))
    return public(value) if isinstance(value, str) else value
