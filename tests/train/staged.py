"""Whole stages of training of a tiny reader, for the tests of what a stage trains and keeps."""

import jax
import numpy as np

from tests.train import made
from xmrc_jax.data.batches import Batches
from xmrc_jax.model import reader
from xmrc_jax.model.tuning import ALL
from xmrc_jax.train import parts, sharding
from xmrc_jax.train.loop import Training, train
from xmrc_jax.train.objective import base_objective
from xmrc_jax.train.two_stage import two_stage_objective

KEY = jax.random.key(0)
STEPS = 12
METHOD = made.method()
# Warm-up to step 4, the gradient clipped, and decay that no rounding hides: about
# 12 * 0.005 * 0.5 = 3 %. With this eps Adam does not blow up what is noise around zero.
ADAMW = made.optimizer(peak_lr=0.01, warmup=0.3, weight_decay=0.5, clip_norm=0.5, eps=1e-4)


class Stage:
    """One stage of training below a folder, with the rows of a vocabulary."""

    def __init__(self, encoder, stage, windows, mined, mesh=None, tuning=ALL):
        self.encoder, self.stage = encoder, stage
        self.windows, self.mined, self.tuning = windows, mined, tuning
        self.mesh = mesh or sharding.make_mesh()
        self.params = {'reader': reader.init(encoder, KEY)}
        if stage == 'two_stage':
            self.params |= METHOD.hard.initial_slots(made.CANDIDATES)
        self.params |= tuning.adapters(encoder, 1)
        self.abstract = jax.eval_shape(lambda: self.params)

    def objective(self, encoder):
        if self.stage == 'base':
            return base_objective(encoder, METHOD.normalisation)
        return two_stage_objective(encoder, METHOD, STEPS, made.MAX_ANSWER_TOKENS)

    def train(self, folder, vocabulary, dev_f1=None):
        windows = vocabulary.windows(self.windows)
        stage = Training(
            loop=made.loop(checkpoint_every=4, keep=9, log_every=1, selection='last'),
            steps=STEPS,
            profile=0,
            objective=self.objective(self.tuning.encoder(vocabulary.encoder(self.encoder))),
            optimizer=ADAMW,
            batches=Batches(windows, batch_size=8, max_tokens=64, seed=3, candidates=self.mined),
            accumulate=1,
            tuning=self.tuning,
            vocabulary=vocabulary,
            abstract_params=self.abstract,
            init=lambda: self.params,
            mesh=self.mesh,
            seed=0,
            folder=folder,
            flops=np.sum,
            question_ids=lambda step: [],
            dev_f1=dev_f1,
            label='train',
        )
        train(stage)
        return self.load(folder, STEPS)

    def load(self, folder, step):
        return parts.load_reader(folder / 'checkpoints', step, self.placed)

    @property
    def placed(self):
        return sharding.placed(self.abstract['reader'], self.mesh)
