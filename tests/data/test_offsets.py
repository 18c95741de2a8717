"""Characters and pieces, against plain loops."""

import numpy as np
import pytest

from xmrc_jax.data.offsets import cover, occurrences, trimmed
from xmrc_jax.data.squad import Answer, Question


def smallest(chars_U2, start, end):
    """The shortest run of visible pieces that holds [start, end), the first of equals; else -1."""
    best = None
    for first, (low, past) in enumerate(chars_U2):
        for last in range(first, len(chars_U2)):
            ends = low < past and chars_U2[last][0] < chars_U2[last][1]
            if ends and low <= start and end <= chars_U2[last][1]:
                if best is None or last - first < best[1] - best[0]:
                    best = first, last
                break
    return list(best) if best else [-1, -1]


@pytest.mark.parametrize('seed', range(20))
def test_a_span_covers_characters_with_as_few_pieces_as_can_be(seed):
    random = np.random.default_rng(seed)
    ends = np.cumsum(random.integers(1, 4, 12))  # pieces adjoin, so every text is covered
    chars_U2 = np.stack([np.append(0, ends[:-1]), ends], axis=1)
    starts = random.integers(0, ends[-1], 30)
    chars_K2 = np.stack([starts, np.minimum(starts + random.integers(1, 6, 30), ends[-1])], axis=1)
    expected = [smallest(chars_U2.tolist(), *chars) for chars in chars_K2.tolist()]
    assert cover(chars_U2, chars_K2).tolist() == expected


def test_a_character_of_no_piece_is_not_covered():
    chars_U2 = np.array([[0, 2], [3, 5]])  # character 2 was dropped
    chars_K2 = np.array([[2, 3], [1, 4], [5, 6]])
    assert cover(chars_U2, chars_K2).tolist() == [[-1, -1], [0, 1], [-1, -1]]


def test_spaces_are_cut_off_and_a_blank_piece_marks_itself():
    # ' ab', a blank that claims the space behind it, 'c'.
    chars_U2 = np.array([[0, 3], [3, 4], [4, 5]])
    found = trimmed(chars_U2, ' ab c', np.array([False, True, False]))
    assert found.tolist()[0] == [1, 3]
    assert found.tolist()[2] == [4, 5]
    assert found[1, 0] >= found[1, 1]


def test_all_places_of_an_answer_overlapping_ones_too():
    questions = [
        Question('1', text='?', passage='aaa b', answers=(Answer(1, 'aa'), Answer(4, 'b'))),
        Question('2', text='?', passage='none', answers=()),
    ]
    places_O3, gold_O = occurrences(questions)
    assert places_O3.tolist() == [[0, 0, 2], [0, 1, 3]]  # of the first answer
    assert gold_O.tolist() == [False, True]
