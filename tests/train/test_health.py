"""Health: a step that goes wrong is named one step later, with its questions."""

import json

import numpy as np
import pytest

from xmrc_jax.ground.errors import UserError
from xmrc_jax.train.health import NAMED, Health


def vitals(loss=1.0, norm=2.0, stop=0.0):
    return {
        'now_3': np.float32([loss, norm, stop]),
        'norms': {'reader/span/kernel': np.float32(norm)},
    }


def ids(step):
    return [f'q{step}-{number}' for number in range(NAMED + 2)]


def test_a_stop_is_reported_one_step_later(tmp_path):
    health = Health(tmp_path, ids)
    assert not health.add(0, vitals(stop=1.0))
    assert health.add(1, vitals())
    assert not health.check()
    assert not health.check()  # nothing is pending
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(('loss', 'norm'), [(np.nan, 2.0), (np.inf, 2.0), (1.0, np.nan)])
def test_what_is_not_finite_ends_the_run_and_is_written_down(loss, norm, tmp_path):
    health = Health(tmp_path, ids)
    health.add(4, vitals(loss, norm))
    with pytest.raises(UserError, match=f'the loss of step 5 is {loss}; .*q4-0, .* and 2 more;'):
        health.add(5, vitals())
    facts = json.loads((tmp_path / 'failure.json').read_text())
    assert (facts['step'], facts['loss'], facts['questions']) == (5, str(loss), ids(4))
    assert facts['gradient_norms'] == {'reader/span/kernel': str(norm)}
