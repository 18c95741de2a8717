"""What a reader minimises that learns from eq. 3 alone, with label smoothing and R-Drop."""

from dataclasses import dataclass

import jax

from xmrc_jax.answers.regularisation import distance, even_loss
from xmrc_jax.ground.values import leaf
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.train.objective import Probability, base_objective, gold_loss, read
from xmrc_jax.train.step import Objective, Outcome


@dataclass(frozen=True)
class Regularisation:
    """How much of each there is; see ``answers.regularisation``."""

    label_smoothing: float = leaf(before=0.0, at_least=0, below=1)
    r_drop: float = leaf(before=0.0, at_least=0)


def regularised_objective(
    encoder: EncoderConfig, regularisation: Regularisation, probability: Probability
) -> Objective:
    """``base_objective``, where nothing is to be added to it, else with what is.

    R-Drop reads every batch twice, with dropout drawn anew, takes the mean of both losses and adds
    ``r_drop`` times the distances between the two start and the two end distributions: Wu et al.
    2021, eq. 4, divided by two, whose alpha is twice this weight. Without dropout it adds nothing.
    """
    smoothing, weight = regularisation.label_smoothing, regularisation.r_drop
    if not (smoothing or weight):
        return base_objective(encoder, probability)

    def objective(params, batch, step, key):
        mask_BL, real_B = probability.mask(batch), batch.real_B
        keys = jax.random.split(key) if weight else [key]
        readings = [read(params, encoder, batch, each) for each in keys]
        gold_B = sum(gold_loss(each, mask_BL, batch) for each in readings) / len(readings)
        even_B = sum(even_loss(*each[:2], mask_BL) for each in readings) / len(readings)
        loss_B = (1 - smoothing) * gold_B + smoothing * even_B
        averages = {'gold_loss': (gold_B, real_B)}
        if weight:
            (start_BL, end_BL, _), (start_again_BL, end_again_BL, _) = readings
            apart_B = distance(start_BL, start_again_BL, mask_BL)
            apart_B += distance(end_BL, end_again_BL, mask_BL)
            loss_B += weight * apart_B
            averages['drop_loss'] = apart_B, real_B
        return Outcome(loss_B, averages, {})

    return objective
