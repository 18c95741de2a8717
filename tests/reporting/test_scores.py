"""Tables of scores: ours, the paper's, the difference; nothing where nothing was run."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.reporting import made
from tests.reporting.made import row, study_of
from tests.reporting.test_runs import sweep
from xmrc_jax.evaluate.records import Kinds, Record, Whole
from xmrc_jax.ground.errors import UserError
from xmrc_jax.reporting import paper, runs, scores
from xmrc_jax.reporting.tables import to_text


def record(language, system='base', dataset='mlqa/test', question_language=None, f1=60.0):
    question_language = question_language or language
    top_k = {1: f1 - 20, 20: f1}
    return Record(system, dataset, language, question_language, 10, f1 - 20, f1, top_k, 'mlqa')


def text(*records):
    """What a run prints at its end."""
    study = runs.of_records(Path('run'), records)
    return '\n'.join(map(to_text, scores.tables(study)))


def line(text, label):
    """Cells of the first line that begins with a label."""
    return next(line.split() for line in text.splitlines() if line.startswith(f'{label} '))


# -- a run at its end ------------------------------------------------------------------------------


def test_ours_and_the_papers_rows_stand_in_one_table():
    records = [record(language, f1=60.0 + i) for i, language in enumerate(paper.LANGUAGES)]
    shown = text(*reversed(records))  # the paper's order of languages, not the records'
    assert line(shown, 'base')[1:] == [
        '60.00/40.00', '61.00/41.00', '62.00/42.00', '63.00/43.00', '64.00/44.00', '65.00/45.00',
        '62.50/42.50',
    ]  # fmt: skip
    # The paper's cells, their mean, and what it prints instead.
    assert line(shown, 'XLM-R base')[2:] == [
        '77.86/64.24', '66.18/48.30', '60.82/46.43', '55.20/35.14', '59.93/41.93', '64.89/42.36',
        '64.15/46.40',
    ]  # fmt: skip
    assert 'zero-shot XLM-R base 64.14/46.00' in shown.replace('\n', ' ')
    assert line(shown, 'LAKM')[1:] == ['80.00/66.80', '65.90/48.00', '60.50/45.50']
    assert max(map(len, shown.splitlines())) <= 100


def test_a_language_outside_the_paper_gets_a_second_mean():
    shown = text(*map(record, paper.LANGUAGES), record('zh', f1=67.0))
    assert 'mean of 7' in shown
    assert 'mean of 6' in shown
    assert '61.00/41.00 60.00/40.00' in shown  # (6 * 60 + 67) / 7 = 61, and without zh
    assert max(map(len, shown.splitlines())) <= 100


def test_what_was_not_measured_stays_empty():
    shown = text(record('en'), record('es'), record('en', system='two_stage'))
    assert line(shown, 'two_stage') == ['two_stage', '60.00/40.00']


def test_the_paper_stands_only_beside_what_it_measured():
    shown = text(record('en', question_language='es'), record('en', dataset='encyclopedia/test'))
    assert 'mlqa/test, base: F1/EM, passages by row, questions by column' in shown
    assert 'paper' not in shown


def test_choices_are_named_and_one_on_the_test_set_warned_of():
    shown = text(replace(record('en'), selection='oracle'))
    assert 'base (chosen on the test set) ' in shown
    assert 'base (last) ' in text(replace(record('en'), selection='last'))
    assert 'base ' in text(replace(record('en'), selection='best'))


def test_what_was_not_answered_stands_beside_every_score():
    lost = Whole(records=20, dropped=7, exact_match=20.0, f1=30.0)
    own = [record(c, dataset='own.json') for c in ('de', 'fr')]
    own[0] = replace(own[0], whole=lost)
    crossed = replace(record('de', question_language='fr', dataset='own.json'), whole=lost)
    shown = text(*own, crossed)
    assert line(shown, 'base')[1:] == ['60.00/40.00'] * 3
    # Of French every record was asked; the mean is that of 30/20 and 60/40.
    over_all = ['30.00/20.00', '60.00/40.00', '45.00/30.00']
    assert line(shown, 'base, over')[4:] == over_all
    counts = 'asked, 7 dropped of 20 records'
    note = f'de: 10 {counts}; de-fr: 10 {counts}.'
    # Below F1/EM, top-k EM and the crossed pairs.
    assert shown.replace('\n', ' ').count(note) == 3


def test_questions_with_and_without_an_answer_have_rows_of_their_own():
    kinds = Kinds(unanswerable=4, threshold=0.5, exact_match=20.0, f1=30.0, right=75.0)
    own = [record(c, dataset='own.json') for c in ('en', 'es')]
    shown = text(replace(own[0], kinds=kinds), own[1])
    assert line(shown, 'base, questions with an answer')[-3:] == [
        '30.00/20.00',
        '60.00/40.00',
        '45.00/30.00',
    ]
    assert line(shown, 'base, questions without an answer: share right')[-1] == '75.00'
    assert 'without an answer' not in text(*own)


def test_over_all_records_of_a_share_there_is_no_score():
    lost = Whole(records=20, dropped=7, exact_match=None, f1=None)
    shown = text(replace(record('de', dataset='own.json'), whole=lost))
    assert line(shown, 'base, over') == ['base,', 'over', 'all', 'records']
    assert 'de: 10 asked, 7 dropped' in shown


def test_metrics_that_follow_the_language_are_named_with_it():
    own = [record(c, dataset='own.json') for c in ('de', 'fr', 'es')]
    own[1] = replace(own[1], metric='squad')
    assert text(*own).startswith('own.json: F1/EM (metric mlqa: de, es; squad: fr)\n')


def test_where_every_record_was_asked_nothing_is_said():
    assert 'records' not in text(record('de', dataset='own.json'))


def test_a_run_writes_what_it_prints(tmp_path):
    study = runs.of_records(tmp_path, [record('en'), record('es')])
    shown = scores.write(tmp_path, study)
    markdown = (tmp_path / 'results.md').read_text()
    assert markdown.startswith('# Results\n\n## mlqa/test: F1/EM (metric mlqa)\n\n|  | en | es |')
    assert '\n| base | 60.00/40.00 | 60.00/40.00 | 60.00/40.00 |\n' in markdown
    assert '\n| *paper, zero-shot* |  |  |  |\n' in markdown
    assert '\n| Ours | 79.03/65.59 | 67.52/49.56 | 73.28/57.58 |\n' in markdown
    assert line(shown, 'Ours')[1:] == ['79.03/65.59', '67.52/49.56', '73.28/57.58']


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / 'run').write_text('a file, not a folder')
    with pytest.raises(UserError, match=r'results\.md: cannot be written'):
        scores.write(tmp_path / 'run', runs.of_records(tmp_path, [record('en')]))


# -- any of the k best ---------------------------------------------------------------------------


def test_a_run_stands_beside_table_2():
    shown = text(record('en'), record('es'))
    shown = shown[shown.index('any of the k best') :]
    ours, papers = shown.split('paper, zero-shot XLM-R base')
    assert line(ours, 'k = 20')[3:] == ['60.00', '60.00', '60.00']
    assert line(papers, 'k = 10')[3:] == ['75.76', '71.18', '73.47']
    assert 'k = 20' not in papers


def test_the_papers_base_is_compared_with_its_own_row(tmp_path):
    table = scores.top_k_table(study_of(made.run(tmp_path / 'run')), 'mlqa/test')
    assert row(table, 'k = 1')[1] == '25.00'
    assert row(table, 'paper, table_2: Top-1')[1] == '64.24'
    assert row(table, 'difference')[1] == '-39.24'
    assert ['paper, zero-shot XLM-R base'] not in table.rows


def test_seeds_are_counted_and_spread(tmp_path):
    right = [{'base': (0,), 'two_stage': ()}, {'base': (0, 1, 2), 'two_stage': ()}]
    folders = [made.run(tmp_path / str(i), each, seed=i) for i, each in enumerate(right)]
    table = scores.top_k_table(study_of(*folders), 'mlqa/test')
    assert table.rows[0] == ['base, seeds: 2']
    assert row(table, 'k = 1')[1] == '25.00 ±17.68'  # 12.5 and 37.5: deviation 25 / sqrt(2)


def test_gain_behind_the_best_answer(tmp_path):
    table = scores.gain_table(study_of(made.run(tmp_path / 'run')), 'mlqa/test')
    assert row(table, 'base, k = 2 over k = 1')[1] == '+75.00'
    assert table.notes[0] == 'base: most in en, 75.00 EM.'


def test_the_widest_gain_is_named(tmp_path):
    folder = made.run(tmp_path / 'run', systems=('base',))
    results = json.loads((folder / 'results.json').read_text())
    results[3]['top_k'] = {'1': 10.0, '2': 100.0}  # Arabic: 90 to be won, elsewhere 75
    (folder / 'results.json').write_text(json.dumps(results))
    assert 'most in ar, 90.00 EM' in scores.gain_table(study_of(folder), 'mlqa/test').notes[0]


# -- languages crossed -----------------------------------------------------------------------------


def test_a_matrix_has_the_languages_that_were_asked_and_no_others():
    study = runs.of_records(Path('run'), [record('de', question_language='en')])
    (crossed,) = scores.crossed_tables(study, 'mlqa/test')
    assert crossed.header == ['', 'en', 'mean of 1']
    assert [row[0] for row in crossed.rows] == ['de', 'mean of 1']
    assert '' not in [cell for row in crossed.rows for cell in row]


def test_crossed_pairs_are_one_matrix_for_each_system():
    pairs = {('en', 'en'): 60.0, ('en', 'zh'): 40.0, ('zh', 'en'): 50.0, ('zh', 'zh'): 30.0}
    records = [
        record(c, system=system, question_language=q, f1=f1 + more)
        for system, more in (('base', 0.0), ('two_stage', 1.0))
        for (c, q), f1 in pairs.items()
    ]
    study = runs.of_records(Path('run'), records)
    base, ours = scores.crossed_tables(study, 'mlqa/test')
    # Rows are passages: 60 and 40, 50 and 30; means 50 and 40, of columns 55 and 35, of all 45.
    assert base.rows == [
        ['en', '60.00/40.00', '40.00/20.00', '50.00/30.00'],
        ['zh', '50.00/30.00', '30.00/10.00', '40.00/20.00'],
        ['mean of 2', '55.00/35.00', '35.00/15.00', '45.00/25.00'],
    ]
    assert base.marked == {(0, 0), (1, 1)}
    assert row(ours, 'zh')[1:] == ['51.00/31.00', '31.00/11.00', '41.00/21.00']
    # Those that are not crossed have the usual table as well.
    assert line(text(*records), 'base')[1:] == ['60.00/40.00', '30.00/10.00', '45.00/25.00']


def test_a_matrix_with_a_hole_has_no_mean_over_it():
    asked = record('en', question_language='es'), record('es'), record('es', question_language='de')
    (table,) = scores.crossed_tables(runs.of_records(Path('run'), asked), 'mlqa/test')
    assert table.header == ['', 'es', 'de', 'mean of 2']
    assert table.rows == [
        ['en', '60.00/40.00', '', ''],
        ['es', '60.00/40.00', '60.00/40.00', '60.00/40.00'],
        ['mean of 2', '60.00/40.00', '', ''],
    ]
    assert table.marked == {(1, 0)}


# -- several runs ----------------------------------------------------------------------------------


def test_ours_the_papers_and_the_difference(tmp_path):
    table = scores.score_table(study_of(made.run(tmp_path / 'run')), 'mlqa/test')
    assert table.header == ['', *made.LANGUAGES, 'mean of 6']
    # Of 8 questions base is right in 2: EM 25. English F1 of a wrong answer '1876' to 'May 1876' is
    # 2/3, so F1 is (2 + 6 x 2/3) / 8 = 75; XLM-R base has 77.86/64.24.
    assert row(table, 'base')[1] == '75.00/25.00'
    assert row(table, 'paper, table_5/zero-shot: XLM-R base')[1] == '77.86/64.24'
    assert row(table, 'difference')[1] == '-2.86/-39.24'
    assert row(table, 'base')[-1].endswith('/25.00')
    assert 'table_5/zero-shot XLM-R base 64.14/46.00' in table.notes[-1]
    # The other zero-shot rows of table 5 follow, and no other.
    at = table.rows.index(['paper, zero-shot, not run here'])
    assert [each[0] for each in table.rows[at + 1 :]] == ['m-BERT', 'XLM', 'Info-XLM']
    assert row(table, 'Info-XLM')[1] == '79.15/64.80'
    assert ['paper, zero-shot'] not in table.rows


def test_mean_and_deviation_over_seeds(tmp_path):
    right = [(0,), (0, 1), (0, 1, 2)]  # EM 12.5, 25, 37.5: mean 25, deviation 12.5
    folders = [
        made.run(tmp_path / str(seed), {'base': which, 'two_stage': ()}, seed=seed)
        for seed, which in enumerate(right)
    ]
    cells = row(scores.score_table(study_of(*folders), 'mlqa/test'), 'base')
    assert cells[1] == '3'
    assert cells[2].split(' ±')[0].endswith('/25.00')
    assert cells[2].endswith('/12.50')


def test_cells_not_run_are_empty(tmp_path):
    study = study_of(sweep(tmp_path))
    table = scores.score_table(study, 'mlqa/test')
    assert row(table, 'alpha = 0.3')[1] == '2'
    assert row(table, 'alpha = 0.5')[1] == '1 of 2'
    results = json.loads((tmp_path / '0.3/seed-1/results.json').read_text())
    (tmp_path / '0.3/seed-1/results.json').write_text(json.dumps(results[:-1]))  # no vi
    (tmp_path / '0.3/seed-2/results.json').unlink()
    cells = row(scores.score_table(study_of(tmp_path), 'mlqa/test'), 'alpha = 0.3')
    assert cells[-2:] == ['', '']  # no Vietnamese, so no mean
    assert cells[2]


def test_averages_alone_are_compared_with_averages(tmp_path):
    entries = [
        {
            'label': 'alpha = 0.3',
            'x': 1,
            'system': 'two_stage',
            'paper': ['appendix_1/mlqa', 'Theta = 10'],
        }
    ]
    run = {'entry': 'alpha = 0.3', 'seed': 1, 'folder': '0.3/seed-1'}
    table = scores.score_table(study_of(sweep(tmp_path, entries=entries, runs=[run])), 'mlqa/test')
    assert row(table, 'paper, appendix_1/mlqa: Theta = 10')[1:] == [''] * 6 + ['65.80/48.67']
    assert row(table, 'difference')[1:7] == [''] * 6
    assert row(table, 'difference')[-1].endswith('/-11.17')  # EM 37.5 - 48.67


def test_deviations_that_the_paper_prints_stand_behind_its_cells(tmp_path):
    entries = [
        {'label': 'a', 'x': None, 'system': 'two_stage', 'paper': ['appendix_2/mlqa', 'Ours']}
    ]
    run = {'entry': 'a', 'seed': 1, 'folder': '0.3/seed-1'}
    table = scores.score_table(study_of(sweep(tmp_path, entries=entries, runs=[run])), 'mlqa/test')
    cells = row(table, 'paper, appendix_2/mlqa: Ours')
    assert (cells[1], cells[5]) == ('79.00/65.50 ±0.1', '61.79/44.70 ±0.3')
    assert cells[7].endswith(' ±0.2')


def test_an_oracle_is_never_without_its_warning(tmp_path):
    folder = made.run(tmp_path / 'run', {'two_stage@oracle': (1,)}, systems=('two_stage@oracle',))
    table = scores.score_table(study_of(folder), 'mlqa/test')
    assert table.rows[0][0] == 'two_stage@oracle (chosen on the test set)'


def test_the_best_f1_of_a_column_is_marked_among_the_runs_own_rows():
    records = [record(c, f1=f1) for c, f1 in (('en', 60.0), ('es', 50.0), ('de', 40.0))]
    records += [record(c, 'two_stage', f1=f1) for c, f1 in (('en', 61.0), ('es', 49.0))]
    table = scores.score_table(runs.of_records(Path('run'), records), 'mlqa/test')
    # German was answered by one reader alone, so there is no mean of all; the paper has higher F1.
    assert table.header == ['', 'en', 'es', 'de', 'mean of 3']
    assert [row[0] for row in table.rows[:2]] == ['base', 'two_stage']
    assert table.marked == {(1, 0), (0, 1)}
    alone = scores.score_table(runs.of_records(Path('run'), records[:3]), 'mlqa/test')
    assert alone.marked == set()


def test_marks_count_the_column_of_seeds(tmp_path):
    table = scores.score_table(study_of(sweep(tmp_path)), 'mlqa/test')
    assert table.header[1] == 'seeds'
    assert {column for _, column in table.marked} == set(range(1, 8))  # six languages, their mean
