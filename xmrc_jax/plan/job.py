"""What is compiled: a training without text, and what each of its stages trains on what."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import jax
import numpy as np
from jax.sharding import Mesh

from xmrc_jax.data.batches import Batches
from xmrc_jax.data.masking import Masking
from xmrc_jax.data.windows import Windows
from xmrc_jax.model import lm_head, reader
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.model.marks import marked
from xmrc_jax.model.tuning import ALL, Tuning
from xmrc_jax.recipe.lakm import LakmOptions
from xmrc_jax.train import sharding
from xmrc_jax.train.distil import Imitation, distil_objective
from xmrc_jax.train.lakm import lakm_objective
from xmrc_jax.train.objective import base_objective
from xmrc_jax.train.optimizer import OptimizerConfig
from xmrc_jax.train.regularisation import Regularisation, regularised_objective
from xmrc_jax.train.step import Objective
from xmrc_jax.train.two_stage import Method, two_stage_objective


@dataclass(frozen=True)
class Job:
    """What is compiled."""

    encoder: EncoderConfig
    optimizer: OptimizerConfig
    regularisation: Regularisation
    method: Method
    imitation: Imitation
    lakm: LakmOptions
    candidates: int  # |Z|
    teachers: int  # of a window
    max_answer_tokens: int
    batch_size: int  # global
    max_tokens: int  # of a window
    mean_tokens: int  # real ones of a training window; all are taken to be as long
    used_rows: int  # of the token table; the others are not trained
    tuning: Tuning = ALL  # what is frozen, and the rank of adapters
    accumulate: int = 1  # parts of a batch, one after the other
    data: int = -1  # the mesh, as ``sharding.make_mesh`` takes it
    fsdp: int = 1
    model: int = 1

    def mesh(self, devices: Sequence[jax.Device]) -> Mesh:
        return sharding.make_mesh(self.data, self.fsdp, self.model, devices)


def windows_of(count: int, tokens: int) -> Windows:
    """As many windows of so many real tokens, of a question each."""
    ones_W = np.ones((count, 1), np.int32)
    return Windows(
        ids_T=np.full(tokens, 5, np.int32),
        chars_T2=np.tile(np.int32([0, 1]), (tokens, 1)),
        bounds_W2=ones_W * np.int64([0, tokens]),
        question_W2=ones_W * np.int32([1, 2]),
        passage_W2=ones_W * np.int32([2, tokens]),
        gold_W2=ones_W * np.int32([2, 2]),
        question_W=np.arange(count, dtype=np.int32),
        repeats_C3=np.zeros((0, 3), np.int32),
        pad_id=0,
        key='',
    )


def batches(job: Job, windows: int, stage: str) -> Batches | Masking:
    """Batches as the stage has them, of windows without text; of two tasks those of the second."""
    K, tokens = job.candidates, job.mean_tokens
    mined = np.zeros((windows, K, 2), np.int32), np.ones((windows, K), bool)
    cut = windows_of(windows, tokens)
    shape = {'batch_size': job.batch_size, 'max_tokens': job.max_tokens, 'seed': 0}
    if stage == 'lakm':
        phrases = [np.array([[0, 1]])] * windows
        return Masking(cut, phrases, share=job.lakm.share, mask_id=4, **shape)
    said = np.zeros((windows, tokens, job.teachers, 2), np.float16) if stage == 'distil' else None
    return Batches(
        replace(cut, mark_W2=cut.gold_W2) if stage == 'calibrate' else cut,
        candidates=mined if stage == 'two_stage' else None,
        targets=said,
        **shape,
    )


# The objective of a stage, given the job, the encoder in training and the number of steps.
STAGES = {
    'base': lambda job, encoder, steps: regularised_objective(
        encoder, job.regularisation, job.method.normalisation
    ),
    'two_stage': lambda job, encoder, steps: two_stage_objective(
        encoder, job.method, steps, job.max_answer_tokens
    ),
    'distil': lambda job, encoder, steps: distil_objective(
        encoder, job.imitation, job.method.normalisation
    ),
    'calibrate': lambda job, encoder, steps: base_objective(encoder, job.method.normalisation),
    'lakm': lambda job, encoder, steps: lakm_objective(  # of the masked; others are base's
        encoder, job.lakm.weight, job.method.normalisation
    ),
}


def trained(job: Job, stage: str, encoder: EncoderConfig, steps: int) -> tuple[dict, Objective]:
    """Shapes of what a stage of so many steps trains, and its objective; ``encoder`` has the rows
    in use alone."""
    params = {'reader': reader.abstract(encoder)}
    if stage == 'two_stage':
        params |= jax.eval_shape(partial(job.method.hard.initial_slots, job.candidates))
    elif stage == 'calibrate':
        params['reader'] = jax.eval_shape(marked, params['reader'])
    elif stage == 'lakm':
        params['lm'] = jax.eval_shape(partial(lm_head.init, encoder), jax.random.key(0))
    params |= jax.eval_shape(lambda: job.tuning.adapters(encoder, 0))
    encoder = replace(job.tuning.encoder(encoder), accumulate=job.accumulate)
    return params, STAGES[stage](job, encoder, steps)
