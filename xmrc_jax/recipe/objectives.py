"""What each kind of stage minimises in a run: one table, of training and of plans."""

from collections.abc import Callable

from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.recipe.settings import Run
from xmrc_jax.train.distil import distil_objective
from xmrc_jax.train.lakm import lakm_objective
from xmrc_jax.train.objective import base_objective
from xmrc_jax.train.regularisation import regularised_objective
from xmrc_jax.train.step import Objective
from xmrc_jax.train.two_stage import two_stage_objective

# Given the run, the encoder in training and the number of steps.
OBJECTIVES: dict[str, Callable[[Run, EncoderConfig, int], Objective]] = {
    'base': lambda run, encoder, steps: regularised_objective(
        encoder, run.train.regularisation, run.method.reading.normalisation
    ),
    'two_stage': lambda run, encoder, steps: two_stage_objective(
        encoder,
        run.method.reading,
        steps,
        run.evaluate.ask.max_answer_tokens,
        run.mine.gold_slot,
    ),
    'distil': lambda run, encoder, steps: distil_objective(
        encoder, run.distil.imitation, run.method.reading.normalisation
    ),
    'calibrate': lambda run, encoder, steps: base_objective(
        encoder, run.method.reading.normalisation
    ),
    'lakm': lambda run, encoder, steps: lakm_objective(
        encoder, run.lakm.weight, run.method.reading.normalisation
    ),
}
