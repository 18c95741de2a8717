"""The mesh, the table of rules, and where rows of a batch go."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import encoder, reader
from xmrc_jax.train import sharding

TINY = encoder.EncoderConfig.of(encoder.ENCODERS['tiny'], encoder.PLAIN)


def paths(tree):
    return [sharding.path_of(path) for path, _ in jax.tree_util.tree_leaves_with_path(tree)]


def test_each_parameter_has_one_rule_and_each_rule_a_parameter(key):
    import re

    params = jax.eval_shape(lambda: reader.init(TINY, key)) | {'slot_logits': np.zeros(3)}
    matches = {
        path: [pattern for pattern, _ in sharding.RULES if re.search(pattern, path)]
        for path in paths(params)
    }
    assert all(len(found) == 1 for found in matches.values()), matches
    used = {found[0] for found in matches.values()}
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


def test_put_splits_the_batch_and_keeps_its_values():
    mesh = sharding.make_mesh(2, 2, 2)
    batch = {'ids_BL': np.arange(24, dtype=np.int32).reshape(8, 3)}
    array = sharding.Share(mesh, 8).put(batch)['ids_BL']
    np.testing.assert_array_equal(array, batch['ids_BL'])
    assert array.addressable_shards[0].data.shape == (2, 3)  # 8 rows over data x fsdp = 4


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


def test_every_shard_gets_its_rows_from_those_of_the_process():
    mesh = sharding.make_mesh(4, 2, 1)
    share = sharding.Share(mesh, 16)
    share.rows = np.r_[0:4, 8:16]  # as if rows 4 to 7 were another machine's
    local = np.array([10, 11, 12, 13, 18, 19, 20, 21, 22, 23, 24, 25])  # 10 + row
    assert share._part(local, (slice(2, 4),)).tolist() == [12, 13]
    assert share._part(local, (slice(12, 14),)).tolist() == [22, 23]


def test_values_held_whole_are_spread_as_asked():
    mesh = sharding.make_mesh(2, 4, 1)
    where = sharding.NamedSharding(mesh, sharding.P(None, 'fsdp'))
    tree = {'kernel': np.arange(16.0).reshape(2, 8)}
    spread = sharding.spread(tree, {'kernel': where})
    assert spread['kernel'].sharding == where
    np.testing.assert_array_equal(spread['kernel'], tree['kernel'])
