"""Tables of several seeds: means and deviations from the records, holes left empty."""

from xmrc_jax.evaluate import spread, tables
from xmrc_jax.evaluate.tables import Record


def record(language, f1, question_language=None):
    return Record(
        system='two_stage',
        dataset='mlqa/test',
        context_language=language,
        question_language=question_language or language,
        questions=10,
        exact_match=f1 - 20,
        f1=f1,
        top_k={1: f1 - 20, 5: f1 + 10},
        metric='mlqa',
    )


def rows(entries):
    return {row[0]: row[1:] for table in spread.tables_of(entries) for row in table.rows}


def test_mean_and_sample_deviation_over_seeds():
    # 60 and 62: mean 61, deviation sqrt(2); means over languages 55 and 61: 58, sqrt(18).
    shown = rows({'ours': [[record('en', 60.0), record('es', 50.0)],
                           [record('en', 62.0), record('es', 60.0)]]})  # fmt: skip
    assert shown['ours'] == [
        '61.00±1.41/41.00±1.41',
        '55.00±7.07/35.00±7.07',
        '58.00±4.24/38.00±4.24',
    ]
    assert shown['ours, k = 5'][0] == '71.00±1.41'


def test_one_seed_has_no_deviation_and_a_missing_record_no_cell():
    shown = rows(
        {'ours': [[record('en', 60.0), record('es', 50.0)]], 'base': [[record('en', 1.0)]]}
    )
    assert shown['ours'] == ['60.00/40.00', '50.00/30.00', '55.00/35.00']
    assert shown['base'] == ['1.00/-19.00', '', '']


def test_crossed_pairs_are_left_out():
    shown = list(spread.tables_of({'ours': [[record('en', 60.0), record('en', 1.0, 'es')]]}))
    assert [table.rows[0][1] for table in shown[:1]] == ['60.00/40.00']
    assert 'mlqa/test: F1/EM (seeds: 1' in tables.text(shown[0])
