"""What is said of dropped and mended records, and when there are too many."""

from dataclasses import replace

import pytest

from xmrc_jax.data import defects
from xmrc_jax.data.squad import Answer, Corpus, Defect, Question
from xmrc_jax.ground.errors import UserError


def corpus(kept=0, drops=(), mends=()):
    questions = tuple(
        Question(f'q{number}', 'When?', '1876', (Answer(0, '1876'),)) for number in range(kept)
    )
    return Corpus('own', questions, 'en', 'en', 'squad', 'own.json', '', drops, mends)


def dropped(number, reason='no answers'):
    return tuple(Defect(f'd{each}', reason) for each in range(number))


def test_every_reason_is_said_with_its_share():
    drops = (*dropped(2), *dropped(1, 'empty answer'), *dropped(1))
    mends = (Defect('q0', 'moved'), Defect('q1', 'moved'), Defect('q0', 'id was a number'))
    assert defects.lines(corpus(4, drops, mends)) == [
        'own: 3 of 8 records dropped: no answers',
        'own: 1 of 8 records dropped: empty answer',
        'own: 2 of 8 records mended: moved',
        'own: 1 of 8 records mended: id was a number',
    ]
    assert defects.lines(corpus(4)) == []


@pytest.mark.parametrize(
    ('kept', 'drops', 'share'),
    [(4, 0, 0.0), (3, 1, 0.25), (1, 3, 0.75), (0, 4, 1.0)],
)
def test_up_to_a_share_records_may_be_dropped(kept, drops, share):
    defects.check(corpus(kept, dropped(drops)), share)
    if drops:
        with pytest.raises(UserError, match=r'data\.max_dropped'):
            defects.check(corpus(kept, dropped(drops)), share - 0.01)


def test_a_refusal_names_file_counts_reason_and_a_record():
    drops = (*dropped(1, 'empty answer'), Defect('lost', 'no answers'), *dropped(1))
    with pytest.raises(UserError) as error:
        defects.check(corpus(1, drops), 0.5)
    assert str(error.value).startswith(
        "own.json: 3 of 4 records dropped, 2 of them for 'no answers', such as 'lost': more than "
        'data.max_dropped=0.5; '
    )


def test_what_has_no_answer_is_counted_and_no_loss():
    own = corpus(3)
    own = replace(own, questions=(*own.questions, Question('none', 'Who?', '1876', ())))
    assert defects.lines(own) == ['own: 1 of 4 questions have no answer']
    defects.check(own, 0.0)
