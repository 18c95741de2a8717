"""What the base reader minimises: eq. 3; and how logits become probabilities, here and in eq. 9.

An objective is called by the one training step; everything happens on the device.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from xmrc_jax.answers import softmax, spans
from xmrc_jax.data.batches import Batch
from xmrc_jax.ground.values import leaf
from xmrc_jax.model import reader
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.model.reader import Reading
from xmrc_jax.train.step import Objective, Outcome

# Which positions share the probability of eq. 2, given all real tokens and those of the passage.
SOFTMAX_OVER = {
    'window': lambda real_BL, passage_BL: real_BL,
    'passage': lambda real_BL, passage_BL: passage_BL,
}


@dataclass(frozen=True)
class Probability:
    """How logits become the probability of a span, eq. 2."""

    softmax_over: str = leaf(late=False, one_of=SOFTMAX_OVER)  # the base reader's loss has it too
    probability: str = leaf(one_of=softmax.NORMALISERS)  # of candidates

    def mask(self, batch: Batch) -> jax.Array:
        """bool [B, L]: positions that share the probability of eq. 2.

        A window that is trained on its first token, for want of the gold, has that token among
        them.
        """
        length = batch.ids_BL.shape[1]
        passage_BL = spans.range_mask(batch.passage_B2, length)
        real_BL = jnp.arange(length)[None] < batch.length_B[:, None]
        mask_BL = SOFTMAX_OVER[self.softmax_over](real_BL, passage_BL)
        return mask_BL.at[:, 0].set(mask_BL[:, 0] | (batch.gold_B2[:, 0] == 0))


def read(params: dict, encoder: EncoderConfig, batch: Batch, key: jax.Array | None) -> Reading:
    """Logits and hidden vectors of a training batch."""
    windows = batch.ids_BL, batch.length_B, batch.passage_B2
    beside = batch.token_GRP, batch.mark_B2, batch.language_B2
    return reader.apply(params['reader'], encoder, *windows, key, *beside)


def gold_loss(reading: Reading, mask_BL: jax.Array, batch: Batch) -> jax.Array:
    """Eq. 3: float32 [B]."""
    gold_B12 = batch.gold_B2[:, None]
    start_logits_BL, end_logits_BL, _ = reading
    return -softmax.span_log_probs(start_logits_BL, end_logits_BL, mask_BL, gold_B12)[:, 0]


def base_objective(encoder: EncoderConfig, probability: Probability) -> Objective:
    """Cross entropy of the gold span: eq. 3, Chen et al. 2022."""

    def objective(params, batch, step, key):
        reading = read(params, encoder, batch, key)
        return Outcome(gold_loss(reading, probability.mask(batch), batch), {}, {})

    return objective
