"""Teachers, what they say of the training windows, and the student that learns from it.

After LBMRC (Liu et al. 2020): a language branch is the passages of one language with all questions
asked of them, and has a teacher of its own. Or the base reader is the only teacher, and the student
its like (self-distillation, Carrino et al. 2023). What teachers say is stored once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from xmrc_jax.answers.parts import Binding
from xmrc_jax.answers.soft_targets import BYTES, SoftTargets, Teaching
from xmrc_jax.ground.progress import progress
from xmrc_jax.ground.values import leaf, part
from xmrc_jax.processes import agreement, identity
from xmrc_jax.recipe.ask import Ask
from xmrc_jax.recipe.fit import Fit, Stage
from xmrc_jax.recipe.inputs import Inputs, Split
from xmrc_jax.recipe.store import Store
from xmrc_jax.train.distil import Imitation
from xmrc_jax.train.fingerprint import binding

TEACHERS = ('branch', 'branches', 'base')


@dataclass(frozen=True)
class DistilOptions:
    """Who teaches, how it is kept, and how the student learns from it."""

    teachers: str = leaf(before='branch', one_of=TEACHERS)
    block: int = leaf(before=4096, at_least=1)
    imitation: Imitation = part()


@dataclass(frozen=True)
class Teacher:
    """A reader, the split that it was trained on and the training windows that it is asked of."""

    reader: str
    own: Split
    asked: Split
    window_W: np.ndarray  # of the training windows the number among those asked; -1: not asked


@dataclass(frozen=True)
class Distillation:
    """Trains teachers and a student; ``soft_targets/{teacher}/`` holds what was said."""

    options: DistilOptions
    inputs: Inputs
    ask: Ask
    fit: Fit
    store: Callable[[str], Store]  # of a reader's name
    fit_base: Callable[[str, Split], None]  # trains a reader of that name on a split with eq. 3
    workdir: Path

    def teach(self) -> None:
        """Train the teachers and keep what they say, unless that is done."""
        size = sum(int(each.asked.windows.length_W.sum()) for each in self._teachers) * BYTES
        names = ', '.join(each.reader for each in self._teachers)
        print(f'soft targets: of {names}; {size / 1e6:,.1f} MB in {self.workdir}/soft_targets')
        if self.options.teachers != 'base' and len(self._teachers) == 1:
            print('soft targets: training passages are in one language, so there is one teacher')
        for teacher in self._teachers:
            if teacher.reader in self.learnt:
                self.fit_base(teacher.reader, teacher.own)
            self._keep(teacher)

    @property
    def learnt(self) -> dict[str, Split]:
        """What each teacher is trained on; of the base reader none."""
        alone = self.options.teachers == 'base'
        return {} if alone else {each.reader: each.own for each in self._teachers}

    def distil(self) -> None:
        """Fine-tune the pretrained encoder on the gold and on what the teachers say."""
        store = self.store('distil')
        if store.is_done():
            return
        own = self.inputs.train, 'distil', self.inputs.pretrained
        self.fit(store, Stage(*own, targets=self.targets()))

    def targets(self) -> Sequence[np.ndarray]:
        """What the teachers say of every training window: float16 [tokens, Y, 2].

        Raises:
          UserError: as ``SoftTargets``.
        """
        said = []
        for teacher in self._teachers:
            place = self._place(teacher, self.store(teacher.reader).reported())
            said.append((teacher.window_W, SoftTargets(*place, teacher.asked.windows)))
        return Targets(said)

    def _keep(self, teacher: Teacher) -> None:
        """Ask a teacher what was not asked before."""
        windows, params = teacher.asked.windows, self.store(teacher.reader).reported()
        place = self._place(teacher, params)
        with agreement.first_turn():
            teaching = Teaching(*place, windows, block=self.options.block)
        missing = agreement.decided([rows.start for rows in teaching.missing()])
        if not missing:
            return
        blocks = teaching.blocks
        with progress(blocks, teacher.reader, len(blocks), unit=' parts') as counted:
            for rows in counted:
                if rows.start in missing:
                    said = self.ask.boundaries(params, windows.of_questions(rows))
                    if identity.is_first():
                        teaching.write(rows, said)
        agreement.barrier()

    def _place(self, teacher: Teacher, params: dict) -> tuple[Path, Binding]:
        """Where a teacher's soft targets lie, and what they are bound to."""
        folder = self.workdir / 'soft_targets' / teacher.reader.rpartition('/')[2]
        return folder, binding(params, self.inputs.tokenizer, teacher.asked.windows)

    @cached_property
    def _teachers(self) -> list[Teacher]:
        """Those of the options, branches in the order of their passages' languages."""
        train = self.inputs.train
        everything = np.arange(len(train.windows))
        if self.options.teachers == 'base':
            return [Teacher('base', train, train, everything)]
        languages = [question.context_language for question in train.questions]
        teachers = []
        for language in dict.fromkeys(languages):
            own_Q = np.array([each == language for each in languages])
            branch = self.inputs.part(train, own_Q)
            own_W = own_Q[train.windows.question_W]
            window_W = np.where(own_W, np.cumsum(own_W) - 1, -1)
            asked = branch, window_W
            if self.options.teachers == 'branches':
                asked = train, everything
            teachers.append(Teacher(f'teachers/{language}', branch, *asked))
        return teachers


class Targets(Sequence):
    """Of every training window what those teachers say who were asked: float16 [tokens, Y, 2]."""

    def __init__(self, said: Sequence[tuple[np.ndarray, SoftTargets]]):
        self._said = said

    def __len__(self) -> int:
        return len(self._said[0][0])

    def __getitem__(self, window: int) -> np.ndarray:
        asked = [(window_W[window], each) for window_W, each in self._said]
        return np.stack([each[own] for own, each in asked if own >= 0], axis=1)
