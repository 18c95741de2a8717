"""What a run says of its data before it begins, and that they are still those it began with."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from xmrc_jax.data import defects, mixing
from xmrc_jax.data.squad import Corpus
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import read_object
from xmrc_jax.recipe import settings
from xmrc_jax.recipe.inputs import Inputs


def read(inputs: Inputs) -> Iterator[str]:
    """Lines on what is read, on what of it is dropped or mended, and on what is mixed."""
    for name, split in inputs.splits.items():
        source = '' if name == split.corpora[0].name else f' of {_named(split.corpora)}'
        counts = f'{len(split.questions)} questions, {len(split.windows)} windows'
        yield f'{name}: {counts}{source}{_crossed(split.corpora)}'
        for corpus in split.corpora:
            yield from defects.lines(corpus)
    if inputs.train_drops_unanswerable:
        yield 'train: nothing is learnt from those; data.without_gold=first_token does'
    if inputs.mixes:
        yield mixing.line(inputs.train.questions, inputs.trained_on)


def learns_phrases(run: settings.Run) -> bool:
    """Whether a step of the run learns from phrases."""
    recovers = 'calibrate' in run.recipe and run.calibrate.start == 'phrases'
    return recovers or 'lakm' in run.recipe


def phrases(inputs: Inputs) -> str:
    """A line on the phrases that are learnt from."""
    known = inputs.phrases.summary
    counts = sum(known['phrases'].values()), sum(known['texts'].values())
    dropped = ''.join(f', {each["count"]} {why}' for why, each in known['dropped'].items())
    return 'phrases: {} in {} texts of {}{}'.format(*counts, known['source'], dropped)


def contents(run: settings.Run, inputs: Inputs) -> dict[str, str]:
    """Content hashes of all that a run reads, by its name; the tokenizer is part of each."""
    own = {name: split.windows.key for name, split in inputs.splits.items()}
    return own | ({'phrases': inputs.phrases.key} if learns_phrases(run) else {})


def check_contents(manifest: Path, now: Mapping[str, str]) -> None:
    """Refuse to go on with a run that would read something else than it began with.

    Args:
      manifest: of the run, if it has begun; an earlier version's does not say what was read.
      now: what ``contents`` gives.

    Raises:
      UserError: names what has changed.
    """
    before = read_object(manifest).get('contents', {})
    if changed := [name for name in before if now.get(name, before[name]) != before[name]]:
        raise UserError(
            f'{manifest}: the text of {", ".join(changed)}, or the tokenizer, is no longer what '
            'this run began with; restore it, or choose another --workdir'
        )


def _named(corpora: Sequence[Corpus]) -> str:
    more = f' and {len(corpora) - 1} more' if len(corpora) > 1 else ''
    return corpora[0].name + more


def _crossed(corpora: Sequence[Corpus]) -> str:
    """Which languages meet, where they are two."""
    pairs = dict.fromkeys((each.question_language, each.context_language) for each in corpora)
    return ''.join(f', questions in {q} on passages in {c}' for q, c in pairs if q != c)
