"""The mined set of a run: the base reader's n-best of every training question, and Z from it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from xmrc_jax.answers import candidates
from xmrc_jax.answers.candidates import PLACES
from xmrc_jax.answers.parts import Binding
from xmrc_jax.data import mixing
from xmrc_jax.data.windows import Windows
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.values import leaf
from xmrc_jax.processes import agreement, identity
from xmrc_jax.recipe.ask import Ask
from xmrc_jax.recipe.inputs import Inputs, Split
from xmrc_jax.recipe.store import Store
from xmrc_jax.train.fingerprint import binding

# What has a Z of its own, as a number for every window.
SCOPES = {
    'question': lambda windows: windows.question_W,
    'window': lambda windows: np.arange(len(windows), dtype=np.int32),
}


@dataclass(frozen=True)
class MineOptions:
    """How Z is mined and put together.

    Raises:
      UserError: fewer answers to be mined than Z has.
    """

    candidates: int = leaf(at_least=1)
    n_best: int = leaf(at_least=0)
    folds: int = leaf(at_least=1)
    gold_slot: str = leaf(late=True, one_of=PLACES)
    scope: str = leaf(one_of=SCOPES)
    block: int = leaf(at_least=1)

    def __post_init__(self):
        if 0 < self.n_best < self.candidates:
            raise UserError(
                f'mine.n_best={self.n_best}: Z is made of these, and has '
                f'mine.candidates={self.candidates}'
            )


class Part(NamedTuple):
    """Training questions that one reader answers, and the folder of its answers."""

    folder: Path
    reader: str
    split: Split


@dataclass(frozen=True)
class MinedSet:
    """Mines and reads Z.

    With one fold the base reader answers the questions it was trained on, as in the paper. With
    more, each fold is answered by a reader that was trained on the others.
    """

    options: MineOptions
    seed: int  # of the folds
    inputs: Inputs
    ask: Ask
    store: Callable[[str], Store]  # of a reader's name
    fit_base: Callable[[str, Split], None]  # trains a reader of that name on a split with eq. 3
    workdir: Path  # holds ``candidates/``, or ``candidates/{fold}/``

    def mine(self) -> None:
        """Answer every training question that has no answers yet."""
        for part in self._parts:
            if part.reader in self.learnt:
                self.fit_base(part.reader, self.learnt[part.reader])
            self._mine(part)

    @cached_property
    def learnt(self) -> dict[str, Split]:
        """Of each fold's reader the other folds, which it is trained on; of the base reader none.

        Raises:
          UserError: fewer passages than folds.
        """
        train, folds = self.inputs.train, self.options.folds if self.options.folds > 1 else 0
        others = (self.inputs.part(train, self._fold_Q != fold) for fold in range(folds))
        return {f'folds/{fold}': split for fold, split in enumerate(others)}

    def of_windows(self) -> tuple[np.ndarray, np.ndarray]:
        """Z of every training window: spans_WK2 and valid_WK, see ``candidates.join``.

        Where training uses several gold answers the windows of each follow on axis W.
        """
        split = self.inputs.train
        windows = self._numbered(split)
        mined = self._all(windows)
        spans, valid = [], []
        for turn in (split, *split.others):
            chars_UK2 = candidates.membership(
                mined,
                _gold_U2(turn, windows),
                k=self.options.candidates,
                place=self.options.gold_slot,
            )
            spans_WK2, valid_WK = candidates.join(chars_UK2, windows)
            spans.append(spans_WK2)
            valid.append(valid_WK)
        return np.concatenate(spans), np.concatenate(valid)

    def marked(self) -> Windows:
        """The training windows, each with the best mined answer marked."""
        windows = self._numbered(self.inputs.train)
        mark_W2 = windows.marked(self._all(windows)[:, 0]).mark_W2
        return replace(self.inputs.train.windows, mark_W2=mark_W2)

    def _all(self, windows: Windows) -> np.ndarray:
        """``chars_QK2`` of what was mined, by the units of the numbered windows."""
        fold_U = np.zeros(_units(windows), np.int32)
        fold_U[windows.question_W] = self._fold_Q[self.inputs.train.windows.question_W]
        return candidates.merge([self._read(part) for part in self._parts], fold_U)

    def _mine(self, part: Part) -> None:
        windows, k = self._numbered(part.split), self.options.n_best or self.options.candidates
        params, name = self.store(part.reader).reported(), part.folder.relative_to(self.workdir)
        place = part.folder, self._binding(params, part)
        if not keep(self.ask, params, windows, *place, k=k, block=self.options.block, label=name):
            print(f'{name}: done', flush=True)

    def _read(self, part: Part) -> np.ndarray:
        params = self.store(part.reader).reported()
        return candidates.read(part.folder, self._binding(params, part))

    def _binding(self, params: dict, part: Part) -> Binding:
        return binding(params, self.inputs.tokenizer, part.split.windows)

    def _numbered(self, split: Split) -> Windows:
        """The windows, numbered by the units (U) that have a Z: questions, or single windows."""
        return replace(split.windows, question_W=SCOPES[self.options.scope](split.windows))

    @cached_property
    def _fold_Q(self) -> np.ndarray:
        """The fold of every training question; a passage and its translations lie in one fold."""
        passages = mixing.originals(self.inputs.train.questions)
        return candidates.folds(len(passages), self.options.folds, self.seed, passages)

    @cached_property
    def _parts(self) -> list[Part]:
        train, folder, folds = self.inputs.train, self.workdir / 'candidates', self.options.folds
        if folds == 1:
            return [Part(folder, 'base', train)]
        own = (self.inputs.part(train, self._fold_Q == fold) for fold in range(folds))
        return [Part(folder / str(n), f'folds/{n}', each) for n, each in enumerate(own)]


def keep(
    ask: Ask,
    params: dict,
    windows: Windows,
    folder: Path,
    bound: Binding,
    *,
    k: int,
    block: int,
    label: str | Path,
) -> int:
    """Keep a reader's k best answers to each question of some windows, a block to a part.

    Returns:
      How many parts there still were to be made.

    Raises:
      UserError: as ``candidates.Mining``.
    """
    with agreement.first_turn():
        mining = candidates.Mining(folder, bound, questions=_units(windows), k=k, block=block)
    unmined = agreement.decided([rows.start for rows in mining.missing()])
    missing = [rows for rows in mining.blocks if rows.start in unmined]
    for number, rows in enumerate(missing, 1):
        own, part = windows.of_questions(rows), f'{label}: part {number} of {len(missing)}'
        nbest = ask(params, own, rows.stop - rows.start, part, k)
        if identity.is_first():
            mining.write(rows, nbest.chars_QK2)
    agreement.barrier()
    return len(missing)


def _units(windows: Windows) -> int:
    return int(windows.question_W[-1]) + 1


def _gold_U2(split: Split, windows: Windows) -> np.ndarray:
    """The characters of every unit's gold answer: those that its tokens say, where a window has it;
    (-1, -1) where there is none.

    So a gold that ends inside a token, or with a character that the tokenizer drops, is found among
    the mined answers and in the windows.
    """
    golds = (question.answers[:1] for question in split.questions)
    gold_Q2 = np.array(
        [(own[0].start, own[0].start + len(own[0].text)) if own else (-1, -1) for own in golds]
    )
    gold_U2, unit_W = np.zeros((_units(windows), 2), np.int32), windows.question_W
    gold_U2[unit_W] = gold_Q2[split.windows.question_W]
    said_W2 = split.windows.gold_chars_W2
    held_W = said_W2[:, 0] >= 0
    gold_U2[unit_W[held_W]] = said_W2[held_W]
    return gold_U2
