"""The second pass: a reader that is told the base reader's answer and corrects where it lies.

After CalibreNet (Liang et al. 2021). It learns from mined answers to the training questions and,
before that, from phrases of plain text whose boundaries were moved. It is the control of a method
that reads once: two passes, twice the cost of an answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from xmrc_jax.answers import candidates
from xmrc_jax.data import recovery
from xmrc_jax.ground.values import leaf
from xmrc_jax.model.marks import marked
from xmrc_jax.recipe.ask import Ask
from xmrc_jax.recipe.fit import Fit, Stage
from xmrc_jax.recipe.inputs import Inputs, Split
from xmrc_jax.recipe.mining import MinedSet, keep
from xmrc_jax.recipe.store import Store
from xmrc_jax.train.fingerprint import binding

MARKED = ('recover', 'calibrate')  # readers with marks
STARTS = ('phrases', 'base', 'pretrained')


@dataclass(frozen=True)
class CalibrateOptions:
    """Where the second pass starts, and how phrases are spoilt for it."""

    start: str = leaf(before='phrases', one_of=STARTS)
    phrases_per_text: int = leaf(before=2, at_least=1)
    farthest: int = leaf(before=3, at_least=1)
    unmoved: float = leaf(before=0.2, at_least=0, at_most=1)


@dataclass(frozen=True)
class CalibreNet:
    """Trains the second pass, ``calibrate``, after ``recover`` where it starts from phrases."""

    options: CalibrateOptions
    seed: int
    inputs: Inputs
    ask: Ask
    fit: Fit
    store: Callable[[str], Store]  # of a reader's name; those of this file have marks
    mined: MinedSet
    dev_f1: Callable[[dict, Split], float]

    def train(self) -> None:
        """Train what is not trained yet."""
        if self.store('calibrate').is_done():
            return
        if self.options.start == 'phrases':
            self._recover()
        starts = {
            'phrases': lambda: self.store('recover').reported(),
            'base': lambda: marked(self.store('base').reported()),
            'pretrained': lambda: marked(self.inputs.pretrained()),
        }
        train, dev = self.inputs.train, self.inputs.dev
        split = train._replace(windows=self.mined.marked())
        dev = dev and self.second(dev)
        fit = replace(self.fit, dev_f1=(lambda params: self.dev_f1(params, dev)) if dev else None)
        fit(self.store('calibrate'), Stage(split, 'calibrate', starts[self.options.start]))

    def second(self, split: Split) -> Split:
        """A split as the second pass reads it, marked with the base reader's answers.

        It is asked for them once: they lie in ``first_pass/``, as mined sets do.
        """
        if (key := split.windows.key) not in self._answers:
            base, block = self.store('base').reported(), self.mined.options.block
            folder = self.mined.workdir / 'first_pass' / key[:16]
            bound = binding(base, self.inputs.tokenizer, split.windows)
            asked = self.ask, base, split.windows, folder, bound
            keep(*asked, k=1, block=block, label='first pass')
            self._answers[key] = candidates.read(folder, bound)[:, 0]
        return split._replace(windows=split.windows.marked(self._answers[key]))

    @cached_property
    def _answers(self) -> dict[str, np.ndarray]:
        """The base reader's answers to the questions of windows, by their key."""
        return {}

    @cached_property
    def learnt(self) -> dict[str, Split]:
        """Phrases with their boundaries moved, where the second pass starts from such."""
        options = self.options
        if options.start != 'phrases':
            return {}
        texts = self.inputs.phrases.texts
        questions = recovery.asked(texts, options.phrases_per_text, self.seed)
        spoilt = options.farthest, options.unmoved, self.seed
        windows = recovery.moved(self.inputs.windows_of_texts(questions), *spoilt)
        return {'recover': Split((), tuple(questions), windows)}

    def _recover(self) -> None:
        """Learn to restore the boundaries of phrases; no dev set says when to stop."""
        split, start = self.learnt['recover'], lambda: marked(self.inputs.pretrained())
        replace(self.fit, dev_f1=None)(self.store('recover'), Stage(split, 'calibrate', start))
