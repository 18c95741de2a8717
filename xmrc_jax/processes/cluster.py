"""The names of this room's parts under the one they had before."""

# ruff: noqa: F401
from xmrc_jax.ground.differences import differences
from xmrc_jax.processes.agreement import agree, any_of, barrier, decided, first_turn, hosts
from xmrc_jax.processes.ending import CONTINUES, LOST, STOPPED, end, is_of_a_peer
from xmrc_jax.processes.identity import is_first, myself
from xmrc_jax.processes.joining import joined
from xmrc_jax.processes.output import kept_warnings
