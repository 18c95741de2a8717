"""AdamW against torch, the schedule, what decays and what does not."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.train.made import optimizer as optimizer_of
from xmrc_jax.train.optimizer import build, decay, schedule

STEPS = 10


def parameters():
    random = np.random.default_rng(0)
    shapes = {
        'embed': {'token': {'embedding': (6, 4)}, 'norm': {'scale': (4,), 'bias': (4,)}},
        'span': {'kernel': (4, 2), 'bias': (2,)},
    }
    return jax.tree.map(
        lambda shape: random.normal(size=shape).astype(np.float32),
        shapes,
        is_leaf=lambda node: isinstance(node, tuple),
    )


def gradients(step):
    random = np.random.default_rng(100 + step)
    grads = jax.tree.map(
        lambda leaf: random.normal(size=leaf.shape).astype(np.float32), parameters()
    )
    grads['embed']['token']['embedding'][1] = 0.0  # the padding row, as the reader hands it over
    return grads


def ours(cfg):
    params = jax.tree.map(jnp.asarray, parameters())
    optimizer = build(cfg, STEPS)
    state = optimizer.init(params)
    for step in range(STEPS):
        updates, state = optimizer.update(gradients(step), state, params)
        params = optax.apply_updates(params, updates)
    return params


@pytest.mark.parametrize('decay_all', [False, True])
@pytest.mark.parametrize('clip_norm', [0.0, 1.0])
def test_ten_updates_equal_torch(decay_all, clip_norm):
    torch = pytest.importorskip('torch')
    cfg = optimizer_of(
        peak_lr=0.05, weight_decay=0.1, decay_biases_and_norms=decay_all, clip_norm=clip_norm
    )
    leaves, _ = jax.tree_util.tree_flatten_with_path(parameters())
    tensors = [torch.nn.Parameter(torch.from_numpy(leaf.copy())) for _, leaf in leaves]
    undecayed = [
        tensor
        for (path, _), tensor in zip(leaves, tensors, strict=True)
        if path[-1].key in ('bias', 'scale') and not decay_all
    ]
    decayed = [tensor for tensor in tensors if all(tensor is not other for other in undecayed)]
    groups = [{'params': decayed}] + (
        [{'params': undecayed, 'weight_decay': 0.0}] if undecayed else []
    )
    adamw = torch.optim.AdamW(groups, lr=cfg.peak_lr, weight_decay=cfg.weight_decay, eps=cfg.eps)
    lr = schedule(cfg, STEPS)
    for step in range(STEPS):
        for tensor, gradient in zip(tensors, jax.tree.leaves(gradients(step)), strict=True):
            tensor.grad = torch.from_numpy(gradient.copy())
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(tensors, clip_norm)
        for group in adamw.param_groups:
            group['lr'] = float(lr(step))
        adamw.step()
    for tensor, leaf in zip(tensors, jax.tree.leaves(ours(cfg)), strict=True):
        np.testing.assert_allclose(leaf, tensor.detach().numpy(), atol=1e-5, rtol=0)


def test_padding_row_is_untouched_without_decay():
    row = ours(optimizer_of(peak_lr=0.05, weight_decay=0.0))['embed']['token']['embedding'][1]
    np.testing.assert_array_equal(row, parameters()['embed']['token']['embedding'][1])


@pytest.mark.parametrize('steps', [0, 1, 4, STEPS])
def test_decay_is_what_updates_without_gradient_do(steps):
    cfg = optimizer_of(peak_lr=0.05, warmup=0.3, weight_decay=0.1)
    params = {'token': {'embedding': jnp.array([[1.0, -3.0]])}}
    optimizer = build(cfg, STEPS)
    state = optimizer.init(params)
    for _ in range(steps):
        updates, state = optimizer.update(jax.tree.map(jnp.zeros_like, params), state, params)
        params = optax.apply_updates(params, updates)
    factor = decay(cfg, STEPS, steps)
    assert (factor < 1) == (steps > 1)  # the first update has rate 0
    np.testing.assert_allclose(params['token']['embedding'], [[factor, -3 * factor]], rtol=1e-6)


def test_schedule_is_zero_at_both_ends_and_peaks_after_the_warmup():
    lr = schedule(optimizer_of(peak_lr=3e-5, warmup=0.1), steps=1000)
    # Warm-up 100 steps: half the peak at 50; 900 steps down: half the peak at 100 + 450.
    np.testing.assert_allclose(
        [lr(step) for step in (0, 50, 100, 550, 1000)], [0, 1.5e-5, 3e-5, 1.5e-5, 0], atol=1e-11
    )


def test_slot_weights_have_their_own_rate_and_no_decay():
    cfg = optimizer_of(peak_lr=0.1, weight_decay=0.5, warmup=0.0, slot_lr_multiplier=3.0)
    params = {'slot_logits': jnp.array([2.0]), 'span': {'kernel': jnp.array([[2.0]])}}
    optimizer = build(cfg, 10)
    state = optimizer.init(params)
    for _ in range(2):
        grads = jax.tree.map(lambda leaf: jnp.full_like(leaf, 1e-3), params)
        updates, state = optimizer.update(grads, state, params)
    # A constant gradient makes Adam's direction 1. The learning rate of step 1 is 0.1 * 0.9.
    rate = float(schedule(cfg, 10)(1))
    np.testing.assert_allclose(updates['slot_logits'], [-3 * rate], rtol=1e-4)
    np.testing.assert_allclose(updates['span']['kernel'], [[-rate * (1 + 0.5 * 2.0)]], rtol=1e-4)
