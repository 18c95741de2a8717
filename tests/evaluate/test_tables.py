"""Files and tables of results, and the paper's cells in them."""

import dataclasses
import json
import os
from statistics import fmean

import numpy as np
import pytest

from xmrc_jax.data import squad
from xmrc_jax.data.squad import Corpus
from xmrc_jax.evaluate import metrics, paper, tables
from xmrc_jax.evaluate.predict import NBest
from xmrc_jax.evaluate.tables import Record
from xmrc_jax.ground.errors import UserError


def record(language, system='base', dataset='mlqa/test', question_language=None, f1=60.0):
    return Record(
        system=system,
        dataset=dataset,
        context_language=language,
        question_language=question_language or language,
        questions=10,
        exact_match=f1 - 20,
        f1=f1,
        top_k={1: f1 - 20, 20: f1},
        metric='mlqa',
        selection='best',
        steps=(7,),
    )


def corpus(name, context_language, question_language, questions=()):
    return Corpus(name, tuple(questions), context_language, question_language, '', '', ())


def row(text, label):
    """Cells of the first line that begins with a label."""
    return next(line.split() for line in text.splitlines() if line.startswith(f'{label} '))


def test_the_papers_tables_agree_where_they_print_the_same_cell():
    xlmr = next(row for row in paper.SCORES['mlqa/test']['zero-shot'] if row.system == 'XLM-R base')
    top_1 = {language: em for language, (em,) in paper.TOP_K['mlqa/test'][1].items()}
    assert top_1 == {language: em for language, (_, em) in xlmr.cells.items()}
    systems = [row.system for rows in paper.SCORES['xquad/test'].values() for row in rows]
    assert len(systems) == 9
    assert systems.count('Ours') == 2


@pytest.mark.parametrize(
    ('dataset', 'setting', 'system', 'f1', 'exact_match'),
    [  # means of the printed cells, worked out independently of this code
        ('mlqa/test', 'zero-shot', 'XLM-R base', 64.15, 46.40),
        ('mlqa/test', 'zero-shot', 'Info-XLM', 63.95, 47.55),
        ('mlqa/test', 'zero-shot', 'Ours', 65.96, 48.88),
        ('mlqa/test', 'translate-train', 'XLM-R base', 65.43, 48.25),
        ('mlqa/test', 'translate-train', 'CalibreNet', 65.40, 48.85),
        ('mlqa/test', 'translate-train', 'Ours', 67.16, 50.43),
        ('xquad/test', 'zero-shot', 'XLM-R base', 73.54, 57.88),
        ('xquad/test', 'zero-shot', 'Info-XLM', 73.59, 58.50),
        ('xquad/test', 'zero-shot', 'Ours', 75.06, 59.67),
        ('xquad/test', 'translate-train', 'Ours', 76.66, 60.67),
    ],
)
def test_the_papers_cells_have_their_known_means(dataset, setting, system, f1, exact_match):
    rows = {row.system: row for row in paper.SCORES[dataset][setting]}
    means = [fmean(column) for column in zip(*rows[system].cells.values(), strict=True)]
    assert means == pytest.approx([f1, exact_match], abs=0.0051)


def test_ours_and_the_papers_rows_stand_in_one_table():
    records = [record(language, f1=60.0 + i) for i, language in enumerate(paper.LANGUAGES)]
    text = tables.terminal(reversed(records))  # the paper's order of languages, not the records'
    assert row(text, 'base')[1:] == [
        '60.00/40.00', '61.00/41.00', '62.00/42.00', '63.00/43.00', '64.00/44.00', '65.00/45.00',
        '62.50/42.50',
    ]  # fmt: skip
    # The paper's cells, their mean, and what it prints instead.
    assert row(text, 'XLM-R base')[2:] == [
        '77.86/64.24', '66.18/48.30', '60.82/46.43', '55.20/35.14', '59.93/41.93', '64.89/42.36',
        '64.15/46.40',
    ]  # fmt: skip
    assert 'zero-shot XLM-R base 64.14/46.00' in text.replace('\n', ' ')
    assert row(text, 'LAKM')[1:] == ['80.00/66.80', '65.90/48.00', '60.50/45.50']
    assert max(map(len, text.splitlines())) <= 100


def test_top_k_stands_beside_table_2():
    text = tables.terminal([record('en'), record('es')])
    top_k = text[text.index('any of the k best') :]
    ours, papers = top_k.split('paper, zero-shot XLM-R base')
    assert row(ours, 'k = 20')[3:] == ['60.00', '60.00', '60.00']
    assert row(papers, 'k = 10')[3:] == ['75.76', '71.18', '73.47']
    assert 'k = 20' not in papers


def test_a_language_outside_the_paper_gets_a_second_mean():
    records = [record(language) for language in paper.LANGUAGES] + [record('zh', f1=67.0)]
    text = tables.terminal(records)
    assert 'mean of 7' in text
    assert 'mean of 6' in text
    assert '61.00/41.00 60.00/40.00' in text  # (6 * 60 + 67) / 7 = 61, and without zh
    assert max(map(len, text.splitlines())) <= 100


def test_what_was_not_measured_stays_empty():
    records = [record('en'), record('es'), record('en', system='two_stage')]
    assert row(tables.terminal(records), 'two_stage') == ['two_stage', '60.00/40.00']


def test_the_paper_stands_only_beside_what_it_measured():
    records = [record('en', question_language='es'), record('en', dataset='encyclopedia/test')]
    text = tables.terminal(records)
    assert 'mlqa/test, base: F1/EM, passages by row, questions by column' in text
    assert 'paper' not in text


