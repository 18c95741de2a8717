"""Which questions of two sets are the same."""

import pytest

from xmrc_jax.data.overlap import Known
from xmrc_jax.data.squad import Question

HERE = 'Founded in 1876.', 'When?'


def questions(id_, passage, text):
    return [Question(id_, text, passage, ())]


@pytest.mark.parametrize('id_', ['7', 'q7', 'test-0007', 'Frage 123456', '000000'])
@pytest.mark.parametrize(
    ('other', 'expected'),
    [
        (('By Ada Fenwick.', 'Who?'), (0, 0)),
        (('By Ada Fenwick.', 'When?'), (1, 0)),
        (('Founded in 1876.', 'Who?'), (1, 1)),
        (HERE, (1, 1)),
    ],
)
def test_an_id_that_counts_needs_more_than_itself(id_, other, expected):
    assert Known(questions(id_, *HERE)).shared_with(questions(id_, *other)) == expected


@pytest.mark.parametrize(
    'id_', ['56be4db0acb8001400a502ec', '1234567', 'q1234567', 'ferry', 'bridge-year', 'a1b', '7b']
)
def test_any_other_id_tells_alone(id_):
    known = Known(questions(id_, *HERE))
    assert known.shared_with(questions(id_, 'By Ada Fenwick.', 'Who?')) == (1, 0)


def test_a_passage_tells_alone_and_each_counts_once():
    others = questions('q1', *HERE) * 2 + questions('q2', HERE[0], 'Where?')
    assert Known(questions('x', HERE[0], 'Who?')).shared_with(others) == (0, 1)


@pytest.mark.parametrize('copied', ['Fu\u0308r  alle\ngebaut. ', 'F\u00fcr alle gebaut.'])
def test_white_space_and_normal_form_make_no_other_text(copied):
    known = Known(questions('q1', 'F\u00fcr alle gebaut.', 'F\u00fcr wen?'))
    assert known.shared_with(questions('q1', copied, 'Wann?')) == (1, 1)
    assert known.shared_with(questions('q1', 'Im Jahr 1876.', ' Fu\u0308r\twen?')) == (1, 0)
    assert known.shared_with(questions('q1', 'F\u00fcralle gebaut.', 'F\u00fcrwen?')) == (0, 0)


def test_of_questions_with_one_id_any_may_be_the_same():
    german = questions('q1', 'Im Jahr 1876.', 'Wann?')
    assert Known(questions('q1', *HERE) + german).shared_with(german) == (1, 1)
