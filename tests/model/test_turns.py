"""Parts of a batch, one after the other: the same values and gradients, less kept meanwhile."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xmrc_jax.model.turns import in_turns


def read(weight, x_B, same_G):
    """Two results of every window, which know the groups that are read with them."""
    return {'one': weight * x_B, 'two': jnp.sin(weight * x_B).reshape(len(same_G), -1)}


@pytest.mark.parametrize(('turns', 'groups'), [(2, 2), (3, 6), (1, 2)])
def test_values_and_gradients_are_those_of_the_whole_batch(turns, groups):
    batch = jnp.linspace(-1.0, 2.0, 12), jnp.zeros((groups, 5))

    def total(weight, turns):
        found = in_turns(lambda *part: read(weight, *part), turns, groups, (*batch, None)[:2])
        return (found['one'] ** 3).sum() + found['two'].sum(), found

    (_, whole), expected = jax.value_and_grad(total, has_aux=True)(0.7, 1)
    (_, parts), gradient = jax.value_and_grad(total, has_aux=True)(0.7, turns)
    jax.tree.map(np.testing.assert_array_equal, parts, whole)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)


def test_each_device_reads_its_own_windows_in_their_order():
    """Of eight windows in four groups the first two are one device's."""
    seen = in_turns(
        lambda x_B, _: jnp.stack([x_B, x_B.min() + 0 * x_B], 1), 2, 4, (jnp.arange(8.0), None)
    )
    assert seen[:, 0].tolist() == list(range(8))
    assert seen[:, 1].tolist() == [0, 0, 2, 2, 0, 0, 2, 2]


def test_what_is_between_is_computed_again_in_the_backward_pass():
    """The sine of every part is taken forward, and once more for its gradient."""
    jaxpr = str(
        jax.make_jaxpr(
            jax.grad(
                lambda w: in_turns(
                    lambda x_B: jnp.sin(jnp.exp(w * x_B)), 2, 1, (jnp.ones(4),)
                ).sum()
            )
        )(1.0)
    )
    assert jaxpr.count(' exp ') == 2
