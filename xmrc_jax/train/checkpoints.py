"""Checkpoints of the whole training state, written by orbax in the background.

A checkpoint holds three parts, so that a reader can be loaded without its optimizer: ``reader``
with all token rows, those not in use as the stage found them; ``decay``, what weight decay has
made of each row since; and ``rest``. Rows not in use are kept as they were, not as they are, so
that a resumed run rounds as the undisturbed one does. Nothing but the checkpoint is needed to
read it. Orbax gives it its name only when it is whole, and then it is sealed. One without a seal,
or that does not fit its seal, is never read.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import reduce
from operator import getitem
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from orbax.checkpoint import v1 as ocp

from xmrc_jax.ground.errors import UserError
from xmrc_jax.processes import cluster
from xmrc_jax.train.seal import damage, seal
from xmrc_jax.train.step import TrainState
from xmrc_jax.train.vocabulary import decayed, is_table


class Checkpoints:
    """The checkpoints of one stage. With several processes all make the same calls.

    Kept are the newest and the best by dev F1. A state is saved before it is scored, so that the
    scoring may be killed; orbax's own way of keeping the best wants the score when it saves.

    A damaged newest checkpoint is told of and set aside, in ``damaged/`` beside the folder, when
    this is made; so is the next, until one is sound.

    Args:
      folder: made if need be; on a disk that all processes share.
      keep: newest checkpoints kept; 0: all.
      due: of a step, whether its checkpoint is one of the run's. Those of a run that was stopped
        in between are kept only until a newer one is there, so that being stopped changes nothing.
      scores: dev F1 in percent by step, which the caller fills in as it becomes known.

    Raises:
      UserError: the folder cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keep: int,
        scores: dict[int, float],
        due: Callable[[int], bool] = lambda step: True,
    ):
        self._folder, self._keep, self._scores = folder.absolute(), keep, scores
        self._due = due
        self._saving: tuple[int, Future] | None = None
        self._failed = False
        self._sealer = ThreadPoolExecutor(1, thread_name_prefix='seal')
        policies = ocp.training.save_decision_policies
        try:
            self.newest = cluster.decided(_newest_sound(self._folder) if cluster.is_first() else 0)
            self._orbax = ocp.training.Checkpointer(
                self._folder,
                save_decision_policy=policies.FixedIntervalPolicy(1),
                preservation_policy=self,
                cleanup_tmp_directories=True,
            )
        except OSError as error:
            raise UserError(f'{folder}: cannot be used: {error.strerror}') from None

    def should_preserve(self, checkpoints, *, context) -> list[bool]:
        """The preservation policy, as orbax asks for it."""
        steps = [each.step for each in checkpoints]
        kept = {steps[-1], self._best_of(steps)}
        kept.update(list(filter(self._due, steps))[-self._keep :])  # [-0:] is all
        return [step in kept for step in steps]

    def best(self) -> int | None:
        """The step of the highest dev F1, the earliest of equals; None where none is scored."""
        return self._best_of(self.kept())

    def kept(self) -> list[int]:
        """The steps there are, ascending; only those of the run."""
        return [each.step for each in self._orbax.checkpoints if self._due(each.step)]

    def _best_of(self, steps: list[int]) -> int | None:
        scored = [step for step in steps if step in self._scores]
        return max(scored, key=lambda step: (self._scores[step], -step), default=None)

    def restore(self, abstract_state: TrainState) -> TrainState | None:
        """The newest state, placed as ``abstract_state`` says (its leaves carry shardings).

        Returns:
          None where there is no sound checkpoint.
        """
        if self.newest is None:
            return None
        path = self._folder / str(self.newest)
        parts = ocp.load_checkpointables(path, _parts(abstract_state))
        rest = parts['rest']
        params = {'reader': parts['reader']} | rest['params']
        return TrainState(rest['step'], params, rest['opt_state'])

    def save(self, step: int, state: TrainState, decay_V: jax.Array) -> None:
        """Start writing ``state``, which may be donated as soon as this returns.

        Args:
          state: its reader has all token rows.
          decay_V: float32 factor of each row, for ``load_reader``.

        Raises:
          UserError: it cannot be written, or the one before could not.
        """
        self.wait()
        self._saving = step, Future()
        try:
            parts = _parts(state) | {'decay': {'token': decay_V}}
            pending = self._orbax.save_checkpointables_async(step, parts)
        except Exception as error:  # orbax and tensorstore raise many kinds
            raise self._failure(step, error) from error
        self._saving = step, self._sealer.submit(self._seal, step, pending)
        self.newest = step

    def _seal(self, step: int, pending) -> None:
        pending.result()
        if cluster.is_first():
            seal(self._folder / str(step))

    def check(self) -> None:
        """Raises, as ``wait`` does, where writing has failed meanwhile; waits for nothing."""
        if self._saving is not None and self._saving[1].done():
            self.wait()

    def wait(self) -> None:
        """Until the last state saved is on disk and sealed.

        Raises:
          UserError: it could not be written.
        """
        if self._saving is None:
            return
        step, saved = self._saving
        self._saving = None
        try:
            saved.result()
        except Exception as error:
            raise self._failure(step, error) from error

    def _failure(self, step: int, error: Exception) -> Exception:
        self._failed = True
        if cluster.is_of_a_peer(error) and not _of_the_disk(error):
            return error
        good = next((s for s in steps(self._folder) if not damage(self._folder / str(s))), None)
        there = 'there is none before it' if good is None else f'{self._folder / str(good)} is good'
        return UserError(
            f'{self._folder / str(step)}: could not be written ({_reason(error)}); {there}; '
            f'make room, then {cluster.CONTINUES}'
        )

    def close(self) -> None:
        """Call it last; after a failure, which ``wait`` told, there is nothing to wait for."""
        self._sealer.shutdown()
        if not self._failed:
            self._orbax.close()


