"""The mesh, the table of rules, and where rows of a batch go."""

import dataclasses
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from tests.tiny import KINDS
from xmrc_jax.data.prediction import PredictionBatch
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import architectures, reader
from xmrc_jax.train import sharding

TINY = architectures.EncoderConfig.of(architectures.ENCODERS['tiny'], architectures.PLAIN)


def paths(tree):
    return [sharding.path_of(path) for path, _ in jax.tree_util.tree_leaves_with_path(tree)]


def test_each_parameter_has_one_rule_and_each_rule_a_parameter(key):
    """Of all architectures; their tiny sizes divide by two devices along any axis."""
    import re

    mesh, used = sharding.make_mesh(2, 2, 2), set()
    for architecture in KINDS.values():
        encoder = architectures.EncoderConfig.of(architecture, architectures.PLAIN)
        encoder = dataclasses.replace(encoder, frozen=1, lora_rank=2)
        params = reader.abstract(encoder)
        params['slot_logits'] = jax.ShapeDtypeStruct((3,), 'float32')
        params['lm'] = {'table': params['encoder']['embed']['token']['embedding']}
        matches = {
            path: [pattern for pattern, _ in sharding.RULES if re.search(pattern, path)]
            for path in paths(params)
        }
        assert all(len(found) == 1 for found in matches.values()), matches
        used |= {found[0] for found in matches.values()}
        sharding.of(params, mesh)
    assert used == {pattern for pattern, _ in sharding.RULES}


def test_a_path_without_a_rule_raises():
    with pytest.raises(ValueError, match="no sharding rule for parameter 'encoder/adapter/kernel'"):
        sharding.spec_of('encoder/adapter/kernel')


def test_mesh_takes_what_is_left_and_refuses_what_does_not_cover():
    assert dict(sharding.make_mesh(-1, 2, 2).shape) == {'data': 2, 'fsdp': 2, 'model': 2}
    with pytest.raises(UserError, match='does not cover 8 devices'):
        sharding.make_mesh(3, 1, 1)
    with pytest.raises(UserError, match='does not cover 8 devices'):
        sharding.make_mesh(-1, 3, 1)


def test_rows_of_one_process_are_all_and_must_divide():
    mesh = sharding.make_mesh(4, 2, 1)
    np.testing.assert_array_equal(sharding.rows(mesh, 16), np.arange(16))
    with pytest.raises(UserError, match='12 does not divide by 8 devices .* choose 16'):
        sharding.rows(mesh, 12)
    sharding.check_batch(mesh, 32, accumulate=4)
    with pytest.raises(UserError, match='train.accumulate=3: a device has 4 windows of a batch, w'):
        sharding.check_batch(mesh, 32, accumulate=3)


def test_put_splits_the_batch_and_keeps_its_values():
    mesh = sharding.make_mesh(2, 2, 2)
    ids_BL = np.arange(24, dtype=np.int32).reshape(8, 3)
    batch = PredictionBatch(ids_BL, *np.arange(8 * 4).reshape(4, 8))
    placed = sharding.Share(mesh, 8).put(batch)
    jax.tree.map(np.testing.assert_array_equal, placed, batch)
    # 8 rows over data x fsdp = 4
    assert placed.ids_BL.addressable_shards[0].data.shape == (2, 3)


def test_a_part_that_a_batch_lacks_is_not_put():
    mesh = sharding.make_mesh(8, 1, 1)
    rows_B, absent = sharding.Share(mesh, 8).put((np.arange(8), None))
    assert (rows_B.shape, absent) == ((8,), None)


def test_a_width_that_does_not_divide_is_named(key):
    mesh = sharding.make_mesh(1, 1, 8)  # the tiny encoder has 4 heads
    with pytest.raises(UserError, match='size 4 does not divide by mesh axis model=8'):
        sharding.of(jax.eval_shape(lambda: reader.init(TINY, key)), mesh)


def test_rows_of_a_process_need_not_adjoin(monkeypatch):
    # A mesh that goes back and forth between two machines of 4 devices: 0 1 1 0 0 1 1 0.
    order = [0, 1, 1, 0, 0, 1, 1, 0]

    def placed(mesh, spec):
        devices = [SimpleNamespace(process_index=process) for process in order]
        parts = [(slice(2 * part, 2 * part + 2),) for part in range(8)]
        indices = list(zip(devices, parts, strict=True))
        return SimpleNamespace(
            devices_indices_map=lambda shape: SimpleNamespace(items=lambda: indices)
        )

    monkeypatch.setattr(sharding, 'NamedSharding', placed)
    mesh = sharding.make_mesh(8, 1, 1)
    assert sharding.rows(mesh, 16, 0).tolist() == [0, 1, 6, 7, 8, 9, 14, 15]
    assert sharding.rows(mesh, 16, 1).tolist() == [2, 3, 4, 5, 10, 11, 12, 13]


def test_every_shard_gets_its_rows_from_those_of_the_process(monkeypatch):
    mesh = sharding.make_mesh(4, 2, 1)
    share = sharding.Share(mesh, 16)
    share.rows = np.r_[0:4, 8:16]  # as if rows 4 to 7 were another machine's
    local = np.array([10, 11, 12, 13, 18, 19, 20, 21, 22, 23, 24, 25])  # 10 + row
    placed = {}

    def make(shape, sharding, part):
        placed['shape'] = shape
        return [part((slice(first, first + 2),)).tolist() for first in (2, 12)]

    monkeypatch.setattr(jax, 'make_array_from_callback', make)
    assert share.put(local) == [[12, 13], [22, 23]]
    assert placed['shape'] == (16,)


def test_the_topology_says_who_computes_what():
    mesh = sharding.make_mesh(4, 2, 1)
    assert sharding.topology(mesh, 16, ['north']) == [
        '1 process, 8 x cpu, mesh data=4 fsdp=2 model=1, global batch 16, 2 rows on each device',
        'process 0 on north: 8 devices, rows 0-15',
    ]
    with pytest.raises(UserError, match='12 does not divide by 8 devices'):
        sharding.topology(mesh, 12, ['north'])


def test_the_topology_of_many_processes_is_cut_and_names_rows_in_runs(monkeypatch):
    own = {0: [0, 1, 6, 7], 1: [2, 5]}
    monkeypatch.setattr(
        sharding, 'rows', lambda mesh, size, process: np.array(own.get(process, [3]))
    )
    hosts = [f'host{number}' for number in range(20)]
    lines = sharding.topology(sharding.make_mesh(8, 1, 1), 8, hosts)
    assert lines[0].startswith('20 processes, ')
    assert lines[1] == 'process 0 on host0: 8 devices, rows 0-1, 6-7'
    assert lines[2] == 'process 1 on host1: 0 devices, rows 2, 5'
    assert [line.split()[1] for line in lines[1:]] == [*map(str, range(8)), '19']


def test_values_held_whole_are_spread_as_asked():
    mesh = sharding.make_mesh(2, 4, 1)
    where = sharding.NamedSharding(mesh, sharding.P(None, 'fsdp'))
    tree = {'kernel': np.arange(16.0).reshape(2, 8)}
    spread = sharding.spread(tree, {'kernel': where})
    assert spread['kernel'].sharding == where
    np.testing.assert_array_equal(spread['kernel'], tree['kernel'])
