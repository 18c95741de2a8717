"""What a student minimises: eq. 3 and the distance from its teachers' distributions."""

from dataclasses import dataclass

import jax.numpy as jnp

from xmrc_jax.answers.distillation import COEFFICIENTS, coefficients, distillation_loss
from xmrc_jax.ground.values import leaf
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.train.objective import Probability, gold_loss, read
from xmrc_jax.train.step import Objective, Outcome


@dataclass(frozen=True)
class Imitation:
    """How a student learns from teachers."""

    temperature: float = leaf(before=2.0, above=0)
    weight: float = leaf(before=0.5, at_least=0, at_most=1)
    coefficient: str = leaf(before='uniform', one_of=COEFFICIENTS)


def distil_objective(
    encoder: EncoderConfig, imitation: Imitation, probability: Probability
) -> Objective:
    """(1 - weight) eq. 3 + weight T^2 KL to the teachers, see ``answers.distillation``.

    Its batches hold ``teacher_BLY2``.
    """

    def objective(params, batch, step, key):
        reading = read(params, encoder, batch, key)
        mask_BL = probability.mask(batch)
        gold_B = gold_loss(reading, mask_BL, batch)
        coefficient_BY = coefficients(
            imitation.coefficient, batch.teacher_BLY2, mask_BL, batch.gold_B2
        )
        both = reading.start_logits_BL, reading.end_logits_BL, mask_BL
        soft_B = distillation_loss(*both, batch.teacher_BLY2, coefficient_BY, imitation.temperature)
        averages = {
            'gold_loss': (gold_B, batch.real_B),
            'soft_loss': (soft_B, batch.real_B),
            'coefficient': (jnp.mean(coefficient_BY, axis=1), batch.real_B),
        }
        loss_B = (1 - imitation.weight) * gold_B + imitation.weight * soft_B
        return Outcome(loss_B, averages, {})

    return objective
