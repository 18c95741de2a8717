"""Trained readers against corpora, without a training: the last step of the recipe alone.

The working folder is like that of a run that only scores, so that all that reads runs reads it:
``config.json``, ``manifest.json``, ``predictions/``, ``results.json``. ``readers.json`` says of
each reader what it is, by a hash of its parameters.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from xmrc_jax.configs.paper import paper_config
from xmrc_jax.data.corpora import manifest
from xmrc_jax.data.overlap import shared
from xmrc_jax.data.rows import up
from xmrc_jax.data.squad import Corpus
from xmrc_jax.data.windows import build
from xmrc_jax.evaluate.calibration import Calibration
from xmrc_jax.evaluate.records import prediction_path, read_record
from xmrc_jax.ground import values
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import read_object, write_json
from xmrc_jax.processes import output
from xmrc_jax.recipe import settings, trained
from xmrc_jax.recipe.ask import Ask
from xmrc_jax.recipe.inputs import Inputs, Split
from xmrc_jax.recipe.reopen import Reopened
from xmrc_jax.recipe.scoring import Contestant, Scorer, concluded, warned
from xmrc_jax.recipe.surroundings import commit, hardware, keep_compiled, software
from xmrc_jax.recipe.workdir import claimed
from xmrc_jax.train.fingerprint import fingerprint

READERS = 'readers.json'


@dataclass(frozen=True, eq=False)
class Loaded:
    """A reader in the place of a store of several: whatever checkpoints are named, it is these."""

    params: dict
    calibrated: Calibration

    def load(self, steps: Sequence[int]) -> dict:
        return self.params

    def calibration(self, steps: Sequence[int]) -> Calibration:
        return self.calibrated


def evaluate(sources: Sequence[str], changes: Mapping[str, Any], workdir: Path) -> str:
    """Score readers and write what a run writes of its scores.

    Args:
      sources: path or hub id of each reader, perhaps with a name before an equals sign.
      changes: leaves that say what they are scored on, by their paths.
      workdir: continued, if it exists.

    Returns:
      The tables, and in words which reader is better.

    Raises:
      UserError: two readers have one name; one cannot be read, or was another before; the folder
        is of other corpora; or as ``corpora.load``.
    """
    readers = trained.by_name([trained.named(source) for source in sources])
    only = {'recipe': ('score',), 'data.train': (), 'data.dev': '', 'model.name': ''}
    run = settings.vary(settings.read(paper_config()), only | dict(changes))
    with claimed(workdir), output.kept_warnings(workdir / 'logs'):
        settings.same_run(workdir, run)
        inputs = Inputs(run.data, run.model, run.seed, workdir)
        keep_compiled(inputs.cache)
        tests = list(inputs.test_questions())
        for corpus, _ in tests:
            run.evaluate.metric_of(corpus)  # which must know its language
        write_json(workdir / 'config.json', settings.stored(run, run.evaluate.ask.batch_size))
        read = {'corpora': manifest(corpus for corpus, _ in tests), 'software': software()}
        write_json(workdir / 'manifest.json', read | {'commit': commit(), 'hardware': hardware()})
        others = [name for name in read_object(workdir / READERS) if name not in readers]
        found = [
            *(
                read_record(prediction_path(workdir, name, corpus))
                for name in others
                for corpus, _ in tests
            ),
            *(
                record
                for name, source in readers.items()
                for record in _scored(name, source, run, inputs, tests, workdir)
            ),
        ]
        return concluded(workdir, [*filter(None, found)], lambda: iter(tests))


def _scored(
    name: str, source: str, run: settings.Run, inputs: Inputs, tests: Sequence, workdir: Path
) -> Iterator:
    """The records of one reader, which is asked where it was not before."""
    own = trained.load(source)
    _same_reader(workdir / READERS, name, source, own)
    print(f'{name}: {own.name}', flush=True)
    longest = own.asking.options.max_answer_tokens
    options = replace(
        run.evaluate.ask,
        batch_size=up(run.evaluate.ask.batch_size, own.mesh.size),
        n_best=max(run.evaluate.ask.n_best, among := own.asking.options.n_best),
        max_answer_tokens=longest,
    )
    scorer = Scorer(Ask(own.encoder, own.mesh, options), run.evaluate, workdir, dev=None)
    contestant = Contestant(name, '', ((),))
    if own.origin:
        contestant = Contestant(name, own.origin.selection, (own.origin.steps,))
    dev_shared, train_shared = _shared(name, own, [corpus for corpus, _ in tests])
    loaded = Loaded(own.params, own.asking.calibration)
    for corpus, questions in tests:
        windows = build(questions, own.tokenizer, own.asking.size, cache=inputs.cache)
        split = Split((corpus,), questions, windows)
        leaks = corpus.name in dev_shared, corpus.name in train_shared
        yield scorer.record(loaded, warned(contestant, *leaks), split, among=among)


def _shared(
    name: str, own: trained.Trained, tests: Sequence[Corpus]
) -> tuple[dict[str, str], dict[str, str]]:
    """What a reader's dev and training sets share with test sets, as far as that is known: a run's
    folder remembers its data."""
    if own.origin is None:
        print(f'{name}: not known what it was trained on, so whether on a test set')
        return {}, {}
    inputs = _inputs_of(own.origin.run)
    try:
        found = shared(inputs.dev_corpora, tests), shared(inputs.train_corpora, tests)
    except UserError as error:
        print(f'{name}: not known whether it was trained on a test set: {error}')
        return {}, {}
    for kind, each in zip(('dev set', 'training sets'), found, strict=True):
        for words in each.values():
            print(f'{name}: warning: of its {kind}: {words}')
    return found


@lru_cache(maxsize=1)
def _inputs_of(run: Path) -> Inputs:
    """What a run read: the same for all its readers, which are often scored one after the other."""
    return Reopened(run).inputs


def _same_reader(path: Path, name: str, source: str, own: trained.Trained) -> None:
    """Refuse another reader under the name of one whose answers lie there."""
    known = read_object(path)
    train = settings.read_folder(own.origin.run).data.train if own.origin else ('not known',)
    found = {
        'source': source,
        'trained_on': ', '.join(train),
        'parameters': fingerprint(own.params),
        'asking': values.plain(own.asking),
    }
    if name in known and any(known[name][key] != found[key] for key in ('parameters', 'asking')):
        raise UserError(
            f'{path}: {name} was another reader ({known[name]["source"]}); write another '
            f'NAME={source}, or choose another --workdir'
        )
    write_json(path, known | {name: found})
