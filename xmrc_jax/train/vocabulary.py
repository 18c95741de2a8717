"""The token rows that a stage trains: those its windows use.

A row that no training window uses gets no gradient, so AdamW does nothing but shrink it, and all
such rows by one factor that the schedule fixes beforehand (``optimizer.decay``). A stage therefore
trains a reader of the used rows alone, numbered from 0 in its batches, while the table it started
from waits on the host. Parameters, moments and all-reduce shrink; the mathematics do not change.
The whole table is put together where a reader leaves the stage: for the dev set and a checkpoint.
"""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from xmrc_jax.data.windows import Windows
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.model.tuning import merged
from xmrc_jax.train.sharding import path_of, spread


@dataclass(frozen=True)
class Vocabulary:
    """Which rows of the token table are in use."""

    used_V: np.ndarray  # bool, True at every token id of the training windows and at the padding id

    @classmethod
    def of(
        cls, windows: Windows, encoder: EncoderConfig, also: Iterable[np.ndarray] = ()
    ) -> 'Vocabulary':
        """What windows use of an encoder's table, and other ids."""
        used_V = np.zeros(encoder.vocabulary, bool)
        for ids in (windows.ids_T, *also):
            used_V[ids] = True
        used_V[encoder.pad_id] = True
        return cls(used_V)

    def __len__(self) -> int:
        return int(self.used_V.sum())

    @property
    def number_V(self) -> np.ndarray:
        """int32 number of each used row among the used ones."""
        return np.cumsum(self.used_V, dtype=np.int32) - 1

    def encoder(self, encoder: EncoderConfig) -> EncoderConfig:
        """The encoder of the used rows."""
        pad_id = int(self.number_V[encoder.pad_id])
        return dataclasses.replace(encoder, vocabulary=len(self), pad_id=pad_id)

    def windows(self, windows: Windows) -> Windows:
        """Windows whose ids are the numbers of used rows."""
        number_V = self.number_V
        return dataclasses.replace(
            windows, ids_T=number_V[windows.ids_T], pad_id=int(number_V[windows.pad_id])
        )

    def used(self, params: dict) -> dict:
        """Parameters with the used rows alone, in the order of their ids. Traceable."""
        rows_U = np.flatnonzero(self.used_V)
        return on_table(lambda table_VD: table_VD[rows_U], params)

    def parked(self, params: dict) -> jax.Array:
        """All rows, copied to the host's memory, sharded as they are over the devices."""
        table_VD = table(params['reader'])
        return jax.device_put(table_VD, table_VD.sharding.with_memory_kind('pinned_host'))

    def whole(self, params: dict, start_VD: jax.Array, shrunk: float) -> 'Stored':
        """Parameters as ``used`` gives them, with all rows again: those of ``parked``, and what
        weight decay has made of them since, see ``optimizer.decay``."""
        start_VD = jax.device_put(start_VD, start_VD.sharding.with_memory_kind('device'))
        rows_U = np.flatnonzero(self.used_V)
        decay_V = np.where(self.used_V, 1, shrunk).astype(np.float32)
        everywhere = NamedSharding(start_VD.sharding.mesh, PartitionSpec())
        return Stored(
            on_table(lambda used_UD: _filled(start_VD, rows_U, used_UD), params),
            {'token': spread(decay_V, everywhere)},
        )


class Stored(NamedTuple):
    """Parameters with all rows as a checkpoint keeps them."""

    params: dict  # rows in use as they are, the others as the stage found them
    decay: dict[str, jax.Array]  # 'token': float32 [V], factor of each row since; 1 of those in use

    def now(self) -> dict:
        """The parameters as they are, every row brought up to date, adapters added up."""
        params = decayed(self.params, self.decay)
        adapters = params.pop('adapters', {})
        return params | {'reader': merged(params['reader'], adapters)}


def table(reader: dict) -> jax.Array:
    """The token table [V, D] of a reader."""
    return reader['encoder']['embed']['token']['embedding']


def _is_table(key_path: tuple) -> bool:
    return path_of(key_path).endswith('token/embedding')


def abstract_decay(abstract_params: dict) -> dict[str, jax.ShapeDtypeStruct]:
    """The shape of ``Stored.decay`` for parameters of these; empty where no table is among them."""
    for key_path, leaf in jax.tree_util.tree_leaves_with_path(abstract_params):
        if _is_table(key_path):
            everywhere = NamedSharding(leaf.sharding.mesh, PartitionSpec())
            return {'token': jax.ShapeDtypeStruct(leaf.shape[:1], leaf.dtype, sharding=everywhere)}
    return {}


def decayed(params: dict, decay: dict[str, jax.Array]) -> dict:
    """Parameters whose token rows are multiplied by what weight decay has made of them."""
    return on_table(lambda table_VD: _scaled(table_VD, decay['token']), params)


def on_table(change: Callable, params: dict) -> dict:
    """The parameters with another token table; of a reader alone or of a whole stage."""

    def changed(key_path, leaf):
        return change(leaf) if _is_table(key_path) else leaf

    return jax.tree_util.tree_map_with_path(changed, params)


@partial(jax.jit, donate_argnums=0)
def _filled(start_VD, rows_U, used_UD):
    return start_VD.at[rows_U].set(used_UD)


@jax.jit
def _scaled(table_VD, decay_V):
    return table_VD * decay_V[:, None]
