"""What a run reads: from names to questions, windows, tokenizer, encoder and pretrained weights."""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from xmrc_jax.data import corpora, defects, encyclopedia, mixing, phrases
from xmrc_jax.data.audit import audit
from xmrc_jax.data.batches import WITHOUT_GOLD
from xmrc_jax.data.golds import in_turn
from xmrc_jax.data.overlap import shared
from xmrc_jax.data.squad import Corpus, Question
from xmrc_jax.data.tokenizer import load_tokenizer, vocabulary_of
from xmrc_jax.data.windows import Windows, WindowSize, build
from xmrc_jax.evaluate import records
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import replacing
from xmrc_jax.ground.values import leaf, part
from xmrc_jax.model import reader, weights
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.recipe.encoders import ModelOptions, fed_by
from xmrc_jax.recipe.surroundings import commit, hardware, software


@dataclass(frozen=True)
class DataOptions:
    """Which corpora are read, how much of them, and how they are cut and drawn."""

    root: str = leaf(where=True)
    cache: str = leaf(where=True)
    strict: bool
    max_dropped: float = leaf(where=True, before=0.5, at_least=0, at_most=1)
    train: tuple[str, ...]
    dev: str
    dev_may_overlap: bool
    train_may_overlap: bool = leaf(before=False)
    tests: tuple[str, ...]
    mix: str = leaf(before='none', one_of=mixing.MIXES)
    sampling_temperature: float = leaf(above=0)
    encyclopedia: encyclopedia.Passages
    max_train_questions: int = leaf(at_least=0)
    max_test_questions: int = leaf(at_least=0)
    size: WindowSize = part()
    without_gold: str = leaf(one_of=WITHOUT_GOLD)
    golds: str = leaf(before='first', one_of=('first', 'all'))
    phrases: str = leaf(late=True, before='')

    def __post_init__(self):
        if self.mix != 'none' and self.sampling_temperature != 1:
            raise UserError(
                f'data.sampling_temperature={self.sampling_temperature:g}: must be 1 with '
                f'data.mix={self.mix}, where an epoch takes every passage once'
            )


class Split(NamedTuple):
    """Questions of one or several corpora and their windows.

    ``others`` are the same, each with another gold answer of the questions in the first place,
    where training uses them all.
    """

    corpora: tuple[Corpus, ...]
    questions: tuple[Question, ...]
    windows: Windows
    others: tuple['Split', ...] = ()


