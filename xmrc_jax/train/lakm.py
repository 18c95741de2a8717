"""What a reader minimises that learns whole phrases beside: eq. 3, or the loss of masked tokens."""

import jax
import jax.numpy as jnp

from xmrc_jax.data.masking import MaskedBatch
from xmrc_jax.model import lm_head, reader
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.train.objective import Probability, base_objective
from xmrc_jax.train.step import Objective, Outcome
from xmrc_jax.train.vocabulary import table


def lakm_objective(encoder: EncoderConfig, weight: float, probability: Probability) -> Objective:
    """Eq. 3 on a batch of questions; on one of masked windows ``weight`` times their own loss.

    The parameters hold the head ``lm`` beside the reader. Logits are those of the rows of the
    reader's token table, which in training are the used ones alone.

    Reference: Yuan et al. 2020, whose batches and weights are not known.
    """
    answers = base_objective(encoder, probability)

    def objective(params, batch, step, key):
        if not isinstance(batch, MaskedBatch):
            return answers(params, batch, step, key)
        windows = batch.ids_BL, batch.length_B, batch.passage_B2
        beside = batch.token_GRP, None, batch.language_B2
        hidden_BLD = reader.apply(params['reader'], encoder, *windows, key, *beside).hidden_BLD
        masked_B = masked_loss(params, encoder, hidden_BLD, batch)
        return Outcome(weight * masked_B, {'masked_loss': (masked_B, batch.real_B)}, {})

    return objective


def masked_loss(
    params: dict, encoder: EncoderConfig, hidden_BLD: jax.Array, batch: MaskedBatch
) -> jax.Array:
    """Mean cross entropy of the masked tokens of each window, 0 without any: float32 [B]."""
    place_BZ1 = jnp.maximum(batch.masked_BZ, 0)[..., None]
    hidden_BZD = jnp.take_along_axis(hidden_BLD, place_BZ1, axis=1)
    table_UD = table(params['reader'])
    logits_BZU = lm_head.apply(params['lm'], encoder, hidden_BZD, table_UD)
    log_p_BZU = jax.nn.log_softmax(logits_BZU)
    log_p_BZ = jnp.take_along_axis(log_p_BZU, batch.target_BZ[..., None], axis=2)[..., 0]
    masked_BZ = batch.masked_BZ >= 0
    count_B = jnp.maximum(masked_BZ.sum(axis=1), 1)
    return -jnp.where(masked_BZ, log_p_BZ, 0.0).sum(axis=1) / count_B
