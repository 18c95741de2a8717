"""The pages' own commands are run again, each once, and what fails is told at the end."""

from pathlib import Path

import pytest

from benchmarks import docs_tables

ROOT = Path(docs_tables.__file__).parents[1]


@pytest.mark.parametrize('page', docs_tables.PAGES)
def test_every_page_names_commands_of_benchmarks_that_exist(page):
    found = docs_tables.commands(ROOT / page)
    assert found
    for module, *_ in found:
        assert (ROOT / module.replace('.', '/')).with_suffix('.py').exists(), module


def test_what_a_page_names_is_run_and_what_fails_is_named(tmp_path, monkeypatch, capfd):
    (tmp_path / 'benchmarks').mkdir()
    for name, code in {
        '__init__': '',
        'good': 'print(*sys.argv[1:])',
        'bad': 'sys.exit(3)',
    }.items():
        (tmp_path / 'benchmarks' / f'{name}.py').write_text(f'import sys\n{code}\n')
    page = tmp_path / 'page.md'
    page.write_text(
        'Text with python -m benchmarks.good in it.\n\n    python -m benchmarks.bad\n'
        'python -m benchmarks.good --a "b c"     # a remark\n\n    python -m benchmarks.slurm\n'
        'python -m benchmarks.good --a "b c"\n'
    )
    monkeypatch.setattr(docs_tables, 'commit', lambda: '1234abc')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r'failed: benchmarks\.bad$'):
        docs_tables.main(['page.md'])
    assert capfd.readouterr().out.splitlines() == [
        '# page.md, at 1234abc',
        '',
        '    python -m benchmarks.bad',
        '',
        '',
        'failed with status 3',
        '',
        "    python -m benchmarks.good --a 'b c'",
        '',
        '--a b c',
        '',
    ]
    docs_tables.main(['page.md', '--only', '.good'])
    assert 'bad' not in capfd.readouterr().out
