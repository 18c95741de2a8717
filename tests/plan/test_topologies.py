"""Topologies by name, for compilers that are there or not."""

import importlib.util

import jax
import pytest

from xmrc_jax.plan import __main__ as command
from xmrc_jax.plan import compiled, topologies
from xmrc_jax.train import sharding


@pytest.mark.parametrize(
    ('topology', 'message'),
    [
        ('v5e:4x4x4', 'v5e takes 2 numbers, such as v5e:4x4'),
        ('v5p:2x2', 'v5p takes 3 numbers'),
        ('v7x:2', "unknown chip 'v7x'; choose from h200, h100, a100, v6e, v5e, v5p, v4, cpu"),
        ('h200:zero', 'write a chip and its number'),
        ('h200', 'write a chip and its number'),
        ('h200:0', 'write a chip and its number'),
        ('h200:2x4', 'h200 takes one number, such as h200:4'),
        ('h200:12', 'hosts have 8 GPUs; choose at most that, or a multiple'),
        ('cpu:64', 'this process simulates 8 devices'),
        ('cpu:4 --config.mesh.fsdp=8', 'does not cover 4 devices'),
        ("cpu:8 --config.recipe=('mine',)", 'recipe: nothing is trained'),
    ],
)
def test_a_bad_topology_is_one_line(topology, message, plan):
    jax.devices()  # from now on there are as many as there are
    name, *more = topology.split()
    status, _, errors = plan(f'--topology={name}', *more)
    assert status == 2
    assert message in errors
    assert errors.startswith('xmrc_jax: ')
    assert errors.count('\n') == 1


@pytest.mark.parametrize(('name', 'package'), [('v5e:4x4', 'jax[tpu]'), ('h200:8', 'jax[cuda13]')])
def test_a_missing_compiler_names_its_package(name, package, plan, monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    status, _, errors = plan(f'--topology={name}')
    assert status == 2
    assert f'pip install "{package}"' in errors


def mesh_of(name, sizes):
    jax.config.update('jax_platforms', 'cpu')
    return dict(sharding.make_mesh(*sizes, devices=topologies.resolve(name).devices).shape)


@pytest.mark.skipif(not importlib.util.find_spec('libtpu'), reason='needs jax[tpu]')
def test_a_mesh_may_split_an_axis_of_chips(monkeypatch):
    for name, value in command.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    found = compiled.apart(mesh_of, 'v6e:8x8', (-1, 2, 2))
    assert found == {'data': 16, 'fsdp': 2, 'model': 2}