def _newest_sound(folder: Path) -> int | None:
    """Looks through the newest, and of those behind it at what orbax reads when it starts."""
    newest = None
    for step in steps(folder):
        path, aside = folder / str(step), folder.with_name('damaged') / str(step)
        if defect := damage(path, '' if newest is None else '_CHECKPOINT_METADATA'):
            shutil.rmtree(aside, ignore_errors=True)
            aside.parent.mkdir(exist_ok=True)
            os.replace(path, aside)
            print(f'{path}: damaged, set aside in {aside.parent}: {defect}', flush=True)
        elif newest is None:
            newest = step
    return newest


def steps(folder: Path) -> list[int]:
    """Of the checkpoints in a folder, newest first."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted((int(name) for name in names if name.isdigit()), reverse=True)


def _reason(error: Exception) -> str:
    """What a user can make use of in a long message; tensorstore's names its source files."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return _of_the_disk(error) or (lines or [repr(error)])[0]


def _of_the_disk(error: Exception) -> str:
    known = ('No space left on device', 'Disk quota exceeded', 'File too large')
    return next((words for words in known if words in str(error)), '')


def _parts(state: TrainState) -> dict:
    params = dict(state.params)
    reader = params.pop('reader')
    return {
        'reader': reader,
        'rest': {'step': state.step, 'opt_state': state.opt_state, 'params': params},
    }


def load_mean(folder: Path, steps: Sequence[int], abstract_reader: dict) -> dict:
    """The mean of the reader's parameters of some checkpoints, taken in float32.

    It is taken leaf by leaf, so that no second reader is ever in memory.

    Raises:
      UserError: as ``load_reader``.
    """
    first, *others = steps
    mean = load_reader(folder, first, abstract_reader)
    if not others:
        return mean
    leaves, tree = jax.tree.flatten(mean)
    del mean
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(abstract_reader)]
    for step in others:
        checkpoint = _sound(folder, step)
        for number, path in enumerate(paths):
            keys = [entry.key for entry in path]
            leaf = reduce(getitem, keys, abstract_reader)
            part = reduce(lambda inner, key: {key: inner}, reversed(keys), leaf)
            leaves[number] += jax.tree.leaves(_load(checkpoint, part, partial_load=True))[0]
    for number in range(len(leaves)):
        leaves[number] /= np.float32(len(steps))
    return jax.tree.unflatten(tree, leaves)


def load_reader(folder: Path, step: int, abstract_reader: dict) -> dict:
    """The reader's parameters of one checkpoint, placed as their abstract leaves say.

    Raises:
      UserError: there is no such checkpoint, it is damaged, or it holds another reader.
    """
    return _load(_sound(folder, step), abstract_reader)


def _sound(folder: Path, step: int) -> Path:
    path = folder.absolute() / str(step)
    if not path.is_dir():
        raise UserError(f'{path}: no such checkpoint')
    if defect := cluster.decided(damage(path, ('reader/', 'decay/')) if cluster.is_first() else ''):
        raise UserError(
            f'{path}: damaged, {defect}; delete it and {folder.parent / "selected.json"} '
            'to train on from the checkpoint before it'
        )
    return path


def _load(path: Path, abstract_reader: dict, partial_load: bool = False) -> dict:
    """The leaves asked for; without ``partial_load`` they must be all there are."""
    asked = {'reader': abstract_reader}
    for key_path, leaf in jax.tree_util.tree_leaves_with_path(abstract_reader):
        if is_table(key_path):
            everywhere = NamedSharding(leaf.sharding.mesh, PartitionSpec())
            decay_V = jax.ShapeDtypeStruct(leaf.shape[:1], leaf.dtype, sharding=everywhere)
            asked['decay'] = {'token': decay_V}
    context = ocp.Context()
    context.pytree.loading.partial_load = partial_load
    try:
        with context:
            parts = ocp.load_checkpointables(path, asked)
    except (ValueError, KeyError) as error:
        if cluster.is_of_a_peer(error):
            raise
        raise UserError(f'{path}: checkpoint of another model: {_reason(error)}') from error
    reader = parts['reader']
    return decayed(reader, parts['decay']['token']) if 'decay' in parts else reader


def fingerprint(params) -> str:
    """sha256 over the values of all parameters, wherever they lie.

    Computed on the devices, each over what it holds: the words of a leaf are mixed with their place
    and added up modulo 2**32, twice. Sums of integers do not depend on how a leaf is split.
    """
    digest = hashlib.sha256()
    for path, sums in jax.tree_util.tree_leaves_with_path(jax.tree.map(_sums, params)):
        digest.update(jax.tree_util.keystr(path).encode() + np.asarray(sums).tobytes())
    return digest.hexdigest()


@jax.jit
def _sums(leaf: jax.Array) -> jax.Array:
    """Two sums of a float32 array of any shape: uint32 [2]."""
    word = jax.lax.bitcast_convert_type(leaf, jnp.uint32)
    place = jnp.zeros(leaf.shape, jnp.uint32)
    for axis, size in enumerate(leaf.shape):
        place = place * np.uint32(size) + jax.lax.broadcasted_iota(jnp.uint32, leaf.shape, axis)

    def mixed(x):  # the finaliser of MurmurHash3: every bit of x moves every bit of the result
        x = (x ^ (x >> 16)) * np.uint32(0x85EBCA6B)
        x = (x ^ (x >> 13)) * np.uint32(0xC2B2AE35)
        return x ^ (x >> 16)

    seeds = (0x9E3779B9, 0x7F4A7C15)
    return jnp.stack(
        [mixed(word ^ mixed(place + np.uint32(seed))).sum(dtype=jnp.uint32) for seed in seeds]
    )