class Inputs:
    """Everything a run reads, each part loaded when first asked for.

    Args:
      data: which corpora.
      model: which encoder.
      seed: of the run.
      workdir: receives what is made on the spot: embedded corpus and trained tokenizer.

    Attributes:
      cache: folder of tokenised windows and downloads.
    """

    def __init__(self, data: DataOptions, model: ModelOptions, seed: int, workdir: Path):
        self._data, self._model, self._seed, self._workdir = data, model, seed, workdir
        root = data.root or os.environ.get('XMRC_DATA', '')
        self._root = Path(root).expanduser() if root else None
        self._loaded: dict[str, Corpus] = {}
        self.cache = Path(data.cache or corpora.CACHE).expanduser()

    @property
    def train_corpora(self) -> tuple[Corpus, ...]:
        """What is trained on, whatever share of it."""
        return tuple(map(self._load, self._data.train))

    @property
    def dev_corpora(self) -> tuple[Corpus, ...]:
        """What checkpoints are selected on; none or one."""
        return tuple(map(self._load, filter(None, [self._data.dev])))

    @property
    def _test_corpora(self) -> tuple[Corpus, ...]:
        found = tuple(map(self._load, self._data.tests))
        records.check_apart(found)
        return found

    @cached_property
    def trained_on(self) -> tuple[Question, ...]:
        """The questions of ``train``, before their languages are mixed."""
        return self._share(self.train_corpora, self._data.max_train_questions)

    @cached_property
    def train(self) -> Split:
        read, data = self.train_corpora, self._data
        questions = mixing.mixed(self.trained_on, read, data.mix)
        return self._with_golds(Split(read, questions, self.windows(questions)))

    @cached_property
    def dev(self) -> Split | None:
        read = self.dev_corpora
        return self._split(read) if read else None

    @cached_property
    def tests(self) -> tuple[Split, ...]:
        return tuple(self._split((corpus,)) for corpus in self._test_corpora)

    @property
    def train_drops_unanswerable(self) -> bool:
        """Whether there are questions without an answer that nothing is learnt from."""
        some = any(corpus.unanswerable for corpus in self.train_corpora)
        return some and self._data.without_gold == 'drop'

    @property
    def mixes(self) -> bool:
        """Whether training questions are asked of passages in other languages."""
        return self._data.mix != 'none'

    @cached_property
    def phrases(self) -> phrases.Phrases:
        """Texts with phrases: of a file, or the training passages; none of a test set."""
        file = self._data.phrases
        found = phrases.read(Path(file).expanduser()) if file else phrases.found(self.trained_on)
        return phrases.without(found, _questions(self._test_corpora))

    @cached_property
    def shared_with_dev(self) -> dict[str, str]:
        """What the dev set shares with each test set that it overlaps, in words."""
        return shared(self.dev_corpora, self._test_corpora)

    @cached_property
    def shared_with_train(self) -> dict[str, str]:
        """What the training sets share with each test set that they overlap, in words."""
        return shared(self.train_corpora, self._test_corpora)

    def test_questions(self) -> Iterator[tuple[Corpus, tuple[Question, ...]]]:
        """Each test set and the questions asked of it, without their windows."""
        for corpus in self._test_corpora:
            yield corpus, self._share((corpus,), self._data.max_test_questions)

    @property
    def splits(self) -> dict[str, Split]:
        """Everything that is read: ``train``, ``dev`` and each test set by its name."""
        dev = {'dev': self.dev} if self.dev else {}
        return {'train': self.train} | dev | {each.corpora[0].name: each for each in self.tests}

    def part(self, split: Split, chosen_Q: np.ndarray) -> Split:
        """The chosen questions of a split, with windows of their own."""
        questions = tuple(split.questions[index] for index in np.flatnonzero(chosen_Q))
        return self._with_golds(Split(split.corpora, questions, self.windows(questions)))

    @cached_property
    def tokenizer(self):
        source = self._model.tokenizer_source
        if not source:
            raise UserError("model.tokenizer is empty: with a random start name one, or 'train'")
        if source != 'train':
            return load_tokenizer(source)
        folder = self._workdir / 'tokenizer'
        if not folder.exists():
            with replacing(folder) as part:
                encyclopedia.train_tokenizer(_questions(self.train_corpora), part)
        return load_tokenizer(folder)

    @cached_property
    def encoder(self) -> EncoderConfig:
        cfg = self._model.encoder
        most, tokens = cfg.positions - cfg.first_position, self._data.size.max_tokens
        if tokens > most:
            raise UserError(
                f'data.max_tokens={tokens}: this encoder takes windows of at most {most} tokens'
            )
        if not self._model.source:  # a random start has as many rows as there are tokens
            cfg = dataclasses.replace(cfg, vocabulary=vocabulary_of(self.tokenizer))
        return fed_by(self.tokenizer, cfg)

    def pretrained(self) -> dict:
        """Where every stage starts: the pretrained encoder, its span head fresh if it has none."""
        key, source = jax.random.key(self._seed), self._model.source
        if not source:
            return reader.init(self.encoder, key)
        return weights.load(source, self.encoder, reader.head(self.encoder, key))

    @cached_property
    def lm_head(self) -> dict | None:
        """The language model's head of the pretrained encoder; None where it has none."""
        source = self._model.source
        return weights.load_lm_head(source, self.encoder) if source else None

    def windows(self, questions: Sequence[Question]) -> Windows:
        return build(questions, self.tokenizer, self._data.size, cache=self.cache)

    def windows_of_texts(self, questions: Sequence[Question]) -> Windows:
        """Windows of the texts of ``phrases``, in whose name errors are raised."""
        try:
            return self.windows(questions)
        except UserError as error:
            raise UserError(f'{self.phrases.source}: {error}') from None

    def manifest(self, max_answer_tokens: int) -> dict:
        """What was read, for the record: corpora and where they lay, alignment of their answers,
        software and hardware.

        Args:
          max_answer_tokens: of a reader's answers.
        """
        own = self.tokenizer, self._data.size, max_answer_tokens
        mixed = {'mix': mixing.summary(self.train.questions, self.trained_on)} if self.mixes else {}
        return mixed | {
            'corpora': corpora.manifest(
                corpus for split in self.splits.values() for corpus in split.corpora
            ),
            'alignment': {
                name: audit(split.questions, split.windows, *own)
                for name, split in self.splits.items()
            },
            'software': software(),
            'commit': commit(),
            'hardware': hardware(),
            'root': str(self._root.absolute()) if self._root else '',
        }

    def keep_tokenizer(self) -> None:
        """Write the tokenizer into the working folder, unless it is there."""
        folder = self._workdir / 'tokenizer'
        if not folder.exists():
            with replacing(folder) as part:
                self.tokenizer.save_pretrained(part)

    @cached_property
    def _embedded(self) -> Path:
        """The folder of the embedded corpus, written now."""
        folder = self._workdir / 'corpora'
        encyclopedia.write(folder, self._data.encyclopedia, seed=self._seed)
        return folder

    def _load(self, name: str) -> Corpus:
        if name not in self._loaded:
            root = self._embedded if name.startswith('encyclopedia/') else self._root
            strict = self._data.strict
            corpus = corpora.load(name, root=root, cache=self.cache, strict=strict)
            if original := corpora.original(name):
                corpus = corpora.joined(corpus, self._load(original), strict)
            defects.check(corpus, self._data.max_dropped)
            self._loaded[name] = corpus
        return self._loaded[name]

    def _split(self, read: tuple[Corpus, ...]) -> Split:
        questions = self._share(read, self._data.max_test_questions)
        return Split(read, questions, self.windows(questions))

    def _with_golds(self, split: Split) -> Split:
        """The split with what ``data.golds`` asks for."""
        if self._data.golds == 'first':
            return split
        _, *turns = in_turn(split.questions)
        others = (Split(split.corpora, turn, self.windows(turn)) for turn in turns)
        return split._replace(others=tuple(others))

    def _share(self, read: tuple[Corpus, ...], most: int) -> tuple[Question, ...]:
        questions = tuple(_questions(read))
        if 0 < most < len(questions):
            random = np.random.default_rng(self._seed)
            chosen = np.sort(random.choice(len(questions), most, replace=False))
            questions = tuple(questions[index] for index in chosen)
        return questions


def _questions(corpora: Iterable[Corpus]) -> Iterator[Question]:
    return (question for corpus in corpora for question in corpus.questions)
