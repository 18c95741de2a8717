"""Records to cells: columns in order, means within a seed, labels that say what was chosen."""

from pathlib import Path

from tests.reporting.test_scores import record
from xmrc_jax.reporting import runs
from xmrc_jax.reporting.cells import columns_of, f1_and_em, label, over_seeds, seeds_done, texts


def entry(*trials):
    """A row of as many seeds; one without records has not come to its end."""
    made = (runs.Run(Path(str(seed)), tuple(records)) for seed, records in enumerate(trials))
    return runs.Entry('ours', 'base', tuple(map(runs.Trial, range(len(trials)), made)))


def study_of(*entries):
    return runs.Study('', '', entries, Path())


def test_columns_are_languages_in_the_papers_order_and_their_means():
    languages = ('zh', 'vi', 'hi', 'ar', 'de', 'es', 'en')
    crossed = record('en', question_language='es')
    columns = columns_of(study_of(entry([*map(record, languages), crossed])), 'mlqa/test')
    assert list(columns) == ['en', 'es', 'de', 'ar', 'hi', 'vi', 'zh', 'mean of 7', 'mean of 6']
    assert columns['en'] == [('en', 'en')]
    assert ('zh', 'zh') not in columns['mean of 6']
    assert columns_of(study_of(entry([crossed])), 'mlqa/test') == {}


def test_means_are_taken_within_a_seed_then_over_seeds():
    # 60 and 62: mean 61, deviation sqrt(2); means over languages 55 and 61: 58, sqrt(18).
    ours = entry(
        [record('en', f1=60.0), record('es', f1=50.0)],
        [record('en', f1=62.0), record('es', f1=60.0)],
    )
    columns = columns_of(study_of(ours), 'mlqa/test')
    assert texts(over_seeds(ours, 'mlqa/test', columns, f1_and_em), columns) == [
        '61.00/41.00 ±1.41/1.41',
        '55.00/35.00 ±7.07/7.07',
        '58.00/38.00 ±4.24/4.24',
    ]


def test_a_seed_that_lacks_a_cell_lacks_its_means_and_is_counted_out():
    ours = entry([record('en', f1=60.0), record('es', f1=50.0)], [record('en', f1=62.0)], [])
    columns = columns_of(study_of(ours), 'mlqa/test')
    found = over_seeds(ours, 'mlqa/test', columns, f1_and_em)
    assert texts(found, columns) == ['61.00/41.00 ±1.41/1.41', '50.00/30.00', '55.00/35.00']
    assert seeds_done(ours, found) == '2 of 3'
    assert over_seeds(ours, 'xquad/test', columns, f1_and_em) == {}


def test_a_system_named_for_its_choice_is_not_named_twice():
    assert label(entry([record('en')])) == 'ours'
    chosen = runs.Run(Path(), (record('en', system='base@oracle'),))
    oracle = runs.Entry('ours', 'base@oracle', (runs.Trial(0, chosen),))
    assert label(oracle) == 'ours (chosen on the test set)'
