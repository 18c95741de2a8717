"""Designs: what is impossible is refused in words."""

import dataclasses

import pytest

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import design
from xmrc_jax.model.design import Design


@pytest.mark.parametrize(
    ('base', 'change', 'message'),
    [
        (design.BERT, {'positions': 'alibi'}, "model positions: unknown choice 'alibi'"),
        (design.BERT, {'head': 'pooled'}, "model head: unknown choice 'pooled'"),
        (design.MODERNBERT, {'reach': 0}, 'local layers that see 0 tokens'),
        (design.GTE, {'theta': 0.0}, 'a base and a stretch above 0'),
        (design.GTE, {'stretch': 0.0}, 'a base and a stretch above 0'),
        (design.DEBERTA, {'buckets': 0}, 'of 0 buckets for distances below 512'),
        (design.DEBERTA, {'buckets': 512}, 'of 512 buckets for distances below 512'),
        (design.BERT, {'embedding_norm': False}, 'only with pre_norm'),
        (design.PRE_NORM, {'embedding': 8}, 'widened: only where it is normalised'),
    ],
)
def test_what_is_impossible_is_refused(base, change, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(base, **change)


def test_by_default_a_design_is_berts():
    assert Design() == design.BERT
