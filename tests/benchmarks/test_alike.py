"""The command that asks one reader in every way."""

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('starlette')
pytest.importorskip('playwright')

from benchmarks import alike
from benchmarks.alike import Alike
from tests.conftest import CHROMIUM, RECORDS
from xmrc_jax.data.squad import Answer, Question

QUESTIONS = [
    Question(id_, question, passage, (Answer(passage.index(answer), answer),))
    for id_, passage, question, answer, _ in RECORDS
]


def test_a_tiny_reader_answers_alike_in_all_four_ways(exported, tmp_path):
    found = alike.compared(exported, QUESTIONS, tmp_path)
    assert found == dict.fromkeys(('server', 'StableHLO', 'torch'), Alike(4, 0, 0))


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason='no Chromium here')
def test_and_on_the_page(exported, tmp_path):
    found = alike.compared(exported, QUESTIONS, tmp_path, CHROMIUM)
    assert found['page'] == Alike(4, 0, 0)


def test_a_text_that_differs_is_near_where_two_scores_are():
    lead_Q = np.array([2e-4, 2e-4, 5e-5, 0.0])
    assert alike.alike('abcd', 'abcd', lead_Q) == Alike(4, 0, 0)
    assert alike.alike('abcd', 'axxx', lead_Q) == Alike(1, 2, 1)
