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
from xmrc_jax.recipe.objectives import OBJECTIVES
from xmrc_jax.recipe.settings import Run
from xmrc_jax.train import sharding
from xmrc_jax.train.step import Objective


@dataclass(frozen=True)
class Job:
    """What is compiled: a run, but for what a plan may change of it or has to assume."""

    run: Run
    encoder: EncoderConfig
    batch_size: int  # global
    mean_tokens: int  # real ones of a training window; all are taken to be as long
    used_rows: int  # of the token table; the others are not trained
    accumulate: int  # parts of a batch, one after the other
    data: int  # the mesh, as ``sharding.make_mesh`` takes it
    fsdp: int
    model: int

    @property
    def teachers(self) -> int:
        """Of a window: one for each language of a passage, at most as many as corpora."""
        return len(self.run.data.train) if self.run.distil.teachers == 'branches' else 1

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
    K, tokens = job.run.mine.candidates, job.mean_tokens
    mined = np.zeros((windows, K, 2), np.int32), np.ones((windows, K), bool)
    cut = windows_of(windows, tokens)
    max_tokens = job.run.data.size.max_tokens
    shape = {'batch_size': job.batch_size, 'max_tokens': max_tokens, 'seed': 0}
    if stage == 'lakm':
        phrases = [np.array([[0, 1]])] * windows
        return Masking(cut, phrases, share=job.run.lakm.share, mask_id=4, **shape)
    said = np.zeros((windows, tokens, job.teachers, 2), np.float16) if stage == 'distil' else None
    return Batches(
        replace(cut, mark_W2=cut.gold_W2) if stage == 'calibrate' else cut,
        candidates=mined if stage == 'two_stage' else None,
        targets=said,
        **shape,
    )


def trained(job: Job, stage: str, encoder: EncoderConfig, steps: int) -> tuple[dict, Objective]:
    """Shapes of what a stage of so many steps trains, and its objective; ``encoder`` has the rows
    in use alone."""
    run, params = job.run, {'reader': reader.abstract(encoder)}
    if stage == 'two_stage':
        slots = partial(run.method.reading.hard.initial_slots, run.mine.candidates)
        params |= jax.eval_shape(slots)
    elif stage == 'calibrate':
        params['reader'] = jax.eval_shape(marked, params['reader'])
    elif stage == 'lakm':
        params['lm'] = jax.eval_shape(partial(lm_head.init, encoder), jax.random.key(0))
    tuning = run.train.tuning
    params |= jax.eval_shape(lambda: tuning.adapters(encoder, 0))
    encoder = replace(tuning.encoder(encoder), accumulate=job.accumulate)
    return params, OBJECTIVES[stage](run, encoder, steps)
