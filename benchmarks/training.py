"""What the training benchmarks share: windows as long as SQuAD's, and a trainer to be timed."""

import dataclasses
from collections.abc import Callable
from functools import partial

import jax
import numpy as np

from xmrc_jax.configs.paper import paper_config
from xmrc_jax.data.batches import Batch, Batches
from xmrc_jax.data.windows import Windows
from xmrc_jax.model import reader
from xmrc_jax.model.architectures import ENCODERS, RATES, Computation, EncoderConfig
from xmrc_jax.plan.plans import USED_ROWS
from xmrc_jax.recipe import settings
from xmrc_jax.train import sharding
from xmrc_jax.train.objective import base_objective
from xmrc_jax.train.optimizer import build
from xmrc_jax.train.step import compiled_step, initial_state
from xmrc_jax.train.two_stage import two_stage_objective
from xmrc_jax.train.vocabulary import Vocabulary

# Tokens of a window at every twentieth of 12,047 windows that hold their answer: 12,000 questions
# of SQuAD v1.1 train, XLM-R's tokenizer, windows of 384, stride 128, questions of at most 64.
LENGTHS = (
    *(41, 96, 124, 136, 143, 150, 156, 161, 168, 175, 182),
    *(189, 198, 208, 218, 230, 245, 265, 292, 333, 384),
)
MAX_TOKENS = 384
STEPS = 10_000  # of the schedule


def random_windows(encoder: EncoderConfig, count: int, used_rows: int | None = None) -> Windows:
    """Windows of SQuAD's lengths, whose ids use as large a share of the rows as SQuAD does."""
    rng = np.random.default_rng(0)
    length_W = np.interp(rng.random(count), np.linspace(0, 1, len(LENGTHS)), LENGTHS).astype(int)
    vocabulary = ENCODERS['xlmr_base'].vocabulary
    share = USED_ROWS[vocabulary] / vocabulary
    used_rows = used_rows or round(share * encoder.vocabulary)
    rows = rng.choice(np.arange(5, encoder.vocabulary), used_rows, replace=False)
    past_W = np.cumsum(length_W)
    gold_W = length_W // 2
    ids_T = rng.choice(rows, past_W[-1]).astype(np.int32)
    ids_T[: len(rows)] = rows[: past_W[-1]]  # each occurs
    return Windows(
        ids_T=ids_T,
        chars_T2=np.tile(np.int32([0, 1]), (past_W[-1], 1)),
        bounds_W2=np.stack([past_W - length_W, past_W], axis=1),
        question_W2=np.tile(np.int32([1, 12]), (count, 1)),
        passage_W2=np.stack([np.full(count, 14), length_W - 1], axis=1).astype(np.int32),
        gold_W2=np.stack([gold_W, gold_W + 1], axis=1).astype(np.int32),
        question_W=np.arange(count, dtype=np.int32),
        repeats_C3=np.zeros((0, 3), np.int32),
        pad_id=encoder.pad_id,
        key='',
    )


