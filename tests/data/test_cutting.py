"""The cut into windows, array by array; what a whole set of windows promises is in test_windows."""

import tracemalloc

import numpy as np
import pytest

from tests.conftest import RECORDS
from xmrc_jax.data import squad
from xmrc_jax.data.cutting import BLOCK, backend_of, cut, encoded


@pytest.fixture
def questions(squad_file):
    return squad.read(squad_file).questions


@pytest.mark.parametrize(('max_tokens', 'stride'), [(64, 8), (40, 3), (32, 0)])
def test_a_window_is_its_runs_end_to_end(questions, tokenizer, max_tokens, stride):
    size = {'max_tokens': max_tokens, 'stride': stride, 'max_question_tokens': 16}
    found = cut(questions, tokenizer, **size)
    bounds_W2 = found['bounds_W2']
    assert bounds_W2[0, 0] == 0
    assert bounds_W2[-1, 1] == len(found['ids_T'])
    assert (bounds_W2[1:, 0] == bounds_W2[:-1, 1]).all()
    lengths_W = bounds_W2[:, 1] - bounds_W2[:, 0]
    assert lengths_W.max() <= max_tokens
    # <s> question </s> </s> passage </s>: four special tokens.
    inside_W = np.diff(found['question_W2'])[:, 0] + np.diff(found['passage_W2'])[:, 0]
    assert (lengths_W == inside_W + 4).all()
    assert set(found['question_W']) == set(range(len(RECORDS)))


def test_the_backend_neither_cuts_nor_pads(tokenizer):
    tokenizer('a b c', truncation=True, max_length=3, padding='max_length')
    backend = backend_of(tokenizer)
    assert backend.truncation is None
    assert backend.padding is None


def test_texts_are_encoded_one_by_one_beyond_a_block(tokenizer):
    texts = ['Ada'] * (BLOCK + 1) + ['Lisbon']
    codes = list(encoded(backend_of(tokenizer), texts, 'text'))
    assert len(codes) == len(texts)
    assert codes[-1].ids != codes[0].ids == codes[BLOCK].ids


def test_memory_does_not_grow_with_occurrences_times_windows(tokenizer):
    # 4,000 places of 'a' in 800 windows or more: 8 bytes for each pair alone were 25 MB.
    question = squad.Question('q', 'Ada', 'a ' * 4000, (squad.Answer(0, 'a'),))
    tracemalloc.start()
    try:
        found = cut([question], tokenizer, max_tokens=16, stride=0, max_question_tokens=4)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found['bounds_W2']) >= 800
    assert len(found['repeats_C3']) == 4000
    assert peak < 10e6
