"""A tiny reader and its batches, for whole training steps."""

import dataclasses

import numpy as np
import pytest

from tests.train.stored import save, state_on
from xmrc_jax.data import squad
from xmrc_jax.data.batches import Batches
from xmrc_jax.data.windows import WindowSize, build
from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig
from xmrc_jax.train import sharding

SIZE = WindowSize(max_tokens=64, stride=8, max_question_tokens=16)


@pytest.fixture
def encoder(tokenizer):
    tiny = EncoderConfig.of(ENCODERS['tiny'], PLAIN)
    return dataclasses.replace(tiny, vocabulary=len(tokenizer), width=16, mlp=32, heads=2, layers=2)


@pytest.fixture
def dry(encoder):
    """The same without dropout."""
    return dataclasses.replace(encoder, dropout=0.0, attention_dropout=0.0)


@pytest.fixture
def windows(squad_file, tokenizer):
    return build(squad.read(squad_file).questions, tokenizer, SIZE)


@pytest.fixture
def mined(windows):
    """Three candidates of every window, the gold last; the first window has but two."""
    gold_W2 = windows.gold_W2
    spans_WK2 = np.stack([gold_W2 + [[0, 1]], gold_W2 - [[1, 0]], gold_W2], axis=1)
    valid_WK = np.ones(spans_WK2.shape[:2], bool)
    valid_WK[0, 0] = False
    return spans_WK2.astype(np.int32), valid_WK


@pytest.fixture
def batches(windows, mined):
    """Longer than any window, so that windows can share rows."""
    return Batches(windows, batch_size=8, max_tokens=96, seed=3, candidates=mined)


@pytest.fixture
def roomy(dry):
    """An encoder with rows that no window uses, between used ones and behind them; no dropout."""
    return dataclasses.replace(dry, vocabulary=dry.vocabulary + 40)


@pytest.fixture
def spread(windows):
    """The windows with every id from 50 on moved by 10: ten rows in the middle are not used."""
    ids_T = np.where(windows.ids_T < 50, windows.ids_T, windows.ids_T + 10).astype(np.int32)
    return dataclasses.replace(windows, ids_T=ids_T)


@pytest.fixture
def state(encoder, key):
    return state_on(sharding.make_mesh(), encoder, key)


@pytest.fixture
def folder(tmp_path, state):
    """One checkpoint, of step 7."""
    save(tmp_path / 'checkpoints', state, [7])
    return tmp_path / 'checkpoints'