def random_candidates(windows: Windows, count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A mined set for every window: spans of at most 8 tokens, the gold last."""
    rng = np.random.default_rng(seed)
    lo_W1, hi_W1 = windows.passage_W2[:, :1], windows.passage_W2[:, 1:]
    start_WK = rng.integers(lo_W1, hi_W1, (len(windows), count))
    end_WK = np.minimum(start_WK + rng.integers(0, 8, start_WK.shape), hi_W1 - 1)
    spans_WK2 = np.stack([start_WK, end_WK], axis=-1).astype(np.int32)
    spans_WK2[:, -1] = windows.gold_W2
    return spans_WK2, np.ones(start_WK.shape, bool)


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is trained, and which savings are on.

    Attributes:
      encoder: a row of ``ENCODERS``.
      batch: windows.
      stage: 'base' or 'two_stage'.
      packed: windows share rows; else each is padded to ``max_tokens``.
      compact: only the rows of the token table that are in use are trained.
      candidates, spans: |Z| and |A|.
      used_rows: of the token table; None = SQuAD's share.
    """

    encoder: str = 'xlmr_base'
    batch: int = 8
    stage: str = 'base'
    packed: bool = True
    compact: bool = True
    max_tokens: int = MAX_TOKENS
    candidates: int = 20
    spans: int = 50
    dropout: float = 0.1
    attention_dropout: float = 0.1
    attention: str = 'auto'
    remat: bool = False
    dtype: str = 'float32'
    used_rows: int | None = None

    @property
    def config(self) -> EncoderConfig:
        options = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(Computation)
        }
        architecture = ENCODERS[self.encoder]
        own = RATES[architecture.family]
        return EncoderConfig.of(architecture, Computation(**options).with_own(own))

    @property
    def windows(self) -> Windows:
        """A hundred batches; longer windows are cut where ``max_tokens`` says."""
        windows = random_windows(self.config, 100 * self.batch, self.used_rows)
        first_W, past_W = windows.bounds_W2.T
        past_W = np.minimum(past_W, first_W + self.max_tokens)
        last_W = (past_W - first_W).astype(np.int32)
        return dataclasses.replace(
            windows,
            bounds_W2=np.stack([first_W, past_W], axis=1),
            passage_W2=np.stack([windows.passage_W2[:, 0], last_W - 1], axis=1),
            gold_W2=np.minimum(windows.gold_W2, last_W[:, None] - 2),
        )


class Trainer:
    """Whole training steps of a setting on one device: loss, gradient, AdamW."""

    def __init__(self, setting: Setting):
        self.setting = setting
        windows, encoder = setting.windows, setting.config
        mesh = sharding.make_mesh(devices=jax.devices()[:1])
        used = Vocabulary.of(windows, encoder)
        vocabulary = used if setting.compact else Vocabulary(np.ones(encoder.vocabulary, bool))
        run = settings.vary(
            settings.read(paper_config()),
            {'mine.candidates': setting.candidates, 'two_stage.spans': setting.spans},
        )
        method, optimizer = run.method.reading, run.train.optimizer
        windows = vocabulary.windows(windows)
        two_stage = setting.stage == 'two_stage'
        self.batches = Batches(
            windows,
            batch_size=setting.batch,
            max_tokens=setting.max_tokens,
            seed=0,
            candidates=random_candidates(windows, setting.candidates) if two_stage else None,
        )
        params = {'reader': first_params(setting)}
        self._parked = vocabulary.parked(params) if setting.compact else None
        params = jax.jit(vocabulary.used)(params)
        encoder = vocabulary.encoder(encoder)
        objective = base_objective(encoder, method.normalisation)
        if two_stage:
            params |= method.hard.initial_slots(setting.candidates)
            objective = two_stage_objective(
                encoder, method, STEPS, run.evaluate.ask.max_answer_tokens
            )
        init = partial(initial_state, optimizer=build(optimizer, STEPS))
        shardings = sharding.of(jax.eval_shape(init, params), mesh)
        self.state = jax.jit(init, out_shardings=shardings)(params)
        self._step = compiled_step(objective, optimizer, STEPS, shardings)
        self._layouts = self.batches.layouts(STEPS, 1) if setting.packed else [None] * STEPS
        self._put, self._key = sharding.Share(mesh, setting.batch).put, jax.random.key(1)
        self._compiled = {}

    def batch(self, number: int) -> Batch:
        """The batch of a step, on the device."""
        return self._put(self.batches.batch_at(number, layout=self._layouts[number]))

    def compile(self, batch: Batch) -> Callable:
        """The step for batches of this shape."""
        shape = () if batch.token_GRP is None else batch.token_GRP.shape
        if shape not in self._compiled:
            self._compiled[shape] = self._step.lower(self.state, batch, self._key).compile()
        return self._compiled[shape]

    def update(self, batch: Batch) -> jax.Array:
        """One step; its loss."""
        self.state, metrics = self.compile(batch)(self.state, batch, self._key)
        return metrics['loss']

    @property
    def megabytes(self) -> float:
        """Of parameters and moments."""
        return sum(leaf.nbytes for leaf in jax.tree.leaves(self.state)) / 1e6


def first_params(setting: Setting) -> dict:
    """A random reader, the same for all settings of an encoder."""
    return jax.jit(reader.init, static_argnums=0)(setting.config, jax.random.key(0))
