"""EM by k: beside table 2, over seeds, and what is to be won behind the best answer."""

import json

from tests.reporting import made
from tests.reporting.made import row, study_of
from tests.reporting.test_scores import line, record, text
from xmrc_jax.reporting.top_k import gain_table, top_k_table


def test_a_run_stands_beside_table_2():
    shown = text(record('en'), record('es'))
    shown = shown[shown.index('any of the k best') :]
    ours, papers = shown.split('paper, zero-shot XLM-R base')
    assert line(ours, 'k = 20')[3:] == ['60.00', '60.00', '60.00']
    assert line(papers, 'k = 10')[3:] == ['75.76', '71.18', '73.47']
    assert 'k = 20' not in papers


def test_the_papers_base_is_compared_with_its_own_row(tmp_path):
    table = top_k_table(study_of(made.run(tmp_path / 'run')), 'mlqa/test')
    assert row(table, 'k = 1')[1] == '25.00'
    assert row(table, 'paper, table_2: Top-1')[1] == '64.24'
    assert row(table, 'difference')[1] == '-39.24'
    assert ['paper, zero-shot XLM-R base'] not in table.rows


def test_seeds_are_counted_and_spread(tmp_path):
    right = [{'base': (0,), 'two_stage': ()}, {'base': (0, 1, 2), 'two_stage': ()}]
    folders = [made.run(tmp_path / str(i), each, seed=i) for i, each in enumerate(right)]
    table = top_k_table(study_of(*folders), 'mlqa/test')
    assert table.rows[0] == ['base, seeds: 2']
    assert row(table, 'k = 1')[1] == '25.00 ±17.68'  # 12.5 and 37.5: deviation 25 / sqrt(2)


def test_gain_behind_the_best_answer(tmp_path):
    table = gain_table(study_of(made.run(tmp_path / 'run')), 'mlqa/test')
    assert row(table, 'base, k = 2 over k = 1')[1] == '+75.00'
    assert table.notes[0] == 'base: most in en, 75.00 EM.'


def test_the_widest_gain_is_named(tmp_path):
    folder = made.run(tmp_path / 'run', systems=('base',))
    results = json.loads((folder / 'results.json').read_text())
    results[3]['top_k'] = {'1': 10.0, '2': 100.0}  # Arabic: 90 to be won, elsewhere 75
    (folder / 'results.json').write_text(json.dumps(results))
    assert 'most in ar, 90.00 EM' in gain_table(study_of(folder), 'mlqa/test').notes[0]
