"""What the processes of a run agree on: turns, decisions, with what they were started.

A run of one process, on however many devices, needs none of this, and every call returns at once.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from xmrc_jax.ground.differences import differences
from xmrc_jax.ground.errors import UserError
from xmrc_jax.processes.identity import PATIENCE, client, is_first, myself, several

Value = TypeVar('Value')
_turns = count()  # every process takes the same turns, so their numbers agree


def barrier() -> None:
    """Wait until every process is here."""
    if several():
        _wait_at(f'barrier/{next(_turns)}')


def _wait_at(name: str) -> None:
    client().wait_at_barrier(f'xmrc/{name}', PATIENCE)


@contextmanager
def first_turn() -> Iterator[None]:
    """Process 0 goes through the block while the others wait; then they do.

    What process 0 leaves on a disk that all share is there for the others. The block may ask what
    is ``decided``; it must not wait for the others or compute with them.
    """
    if not several():
        yield
        return
    turn = next(_turns)
    if is_first():
        yield
    _wait_at(f'first/{turn}')
    if not is_first():
        yield
    _wait_at(f'rest/{turn}')


def decided(value: Value) -> Value:
    """What process 0 thinks, for all: files that it sees may not be seen everywhere yet.

    The value is anything that JSON knows.
    """
    if not several():
        return value
    key = f'xmrc/decided/{next(_turns)}'
    if is_first():
        client().key_value_set(key, json.dumps(value))
        return value
    return json.loads(client().blocking_key_value_get(key, PATIENCE))


def any_of(flag: bool) -> bool:
    """Whether any process says so. All must ask."""
    if not several():
        return flag
    return bool(np.any(multihost_utils.process_allgather(np.array([flag]))))


def agree(facts: Mapping[str, Any]) -> None:
    """UserError where a process was started with other facts than process 0.

    The facts are as JSON gives them back, so with lists for tuples.
    """
    if different := list(differences(decided(facts), facts)):
        raise UserError(
            f'{myself()} was started with something else than process 0: {"; ".join(different)}; '
            'start all processes with the same code and configuration'
        )
    barrier()


def everywhere(value: Value) -> list[Value]:
    """What each process has, in their order; anything that JSON knows. All must ask."""
    if not several():
        return [value]
    key = f'xmrc/everywhere/{next(_turns)}'
    client().key_value_set(f'{key}/{jax.process_index()}', json.dumps(value))
    return [
        json.loads(client().blocking_key_value_get(f'{key}/{process}', PATIENCE))
        for process in range(jax.process_count())
    ]
