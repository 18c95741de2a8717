"""Encoders as values: what is impossible, and what comes back from JSON."""

import dataclasses
import json

import pytest

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model.architectures import ENCODERS, HUB_IDS, PLAIN, Architecture, EncoderConfig

TINY = ENCODERS['tiny']


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'family': 'gpt'}, 'model family'),
        ({'heads': 5}, 'not a multiple of its 5 heads'),
        ({'passage_type': 1}, 'passages of token type 1: there are 1'),
        ({'dtype': 'float16'}, 'model.dtype'),
        ({'attention': 'flash'}, 'model.attention'),
        ({'attention': 'cudnn'}, "needs model.dtype 'bfloat16'"),
    ],
)
def test_what_is_impossible_is_refused(change, words):
    with pytest.raises(UserError, match=words):
        dataclasses.replace(EncoderConfig.of(TINY, PLAIN), **change)


def test_the_fused_kernel_is_refused_where_it_knows_too_little():
    cfg = EncoderConfig.of(ENCODERS['mdeberta_base'], PLAIN)
    with pytest.raises(UserError, match="'cudnn' knows no disentangled positions"):
        dataclasses.replace(cfg, dtype='bfloat16', attention='cudnn')


def test_a_design_comes_back_from_json_and_was_once_berts():
    cfg = EncoderConfig.of(ENCODERS['mmbert_base'], PLAIN)
    stored = json.loads(json.dumps(dataclasses.asdict(cfg)))
    assert EncoderConfig.of_json(stored) == cfg
    older = json.loads(json.dumps(dataclasses.asdict(EncoderConfig.of(TINY, PLAIN))))
    del older['design']
    assert EncoderConfig.of_json(older) == EncoderConfig.of(TINY, PLAIN)


def test_an_encoder_is_its_two_parts_and_comes_back_from_json():
    cfg = EncoderConfig.of(TINY, dataclasses.replace(PLAIN, remat=True))
    assert cfg.architecture == TINY
    stored = json.loads(json.dumps(dataclasses.asdict(cfg)))
    assert EncoderConfig.of_json(stored) == cfg
    sizes = {field.name: stored[field.name] for field in dataclasses.fields(Architecture)}
    del sizes['passage_type']
    assert EncoderConfig.of_json(sizes | {'of_another_version': 1}) == EncoderConfig.of(TINY, PLAIN)


@pytest.mark.parametrize(('name', 'type_'), [('mbert', 1), ('xlmr_base', 0)])
def test_passages_once_had_a_type_of_their_own_where_there_was_one(name, type_):
    cfg = EncoderConfig.of(ENCODERS[name], PLAIN)
    stored = dataclasses.asdict(cfg)
    assert stored.pop('passage_type') == type_
    assert EncoderConfig.of_json(stored) == cfg


def test_a_row_of_the_table_has_a_hub_id_unless_it_is_for_trials():
    assert [name for name, hub_id in HUB_IDS.items() if not hub_id] == ['tiny']
