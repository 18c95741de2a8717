"""Does a reader read the question? Its gold loss with the true questions, and with others.

A reader that has not learnt to read yet finds answers of the kind that passages are asked for, and
loses next to nothing when each passage is asked another one's question. Its scores compare nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from xmrc_jax.data.batches import Batch, Batches
from xmrc_jax.data.squad import Question
from xmrc_jax.data.windows import Windows
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.train import sharding
from xmrc_jax.train.objective import Probability, base_objective

QUESTIONS = 256  # at most: a probe, not a score
LEAST = 1.0  # nats by which the loss of a reader that reads grows, by far


class Reads(NamedTuple):
    """Gold loss, eq. 3 in nats, with the true and with swapped questions."""

    true: float
    swapped: float

    @property
    def ignores_questions(self) -> bool:
        return self.swapped - self.true < LEAST

    def __str__(self) -> str:
        return f'gold loss {self.true:.2f}, with swapped questions {self.swapped:.2f}'

    def said(self, reader: str, corpus: str) -> Iterator[str]:
        """Lines on a reader that was probed on a corpus."""
        yield f'{reader}: {self} ({corpus})'
        if self.ignores_questions:
            yield (
                f'{reader}: warning: answers much the same whatever is asked, so its scores '
                'compare nothing; train it longer or on more questions'
            )


def swapped(questions: Sequence[Question]) -> list[Question]:
    """Each passage with the text of the question half the set further, which is another passage's.

    Unless one passage has more than half of the questions.
    """
    half = len(questions) // 2
    texts = [question.text for question in (*questions[half:], *questions[:half])]
    return [replace(each, text=text) for each, text in zip(questions, texts, strict=True)]


@dataclass(frozen=True)
class Probe:
    """Probes readers of one encoder on one mesh, as eq. 2 is read."""

    encoder: EncoderConfig
    mesh: Mesh
    probability: Probability
    batch_size: int

    def __call__(self, params: dict, true: Windows, swapped: Windows) -> Reads:
        """Both losses: of the windows of questions, and of the same after ``swapped``."""
        return Reads(self.loss(params, true), self.loss(params, swapped))

    def loss(self, params: dict, windows: Windows) -> float:
        """Mean of eq. 3 without dropout over the windows that hold their gold.

        Raises:
          UserError: none does.
        """
        size = self.batch_size
        batches = Batches(windows, batch_size=size, max_tokens=int(windows.length_W.max()), seed=0)
        share = sharding.Share(self.mesh, size)
        loss, count = 0.0, 0
        for step in range(batches.steps(1)):
            batch = share.put(batches.batch_at(step, share.rows))
            found = _total(params, batch, self.encoder, self.probability)
            loss, count = loss + float(found[0]), count + int(found[1])
        return loss / count


@partial(jax.jit, static_argnames=('encoder', 'probability'))
def _total(
    params: dict, batch: Batch, encoder: EncoderConfig, probability: Probability
) -> tuple[jax.Array, jax.Array]:
    """Sum of eq. 3 over the real rows of a batch, and their number."""
    loss_B = base_objective(encoder, probability)({'reader': params}, batch, 0, None).loss_B
    return jnp.sum(jnp.where(batch.real_B, loss_B, 0.0)), jnp.sum(batch.real_B)
