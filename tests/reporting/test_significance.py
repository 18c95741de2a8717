"""Differences between systems, question by question, and their table."""

import dataclasses

import numpy as np

from tests.reporting import made
from xmrc_jax.reporting import runs
from xmrc_jax.reporting.outcomes import Outcomes
from xmrc_jax.reporting.significance import in_words, question_differences, significance_table


def test_differences_are_paired_by_seed_and_question(tmp_path):
    right = [{'base': (0,), 'two_stage': (0, 1)}, {'base': (1,), 'two_stage': (0, 1)}]
    folders = [made.run(tmp_path / str(seed), each, seed=seed) for seed, each in enumerate(right)]
    (study,) = runs.read(folders, made.setup_of)
    outcomes = Outcomes(lambda folder: made.corpora())
    languages, em_QIC, f1_QIC = question_differences(*study.entries, 'mlqa/test', outcomes)
    assert languages == list(made.LANGUAGES)
    # Seed 0 wins question 1, seed 1 wins question 0.
    assert np.array_equal(em_QIC[:, 0, 0], [0, 100, 0, 0, 0, 0, 0, 0])
    assert np.array_equal(em_QIC[:, 1, 0], [100, 0, 0, 0, 0, 0, 0, 0])
    assert (f1_QIC[:2].sum(axis=1) > 0).all()
    assert not outcomes.missing


def test_significance_is_against_the_first_row(tmp_path):
    right = {'base': (), 'two_stage': tuple(range(8))}
    study = made.study_of(made.run(tmp_path / 'run', right))
    table = significance_table(study, 'mlqa/test', Outcomes(lambda folder: made.corpora()))
    assert table.rows[0] == ['two_stage minus base']
    # All won in every resample: the interval is a point, p is 2 / 10,001.
    assert made.row(table, 'mean of 6')[4:] == ['+100.00', '+100.00 to +100.00', '0.0002']


def said(tmp_path, right):
    study = made.study_of(made.run(tmp_path / 'run', right))
    return list(in_words(study, 'mlqa/test', Outcomes(lambda folder: made.corpora())))


def test_words_say_who_is_better_and_whether_that_is_decided(tmp_path):
    # All eight questions won in every resample, then all lost, then one of eight won, then none.
    won, lost, one, none = (
        said(tmp_path / name, right)
        for name, right in (
            ('won', {'base': (), 'two_stage': tuple(range(8))}),
            ('lost', {'base': tuple(range(8)), 'two_stage': ()}),
            ('one', {'base': (0,), 'two_stage': (0, 1)}),
            ('none', {'base': (0,), 'two_stage': (0,)}),
        )
    )
    assert won[1] == (
        'On mlqa/test (mean of 6) two_stage has 100.00 EM more than base; the paired 95 % '
        'interval, +100.00 to +100.00, leaves out 0: two_stage is better.'
    )
    assert lost[1].endswith('interval, -100.00 to -100.00, leaves out 0: base is better.')
    assert 'two_stage has 12.50 EM more than base' in one[1]
    assert one[1].endswith('+37.50, holds 0: which is better is not decided.')
    assert ' two_stage has the EM of base; ' in none[1]
    assert [' F1 ' in line for line in won] == [True, False]


def test_words_give_the_difference_of_every_seed(tmp_path):
    # Of eight questions one more is right with the first seed, one fewer with the second.
    rights = {1: {'base': (0,), 'two_stage': (0, 1)}, 2: {'base': (0, 1), 'two_stage': (0,)}}
    folders = [made.run(tmp_path / str(seed), rights[seed], seed=seed) for seed in rights]
    (study,) = runs.read(folders, made.setup_of)
    _, em = in_words(study, 'mlqa/test', Outcomes(lambda folder: made.corpora()))
    assert ' two_stage has the EM of base; ' in em
    assert em.endswith('which is better is not decided. By seed: +12.50, -12.50.')


def test_of_one_reader_there_is_nothing_to_say(tmp_path):
    study = made.study_of(made.run(tmp_path / 'run', {'base': (0, 1), 'two_stage': ()}))
    alone = dataclasses.replace(study, entries=study.entries[:1])
    outcomes = Outcomes(lambda folder: made.corpora())
    assert list(in_words(alone, 'mlqa/test', outcomes)) == []
