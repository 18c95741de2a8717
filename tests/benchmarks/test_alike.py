"""The command that asks one reader in four ways."""

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('starlette')

from benchmarks import alike
from benchmarks.alike import Alike
from tests.conftest import RECORDS
from xmrc_jax.data.squad import Answer, Question


def test_a_tiny_reader_answers_alike_in_all_four_ways(exported, tmp_path):
    questions = [
        Question(id_, question, passage, (Answer(passage.index(answer), answer),))
        for id_, passage, question, answer, _ in RECORDS
    ]
    found = alike.compared(exported, questions, tmp_path)
    assert found == dict.fromkeys(('server', 'StableHLO', 'torch'), Alike(4, 0, 0))


def test_a_text_that_differs_is_near_where_two_scores_are():
    lead_Q = np.array([2e-4, 2e-4, 5e-5, 0.0])
    assert alike.alike('abcd', 'abcd', lead_Q) == Alike(4, 0, 0)
    assert alike.alike('abcd', 'axxx', lead_Q) == Alike(1, 2, 1)
