"""Which process of the run this is. The bottom of the room: it asks JAX and nothing else."""

import socket

import jax
from jax._src import distributed  # its key-value store has no public name; orbax uses it likewise

PATIENCE = 7 * 24 * 3600 * 1000  # milliseconds: waiting is ended by the heartbeat, not by a clock

_several = False


def several() -> bool:
    """Whether this process is one of several, and has not left them."""
    return _several


def enter() -> None:
    """From now on this process is one of several."""
    global _several
    _several = True


def leave() -> None:
    """All are done: from now on this process goes alone, and the end of another is no loss."""
    global _several
    _several = False


def is_first() -> bool:
    """Whether this process prints and writes for all: the only one, or number 0."""
    return jax.process_index() == 0


def myself() -> str:
    """This process and its machine, for a line to the user."""
    return f'process {jax.process_index()} ({socket.gethostname()})'


def client():
    """The key-value store of all processes, kept by process 0; None in a run of one."""
    return distributed.global_state.client
