"""Calibration measured: closed forms, brute force, and what a report shows of it."""

import numpy as np
import pytest

from tests.reporting import made
from xmrc_jax.reporting import contents
from xmrc_jax.reporting.confidence import (
    bins,
    calibration,
    expected_calibration_error,
    risk_coverage,
)
from xmrc_jax.reporting.figures import Plot
from xmrc_jax.reporting.outcomes import Outcomes
from xmrc_jax.reporting.tables import Table


@pytest.mark.parametrize(
    ('confidence', 'right', 'error'),
    [
        ([0.5, 0.5, 0.5, 0.5], [1, 0, 1, 0], 0.0),  # as often right as it says
        ([1.0, 1.0, 1.0, 1.0], [1, 0, 1, 0], 0.5),
        ([1.0, 0.0], [0, 1], 1.0),  # always wrong of itself
        # Two bins of 3 and 1: |0.25 - 1/3| and |0.95 - 0|.
        ([0.2, 0.25, 0.29, 0.95], [0, 1, 0, 0], (3 * abs(0.74 / 3 - 1 / 3) + 0.95) / 4),
        ([0.95, 1.0], [1, 1], 0.025),  # 1 is of the last bin
    ],
)
def test_the_calibration_error_has_its_closed_form(confidence, right, error):
    own = np.array(confidence), np.array(right, bool)
    assert expected_calibration_error(*own) == pytest.approx(error)
    assert sum(each.answers for each in bins(*own)) == len(right)


@pytest.mark.parametrize(
    ('confidence', 'right', 'answered', 'wrong'),
    [
        # Perfectly ordered: no risk up to the share that is right.
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], [0.25, 0.5, 0.75, 1], [0, 0, 1 / 3, 1 / 2]),
        # Upside down.
        ([0.9, 0.1], [0, 1], [0.5, 1], [1, 1 / 2]),
        # Without any order there is one place: all or nothing.
        ([0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0], [1], [3 / 4]),
        ([0.5, 0.9, 0.5], [1, 1, 0], [1 / 3, 1], [0, 1 / 3]),
    ],
)
def test_the_risk_has_its_closed_form(confidence, right, answered, wrong):
    found = risk_coverage(np.array(confidence), np.array(right, bool))
    np.testing.assert_allclose(found[0], answered)
    np.testing.assert_allclose(found[1], wrong)


def test_the_risk_is_that_of_every_threshold():
    rng = np.random.default_rng(0)
    confidence_Q, right_Q = rng.integers(0, 20, 200) / 20, rng.random(200) < 0.4
    answered, wrong = risk_coverage(confidence_Q, right_Q)
    expected = [
        ((kept := confidence_Q >= threshold).mean(), (~right_Q[kept]).mean())
        for threshold in sorted(set(confidence_Q), reverse=True)
    ]
    np.testing.assert_allclose(np.stack([answered, wrong], axis=1), expected)
    assert wrong[-1] == pytest.approx(1 - right_Q.mean())


def outcomes():
    return Outcomes(lambda folder: made.corpora())


def test_a_calibrated_run_has_a_table_and_two_plots_for_each_system(tmp_path):
    # Right are 2 and 3 of 8; sure by 0.5, 0.54, ... 0.78 in the order of the questions.
    folder = made.run(tmp_path / 'run', confidence=lambda index: 0.5 + 0.04 * index)
    run = made.study_of(folder).finished[0]
    table, *plots = calibration(run, 'mlqa/test', outcomes(), 'own')
    assert isinstance(table, Table)
    assert [plot.name for plot in plots if isinstance(plot, Plot)] == [
        'own.base.reliability',
        'own.base.risk',
        'own.two_stage.reliability',
        'own.two_stage.risk',
    ]
    assert [row[0] for row in table.rows[:7]] == ['base', *made.LANGUAGES]
    # The first bin has 0.5, 0.54 and 0.58, of which two are right: 3 x |0.54 - 2/3| = 0.38. Of the
    # others none is: 0.62 + 0.66 + 0.7 + 0.74 + 0.78 = 3.5. Of the surer half none is right.
    assert table.rows[1] == ['en', '8', '25.0', '64.0', f'{100 * (0.38 + 3.5) / 8:.1f}', '100.0']
    diagonal, *languages = plots[0].lines
    assert (diagonal.x, diagonal.y) == ((0, 1), (0, 1))
    assert [line.label for line in languages] == list(made.LANGUAGES)
    assert plots[1].lines[0].y[-1] == 0.75


def test_a_run_that_was_not_calibrated_has_no_such_section(tmp_path):
    folder = made.run(tmp_path / 'run')
    _, sections, _ = contents.build([folder], made.Reopened, [], None)
    assert [s.title for s in sections if s.title == 'Confidence' and s.parts] == []
    other = made.run(tmp_path / 'other', confidence=lambda index: 0.5)
    _, sections, _ = contents.build([other], made.Reopened, [], None)
    (section,) = [section for section in sections if section.title == 'Confidence']
    assert len(section.parts) == 5
