"""The fingerprint: of the values of parameters, wherever they lie."""

import jax
import numpy as np

from tests.train.stored import state_on
from xmrc_jax.train import sharding
from xmrc_jax.train.fingerprint import fingerprint


def test_the_fingerprint_is_of_the_values_not_of_their_place(state, encoder, key):
    params = state.params['reader']
    elsewhere = state_on(sharding.make_mesh(2, 2, 2), encoder, key).params['reader']
    leaves, tree = jax.tree.flatten(params)
    prints = [fingerprint(params)]
    assert fingerprint(elsewhere) == prints[0]
    for number, leaf in enumerate(leaves):
        value = np.array(leaf)
        value.flat[-1] = np.nextafter(value.flat[-1], np.float32(np.inf))
        changed = jax.tree.unflatten(tree, [*leaves[:number], value, *leaves[number + 1 :]])
        prints.append(fingerprint(changed))
    assert len(set(prints)) == len(leaves) + 1
