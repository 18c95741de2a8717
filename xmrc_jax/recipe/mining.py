"""The mined set of a run: the base reader's n-best of every training question, and Z from it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from xmrc_jax.answers import candidates
from xmrc_jax.data.windows import Windows, tokenizer_hash
from xmrc_jax.ground.choices import choose
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.values import leaf
from xmrc_jax.processes import agreement, identity
from xmrc_jax.recipe.ask import Ask
from xmrc_jax.recipe.inputs import Inputs, Split
from xmrc_jax.recipe.store import Store
from xmrc_jax.train.fingerprint import fingerprint

# What has a Z of its own, as a number for every window.
SCOPES = {
    'question': lambda windows: windows.question_W,
    'window': lambda windows: np.arange(len(windows), dtype=np.int32),
}


@dataclass(frozen=True)
class MineOptions:
    """How Z is mined and put together.

    Raises:
      UserError: an unknown choice, or fewer answers to be mined than Z has.
    """

    candidates: int
    n_best: int
    folds: int
    gold_slot: str = leaf(late=True)
    scope: str
    block: int

    def __post_init__(self):
        choose(SCOPES, self.scope, 'mine.scope')
        choose(candidates.PLACES, self.gold_slot, 'mine.gold_slot')
        if 0 < self.n_best < self.candidates:
            raise UserError(
                f'mine.n_best={self.n_best}: Z is made of these, and has '
                f'mine.candidates={self.candidates}'
            )


class MinedSet:
    """Mines and reads Z.

    With one fold the base reader answers the questions it was trained on, as in the paper. With
    more, each fold is answered by a reader that was trained on the others.

    Args:
      options: how.
      seed: of the folds.
      inputs: what the run reads.
      ask: of the run.
      store: a reader's store by its name.
      fit_base: trains a reader of that name on a split with eq. 3.
      workdir: holds ``candidates/``, or ``candidates/{fold}/``.
    """

    def __init__(
        self,
        options: MineOptions,
        seed: int,
        inputs: Inputs,
        ask: Ask,
        store: Callable[[str], Store],
        fit_base: Callable[[str, Split], None],
        workdir: Path,
    ):
        self._options, self._seed, self._inputs, self._ask = options, seed, inputs, ask
        self._store, self._fit_base, self._workdir = store, fit_base, workdir

    def mine(self) -> None:
        """Answer every training question that has no answers yet."""
        if self._options.folds == 1:
            self._mine('candidates', self._inputs.train, 'base')
            return
        for fold, (others, own) in enumerate(self._folds):
            self._fit_base(f'folds/{fold}', others)
            self._mine(f'candidates/{fold}', own, f'folds/{fold}')

    def of_windows(self) -> tuple[np.ndarray, np.ndarray]:
        """Z of every training window: spans_WK2 and valid_WK, see ``candidates.join``."""
        split = self._inputs.train
        if self._options.folds == 1:
            mined = self._read('candidates', split, 'base')
        else:
            mined = candidates.merge(
                [
                    self._read(f'candidates/{fold}', own, f'folds/{fold}')
                    for fold, (_, own) in enumerate(self._folds)
                ],
                self._fold_U,
            )
        windows = self._numbered(split)
        chars_UK2 = candidates.membership(
            mined.chars_QK2,
            _gold_U2(split, windows.question_W),
            k=self._options.candidates,
            place=self._options.gold_slot,
        )
        return candidates.join(chars_UK2, windows)

    def _mine(self, name: str, split: Split, system: str) -> None:
        params = self._store(system).reported()
        windows = self._numbered(split)
        k = self._options.n_best or self._options.candidates
        binding = self._binding(params, split)
        with agreement.first_turn():
            mining = candidates.Mining(
                self._workdir / name,
                binding,
                questions=int(windows.question_W[-1]) + 1,
                k=k,
                block=self._options.block,
            )
        unmined = agreement.decided([rows.start for rows in mining.missing()])
        missing = [rows for rows in mining.blocks if rows.start in unmined]
        for number, rows in enumerate(missing, 1):
            nbest = self._ask(
                params,
                windows.of_questions(rows),
                rows.stop - rows.start,
                f'{name}: part {number} of {len(missing)}',
                k,
            )
            if identity.is_first():
                mining.write(rows, candidates.from_logits(nbest.chars_QK2, nbest.logits_QK2))
        agreement.barrier()

    def _read(self, name: str, split: Split, system: str) -> candidates.Candidates:
        binding = self._binding(self._store(system).reported(), split)
        return candidates.read(self._workdir / name, binding)

    def _binding(self, params: dict, split: Split) -> candidates.Binding:
        return candidates.Binding(
            checkpoint=fingerprint(params),
            tokenizer=tokenizer_hash(self._inputs.tokenizer),
            text=split.windows.key,
        )

    def _numbered(self, split: Split) -> Windows:
        """The windows, numbered by the units (U) that have a Z: questions, or single windows."""
        return replace(split.windows, question_W=SCOPES[self._options.scope](split.windows))

    @cached_property
    def _fold_Q(self) -> np.ndarray:
        """The fold of every training question; a passage lies in one fold."""
        questions = self._inputs.train.questions
        passages = [question.passage for question in questions]
        return candidates.folds(len(questions), self._options.folds, self._seed, passages)

    @property
    def _fold_U(self) -> np.ndarray:
        windows = self._numbered(self._inputs.train)
        fold_U = np.zeros(int(windows.question_W[-1]) + 1, np.int32)
        fold_U[windows.question_W] = self._fold_Q[self._inputs.train.windows.question_W]
        return fold_U

    @cached_property
    def _folds(self) -> list[tuple[Split, Split]]:
        """For each fold, what the others hold and what it holds."""
        part, split = self._inputs.part, self._inputs.train
        return [
            (part(split, self._fold_Q != fold), part(split, self._fold_Q == fold))
            for fold in range(self._options.folds)
        ]


def _gold_U2(split: Split, unit_W: np.ndarray) -> np.ndarray:
    """The characters of every unit's gold answer: those that its tokens say, where a window has it.

    So a gold that ends inside a token, or with a character that the tokenizer drops, is found among
    the mined answers and in the windows.
    """
    golds = (question.answers[0] for question in split.questions)
    gold_Q2 = np.array([(gold.start, gold.start + len(gold.text)) for gold in golds])
    gold_U2 = np.zeros((unit_W[-1] + 1, 2), np.int32)
    gold_U2[unit_W] = gold_Q2[split.windows.question_W]
    said_W2 = split.windows.gold_chars_W2
    held_W = said_W2[:, 0] >= 0
    gold_U2[unit_W[held_W]] = said_W2[held_W]
    return gold_U2
