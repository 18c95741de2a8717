"""Differences between systems, question by question, and their table."""

import numpy as np

from tests.reporting import made
from xmrc_jax.reporting import runs
from xmrc_jax.reporting.outcomes import Outcomes
from xmrc_jax.reporting.significance import question_differences, significance_table


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
