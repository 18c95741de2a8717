"""Keys of each family: rotary bases as the library computes them, older spellings, silence."""

import numpy as np
import pytest

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import keys, positions
from xmrc_jax.model.design import GTE, MODERNBERT


def gte(**values):
    sizes = {'hidden_size': 32, 'num_attention_heads': 4}
    return keys.KEYS['gte'].read(sizes | values)


def modernbert(**values):
    return keys.KEYS['modernbert'].read(
        keys.KEYS['modernbert'].silent | {'num_hidden_layers': 7} | values
    )


@pytest.mark.parametrize(
    'rope',
    [
        {},
        {'rope_parameters': {'rope_type': 'default', 'rope_theta': 500.0}},
        {'rope_parameters': {'rope_type': 'linear', 'rope_theta': 500.0, 'factor': 1.5}},
    ],
)
def test_gte_turns_as_the_library_turns(rope):
    transformers = pytest.importorskip('transformers')
    config = transformers.GteConfig(
        vocab_size=9, hidden_size=32, num_attention_heads=4, num_hidden_layers=1, **rope
    )
    found = gte(**rope)
    ours = positions.frequencies(8, found['theta'], found['stretch'])
    theirs = transformers.GteModel(config).rotary_emb.inv_freq.numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_ntk_is_a_larger_base_and_a_stretch():
    """Frequencies (f theta) ** (-2c / A) / f ** (2 / A), of heads of width A = 8, f = 16."""
    found = gte(rope_theta=10.0, rope_scaling={'type': 'ntk', 'factor': 16.0})
    assert found == {'theta': 160.0, 'local_theta': 160.0, 'stretch': 2.0}
    with pytest.raises(UserError, match="rope_type 'ntk' is not supported"):
        gte(rope_scaling={'type': 'ntk', 'factor': 8.0, 'mixed_b': 0.5})
    assert gte(rope_scaling=None)['theta'] == GTE.theta


def test_layers_are_named_by_a_number_or_one_by_one():
    silent = modernbert()
    assert (silent['global_every'], silent['reach']) == (3, 64)
    assert (silent['theta'], silent['local_theta']) == (160_000.0, MODERNBERT.local_theta)
    kinds = ['full_attention'] + ['sliding_attention'] * 3
    assert modernbert(layer_types=[*kinds, *kinds[:3]])['global_every'] == 4
    everywhere = modernbert(layer_types=['full_attention'] * 7)
    assert (everywhere['global_every'], everywhere['reach']) == (1, 0)
    assert everywhere['local_theta'] == everywhere['theta']
    # The number holds where the list says no more.
    short = modernbert(num_hidden_layers=2, layer_types=kinds[:2], global_attn_every_n_layers=3)
    assert short['global_every'] == 3


def test_bases_of_both_spellings():
    old = modernbert(global_rope_theta=5.0, local_rope_theta=7)
    new = modernbert(
        rope_parameters={
            'full_attention': {'rope_type': 'default', 'rope_theta': 5.0},
            'sliding_attention': {'rope_type': 'default', 'rope_theta': 7.0},
        }
    )
    assert old == new
    assert (old['theta'], old['local_theta']) == (5.0, 7.0)


def test_deberta_distances_are_the_positions_unless_said():
    values = {'pos_att_type': 'p2c|c2p', 'hidden_size': 8, 'max_position_embeddings': 40}
    values |= {'position_buckets': 8, 'max_relative_positions': -1}
    read = keys.KEYS['deberta-v2'].read
    assert read(values) == {'buckets': 8, 'distances': 40}
    assert read(values | {'pos_att_type': ['c2p', 'p2c'], 'max_relative_positions': 30}) == {
        'buckets': 8,
        'distances': 30,
    }
