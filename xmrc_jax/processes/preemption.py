"""The names of ``sigterm`` as they were before."""

# ruff: noqa: F401
from xmrc_jax.processes.sigterm import Stopped, begin_saving, listen, saving_first
from xmrc_jax.processes.sigterm import heard as told
from xmrc_jax.processes.sigterm import stop_if_heard as stop_if_told
