"""Programs are counted by name, and those of the cache apart."""

import threading

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.compilation_cache import compilation_cache

from xmrc_jax.train.programs import counted


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """JAX keeps what it compiles in an empty folder, however small."""
    names = ('jax_compilation_cache_dir', 'jax_persistent_cache_min_compile_time_secs')
    before = {name: getattr(jax.config, name) for name in names}
    for name, value in zip(names, (str(tmp_path), 0), strict=True):
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def test_programs_have_names_and_come_from_the_cache_the_second_time(empty_cache):
    shapes = [jnp.ones(length) for length in (3, 4)]
    found = []
    for _ in range(2):

        @jax.jit
        def twice(x_L):
            return 2 * x_L

        with counted() as programs:
            worker = threading.Thread(target=lambda own=twice: [own(x_L) for x_L in shapes])
            worker.start()
            worker.join()
        found.append(programs)
    first, second = found
    assert (sum(first.compiled.values()), sum(first.fetched.values())) == (2, 0)
    assert (sum(second.compiled.values()), sum(second.fetched.values())) == (0, 2)
    assert first.metrics['programs/twice'] == second.metrics['programs/twice'] == 2
    assert first.seconds > 0
    assert str(second).startswith('0 programs compiled, 2 from the cache, ')


def test_nothing_is_counted_behind_the_end():
    with counted() as programs:
        jax.jit(lambda x: x + 1)(1.0)
    assert programs.metrics['programs_compiled'] + programs.metrics['programs_fetched'] == 1
    before = programs.metrics
    jax.jit(lambda x: x + 2)(1.0)
    assert programs.metrics == before