def test_crossed_pairs_are_one_matrix_for_each_system():
    scores = {('en', 'en'): 60.0, ('en', 'zh'): 40.0, ('zh', 'en'): 50.0, ('zh', 'zh'): 30.0}
    records = [
        record(c, system=system, question_language=q, f1=f1 + more)
        for system, more in (('base', 0.0), ('two_stage', 1.0))
        for (c, q), f1 in scores.items()
    ]
    markdown = '\n'.join(map(tables.markdown, tables._tables(records)))
    _, base, ours = markdown.split(', passages by row')
    # Rows are passages: 60 and 40, 50 and 30; means 50 and 40, of columns 55 and 35, of all 45.
    assert (
        '| en | 60.00/40.00 | 40.00/20.00 | 50.00/30.00 |\n'
        '| zh | 50.00/30.00 | 30.00/10.00 | 40.00/20.00 |\n'
        '| mean of 2 | 55.00/35.00 | 35.00/15.00 | 45.00/25.00 |\n'
    ) in base
    assert '| zh | 51.00/31.00 | 31.00/11.00 | 41.00/21.00 |' in ours
    # Those that are not crossed have the usual table as well.
    assert '| base | 60.00/40.00 | 30.00/10.00 | 45.00/25.00 |' in markdown


def test_a_matrix_with_a_hole_has_no_mean_over_it():
    text = tables.terminal([record('en', question_language='es'), record('es')])
    lines = [line.split() for line in text.split('passages by row')[1].splitlines()]
    assert ['en', '60.00/40.00'] in lines
    assert ['es', '60.00/40.00'] in lines
    assert ['mean', 'of', '2', '60.00/40.00'] in lines  # of questions in Spanish alone


def test_the_oracle_says_what_it_is():
    text = tables.terminal([dataclasses.replace(record('en'), selection='oracle')])
    assert 'base (chosen on the test set)' in text


def test_results_are_written_as_json_and_markdown(tmp_path):
    tables.write(tmp_path, [record('en'), record('es')])
    first, second = json.loads((tmp_path / 'results.json').read_text())
    assert first == {
        'system': 'base',
        'dataset': 'mlqa/test',
        'context_language': 'en',
        'question_language': 'en',
        'questions': 10,
        'exact_match': 40.0,
        'f1': 60.0,
        'top_k': {'1': 40.0, '20': 60.0},
        'metric': 'mlqa',
        'selection': 'best',
        'steps': [7],
    }
    assert second['context_language'] == 'es'
    markdown = (tmp_path / 'results.md').read_text()
    assert '\n| base | 60.00/40.00 | 60.00/40.00 | 60.00/40.00 |\n' in markdown
    assert '\n| *paper, zero-shot* |  |  |  |\n' in markdown
    assert '\n| Ours | 79.03/65.59 | 67.52/49.56 | 73.28/57.58 |\n' in markdown
    assert sorted(path.name for path in tmp_path.iterdir()) == ['results.json', 'results.md']


@pytest.mark.parametrize(
    ('name', 'languages', 'expected'),
    [
        ('mlqa/test/es', 'es-es', 'mlqa-test.es-es.json'),
        ('mlqa/test/es-en', 'es-en', 'mlqa-test.es-en.json'),
        ('squad_dev_minus_xquad', 'en-en', 'squad_dev_minus_xquad.en-en.json'),
        ('/data/my file.json@de-en', 'de-en', 'data-my-file.json.de-en.json'),
    ],
)
def test_predictions_lie_by_system_dataset_and_languages(tmp_path, name, languages, expected):
    path = tables.prediction_path(tmp_path, 'base', corpus(name, *languages.split('-')))
    assert path == tmp_path / 'predictions' / 'base' / expected


@pytest.fixture
def answered(squad_file):
    """The first question answered right, as second best; the others without an answer."""
    questions = squad.read(squad_file).questions
    gold = questions[0].answers[0]
    chars_QK2 = np.full((4, 2, 2), -1, np.int32)
    chars_QK2[0] = [[0, 3], [gold.start, gold.start + len(gold.text)]]
    logits_QK2 = np.where(chars_QK2 >= 0, np.float32(1), -np.inf).astype(np.float32)
    return questions, NBest(chars_QK2, logits_QK2)


def test_predictions_are_written_with_their_record(tmp_path, answered):
    questions, nbest = answered
    one = corpus('four/test/en', 'en', 'en', questions)
    path = tables.prediction_path(tmp_path, 'base', one)
    assert tables.read_record(path) is None
    written = tables.write_predictions(path, 'base', one, questions, nbest, 'squad', (1, 3, 20))
    assert (written.dataset, written.questions, written.metric) == ('four/test', 4, 'squad')
    assert written.top_k == {1: 0.0, 3: 25.0, 20: 25.0}
    assert tables.read_record(path) == written

    best = json.loads(path.read_text('utf-8'))
    assert best == {'latin': 'The', 'arabic': '', 'han': '', 'devanagari': ''}
    assert metrics.score(questions, best, 'squad', 'en')['f1'] == written.f1
    nbest = json.loads(path.with_suffix('.nbest.json').read_text('utf-8'))
    assert [answer['text'] for answer in nbest['latin']] == ['The', 'September 1876']


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / 'predictions').write_text('a file, not a folder')
    with pytest.raises(UserError, match=r'results\.json: cannot be written'):
        tables.write(tmp_path / 'predictions', [record('en')])
    assert os.listdir(tmp_path) == ['predictions']
