"""The reader: what a padded batch means, where gradients must not go, how parameters start."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import reader


def assert_same(one, other, length_B):
    """Readings agree at the real tokens of each window."""
    for x, y in zip(one, other, strict=True):
        for b, length in enumerate(length_B):
            np.testing.assert_allclose(x[b, :length], y[b, :length], atol=2e-5)


@pytest.mark.parametrize('cfg', ['xlm-roberta', 'bert', 'deberta-v2'], indirect=True)
def test_more_padding_changes_nothing(cfg, params, batch, apply):
    ids_BL, length_B, passage_B2 = batch
    wider_BL = np.pad(ids_BL, ((0, 0), (0, 12)), constant_values=cfg.pad_id)
    assert_same(
        apply(params, cfg, ids_BL, length_B, passage_B2),
        apply(params, cfg, wider_BL, length_B, passage_B2),
        length_B,
    )


def test_length_alone_decides_what_is_padding(cfg, params, batch, apply):
    ids_BL, length_B, passage_B2 = batch
    other_BL = np.where(np.arange(20) < length_B[:, None], ids_BL, 17)
    assert_same(
        apply(params, cfg, ids_BL, length_B, passage_B2),
        apply(params, cfg, other_BL, length_B, passage_B2),
        length_B,
    )


def test_windows_do_not_see_each_other(cfg, params, batch, apply):
    order = np.array([2, 0, 3, 1])
    whole = apply(params, cfg, *batch)
    shuffled = apply(params, cfg, *(x[order] for x in batch))
    assert_same([x[order] for x in whole], shuffled, batch[1][order])
    alone = apply(params, cfg, *(x[2:3] for x in batch))
    assert_same([x[2:3] for x in whole], alone, batch[1][2:3])


@pytest.mark.parametrize('cfg', ['xlm-roberta', 'gte', 'deberta-v2'], indirect=True)
def test_order_of_tokens_matters(cfg, params, batch, apply):
    ids_BL, length_B, passage_B2 = batch
    swapped_BL = ids_BL[:, [0, 2, 1, *range(3, 20)]]
    logits_BL = apply(params, cfg, ids_BL, length_B, passage_B2).start_logits_BL
    swapped = apply(params, cfg, swapped_BL, length_B, passage_B2).start_logits_BL
    assert jnp.abs(logits_BL[:, 0] - swapped[:, 0]).max() > 0.01


@pytest.mark.parametrize('cfg', ['xlm-roberta', 'bert', 'mminilm'], indirect=True, scope='session')
def test_passage_sets_token_types_where_the_tokenizer_does(cfg, params, batch, apply):
    ids_BL, length_B, passage_B2 = batch
    moved_B2 = passage_B2 + np.array([1, 0], np.int32)
    reading = apply(params, cfg, ids_BL, length_B, passage_B2)
    moved = apply(params, cfg, ids_BL, length_B, moved_B2)
    changed = bool(jnp.abs(reading.end_logits_BL - moved.end_logits_BL)[:, 0].max() > 0.001)
    assert changed == (cfg.passage_type == 1)


def test_padding_rows_get_no_gradient(cfg, params, batch, value_and_grad):
    """Not even from a loss that looks at padding (reading R20)."""
    table = params['encoder']['embed']['token']['embedding']
    assert jnp.abs(table[cfg.pad_id]).min() > 0  # the row takes part in the forward pass
    embed = value_and_grad(params, cfg, *batch)[1]['encoder']['embed']
    used = np.unique(batch[0])
    has_gradient = np.flatnonzero(jnp.abs(embed['token']['embedding']).max(axis=1))
    np.testing.assert_array_equal(has_gradient, used[used != cfg.pad_id])
    # Twenty tokens, so twenty rows from the first position on: for XLM-R not row 1, the padding's.
    has_gradient = np.flatnonzero(jnp.abs(embed['position']['embedding']).max(axis=1))
    np.testing.assert_array_equal(has_gradient, cfg.first_position + np.arange(20))


def test_fresh_parameters_are_drawn_as_hugging_face_draws_them(cfg, fresh):
    """From 1,888 draws or more the deviation 0.02 is found within 4 / sqrt(2 * 1888) = 7 %."""
    embed, blocks = fresh['encoder']['embed'], fresh['encoder']['blocks']
    tokens = np.delete(embed['token']['embedding'], cfg.pad_id, axis=0)
    for array in (tokens, blocks['attention']['query']['kernel'], blocks['down']['kernel']):
        assert abs(jnp.std(array) - 0.02) < 0.07 * 0.02
    assert (embed['token']['embedding'][cfg.pad_id] == 0).all()
    position_is_padded = bool((embed['position']['embedding'][cfg.pad_id] == 0).all())
    assert position_is_padded == (cfg.family == 'xlm-roberta')
    assert (embed['norm']['scale'] == 1).all()
    assert (blocks['up']['bias'] == 0).all()
    assert (fresh['span']['bias'] == 0).all()


@pytest.mark.parametrize('cfg', ['bert'], indirect=True)
def test_init_is_traceable_and_follows_its_key(cfg, fresh):
    jitted = jax.jit(reader.init, static_argnums=0)(cfg, jax.random.key(0))
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-7), fresh, jitted)
    other = reader.init(cfg, jax.random.key(7))
    assert jnp.abs(fresh['span']['kernel'] - other['span']['kernel']).max() > 0.01


@pytest.mark.parametrize('cfg', ['xlm-roberta', 'modernbert'], indirect=True)
def test_a_head_alone_is_the_one_that_is_drawn_behind_the_encoder(cfg, fresh):
    head = reader.head(cfg, jax.random.key(0))
    assert head.keys() == fresh.keys() - {'encoder'}
    same = functools.partial(np.testing.assert_allclose, rtol=1e-6)
    jax.tree.map(same, head, {name: fresh[name] for name in head})


def test_longest_window_fits_and_one_more_is_refused(cfg, params, apply):
    """Both tiny encoders take 40 tokens: rows 0..39, or rows 2..41 of 42."""
    length_B, passage_B2 = np.array([40]), np.array([[3, 39]])
    reading = apply(params, cfg, np.full((1, 40), 5), length_B, passage_B2)
    assert jnp.isfinite(reading.start_logits_BL).all()
    with pytest.raises(UserError, match='windows of 41 tokens: this encoder takes at most 40'):
        apply(params, cfg, np.full((1, 41), 5), length_B, passage_B2)
