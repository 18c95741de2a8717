"""The cost of a method: what is counted, and the table."""

import pytest

from benchmarks import peers
from tests.conftest import status_of
from tests.small import small
from xmrc_jax.configs import quickstart
from xmrc_jax.recipe import settings


def test_steps_readers_and_bytes_of_a_run_are_counted(tmp_path):
    # An epoch is 6 steps over both languages, and 3 over the passages of one.
    run = small(**{'recipe': ('teach', 'distil', 'score'), 'data.mix': 'pairs', 'data.dev': ''})
    cost = peers.measured(run, tmp_path / 'run')
    assert cost.readers == 3
    assert cost.steps == 2 * 3 + 6
    assert cost.passes == 1
    assert cost.seconds > 0
    kept = [path for path in (tmp_path / 'run').rglob('*') if path.is_file()]
    assert cost.bytes == sum(path.stat().st_size for path in kept)
    assert not (tmp_path / 'run' / 'results.json').exists()


def test_the_table_compares_with_the_first_method():
    costs = {
        'base': peers.Cost(1, 100, 50.0, 2_000_000, 1),
        'CalibreNet': peers.Cost(5, 1450, 125.0, 9_000_000, 2),
    }
    *_, base, calibrenet = peers.table(costs).splitlines()
    assert base == '| base | 1 | 100 | 1.00 | 50 | 1.00 | 2.0 | 1.00 | 1 |'
    assert calibrenet == '| CalibreNet | 5 | 1,450 | 14.50 | 125 | 2.50 | 9.0 | 4.50 | 2 |'


@pytest.mark.parametrize('method', peers.METHODS)
def test_every_method_is_a_recipe(method):
    run = settings.read(quickstart.get_config(peers.METHODS[method]))
    assert run.recipe[-1] == 'score'
    assert len(run.data.train) == 6


def test_an_unknown_method_is_one_line(tmp_path, capsys):
    argv = ['--workdir', str(tmp_path), '--methods', 'base', 'mixmrc']
    assert status_of(lambda: peers.main(argv)) == 2
    assert "--methods: unknown choice 'mixmrc'; choose from base, two-stage" in (
        capsys.readouterr().err
    )
