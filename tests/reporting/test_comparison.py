"""Won and lost questions, and what is left out of a large page."""

import pytest

from tests.reporting import made
from xmrc_jax.data.squad import Answer, Corpus, Question
from xmrc_jax.evaluate import records
from xmrc_jax.evaluate.records import Record
from xmrc_jax.ground.files import write_json
from xmrc_jax.reporting import runs
from xmrc_jax.reporting.comparison import KINDS, compare
from xmrc_jax.reporting.outcomes import Outcomes


@pytest.fixture
def sides(tmp_path):
    run = runs.read([made.run(tmp_path / 'run')], made.setup_of)[0].runs[0]
    return (run, 'base'), (run, 'two_stage'), Outcomes(lambda folder: made.corpora())


def test_counts_per_language(sides):
    comparison = compare(*sides)
    assert comparison.counts.header[1:] == ['questions', *KINDS, 'won - lost']
    # Base is right in {0, 1}, two_stage in {1, 2, 3} of 8: won 2 and 3, lost 0, both right 1.
    assert comparison.counts.rows[0] == ['mlqa/test']
    assert comparison.counts.rows[1] == ['en', '8', '2', '1', '4', '1', '+1']
    assert comparison.counts.rows[-1] == ['all', '48', '12', '6', '24', '6', '+6']


def test_rows_hold_what_they_say(sides):
    data = compare(*sides).data
    assert len(data['rows']) == 48
    for place, kind, passage, start, end, id_, _, golds, a, b, f1a, f1b, *at in data['rows']:
        number = int(id_[1:])
        right = number in (0, 1), number in (1, 2, 3)
        expected = {(False, True): 'won', (True, False): 'lost', (True, True): 'both right'}
        assert KINDS[kind] == expected.get(right, 'both wrong')
        text = data['passages'][passage]
        assert text[start:end] == golds[0]
        assert (text[at[0] : at[1]], text[at[2] : at[3]]) == (a, b)
        assert (a == golds[0], b == golds[0]) == right == (f1a == 100, f1b == 100)
        assert data['sets'][place][3] == ('rtl' if data['sets'][place][1] == 'ar' else 'ltr')


def test_what_both_have_right_is_left_out_first(sides):
    comparison = compare(*sides, limit=40)
    assert len(comparison.data['rows']) == 40
    assert comparison.left_out == 'Left out to keep the page small: 2 both wrong, 6 both right.'
    assert comparison.counts.rows[-1][1] == '48'
    kinds = {KINDS[row[1]] for row in comparison.data['rows']}
    assert kinds == {'won', 'lost', 'both wrong'}
    used = {row[2] for row in comparison.data['rows']}
    assert used == set(range(len(comparison.data['passages'])))


@pytest.mark.parametrize('stored', [True, False])
def test_an_answer_is_marked_where_it_was_found(stored, tmp_path):
    """An answer that occurs twice: where it was found, if that is stored, else at the first."""
    passage = 'In 1876 it was founded, and in 1876 refounded.'
    question = Question('q', 'When?', passage, (Answer(31, '1876'),))
    corpus = Corpus('own', (question,), 'en', 'en', 'squad', '', '', ())
    made_records = []
    for system in ('base', 'two_stage'):
        place = {'start': 31, 'end': 35} if stored else {}
        path = records.prediction_path(tmp_path, system, corpus)
        write_json(path, {'q': '1876'})
        write_json(path.with_suffix('.nbest.json'), {'q': [{'text': '1876'} | place]})
        made_records.append(Record(system, 'own', 'en', 'en', 1, 100.0, 100.0, {}, 'squad'))
    run = runs.Run(tmp_path, tuple(made_records))
    golds = Outcomes(lambda folder: [(corpus, (question,))])
    (row,) = compare((run, 'base'), (run, 'two_stage'), golds).data['rows']
    assert row[-4:] == ([31, 35] if stored else [3, 7]) * 2


def test_a_question_without_an_answer_shows_none(sides):
    one, two, _ = sides
    comparison = compare(one, two, Outcomes(lambda folder: made.one_without()))
    assert comparison.counts.rows[-1][1] == '48'
    assert [row[7] for row in comparison.data['rows'] if row[5] == 'q7'] == [[]] * 6
