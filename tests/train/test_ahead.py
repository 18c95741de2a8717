"""A stage compiles one program for each layout of its batches, and again none."""

import threading
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from xmrc_jax.train.ahead import Ahead
from xmrc_jax.train.programs import counted

LAYOUTS = 'long', 'short', 'long', 'middle', 'short'
SIZES = {'long': 5, 'short': 3, 'middle': 4}


class Made:
    """Inputs whose batches are as long as their layout says."""

    layouts = LAYOUTS

    def __init__(self):
        self.taken, self.may_go_on = [], threading.Event()

    def at(self, step):
        self.taken.append(step)
        if step == 3:
            assert self.may_go_on.wait(60)
        return jnp.full(SIZES[LAYOUTS[step]], float(step)), None


def ahead(inputs, first=0):
    @jax.jit
    def step_fn(state, batch, run_key, stop_B):
        return state + batch.sum(), {}

    state = jnp.zeros(())
    return Ahead(step_fn, inputs, first, state, jax.random.key(0)), state


def test_each_layout_is_compiled_once_in_the_order_of_need():
    inputs = Made()
    inputs.may_go_on.set()
    with counted() as programs:
        step_fns, state = ahead(inputs)
        for step in range(5):
            batch = jnp.full(SIZES[LAYOUTS[step]], 1.0)
            state, _ = step_fns[step](state, batch, jax.random.key(0), None)
    assert float(state) == 5 + 3 + 5 + 4 + 3
    assert inputs.taken == [0, 1, 3]
    assert programs.metrics['programs/step_fn'] == 3


def test_what_goes_on_compiles_what_is_left_alone():
    inputs = Made()
    inputs.may_go_on.set()
    step_fns, _ = ahead(inputs, first=2)
    step_fns[4]
    assert inputs.taken == [2, 3, 4]


def test_a_step_waits_for_its_own_program_alone_and_the_end_for_none():
    inputs = Made()
    step_fns, _ = ahead(inputs)
    step_fns[1]  # while the next is held up
    step_fns.close()
    inputs.may_go_on.set()


def test_what_compiling_raises_is_raised_where_the_program_is_needed():
    def at(step):
        raise MemoryError

    step_fns, _ = ahead(SimpleNamespace(layouts=LAYOUTS, at=at))
    with pytest.raises(MemoryError):
        step_fns[0]
