"""What computes, for the record."""

import re

import jax

import xmrc_jax
from xmrc_jax.recipe.software import hardware, software


def test_versions_and_the_packages_own_hash_are_named():
    known = software()
    pattern = re.escape(xmrc_jax.__version__) + r' \([0-9a-f]{12}\)'
    assert re.fullmatch(pattern, known['xmrc_jax'])
    assert known['jax'] == jax.__version__
    assert known == software()


def test_the_devices_are_counted_by_kind():
    assert hardware() == f'{jax.device_count()} x cpu'
