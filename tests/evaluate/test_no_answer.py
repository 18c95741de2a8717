"""The figures of SQuAD 2.0 against its rules written down once more, to the last digit."""

import re
import string
from collections import Counter
from itertools import accumulate
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmrc_jax.data import squad
from xmrc_jax.data.squad import Answer, Question
from xmrc_jax.evaluate import no_answer
from xmrc_jax.ground.errors import UserError


def words(text):
    bare = ''.join(char for char in text.lower() if char not in string.punctuation)
    return [word for word in re.sub(r'\b(a|an|the)\b', ' ', bare).split() if word]


def agreement(gold, answer):
    """Exact match and F1 of two texts."""
    gold, answer = words(gold), words(answer)
    shared = (Counter(gold) & Counter(answer)).total()
    if not gold or not answer:
        return (float(gold == answer),) * 2
    precision, recall = shared / len(answer), shared / len(gold)
    f1 = (2 * precision * recall) / (precision + recall) if shared else 0.0
    return float(gold == answer), f1


def mean(numbers):
    return 100.0 * list(accumulate(numbers, initial=0.0))[-1] / len(numbers)


def official(questions, answers, odds, threshold):
    """By name what the script prints, from the definitions: every threshold is tried."""
    names = ('exact', 'f1')
    raw = {}
    for question in questions:
        golds = [gold.text for gold in question.answers if words(gold.text)] or ['']
        pairs = [agreement(gold, answers[question.id]) for gold in golds]
        raw[question.id] = tuple(max(each) for each in zip(*pairs, strict=True))
    kinds = {
        '': questions,
        'HasAns_': [question for question in questions if question.answers],
        'NoAns_': [question for question in questions if not question.answers],
    }
    expected = {}
    for kind, members in kinds.items():
        for place, name in enumerate(names if members else ()):
            expected[kind + name] = mean(
                [
                    float(not each.answers)
                    if (odds or {}).get(each.id, 0.0) > threshold
                    else raw[each.id][place]
                    for each in members
                ]
            )
        if members:
            expected[f'{kind}total'] = len(members)
    if odds:
        answered = {question.id: question.answers for question in questions}
        order = sorted(odds, key=odds.get)
        for place, name in enumerate(names):
            gains = [
                raw[id_][place] if answered[id_] else (-1.0 if answers[id_] else 0.0)
                for id_ in order
            ]
            reached = list(accumulate(gains, initial=float(len(kinds['NoAns_']))))
            best = reached.index(max(reached))
            expected[f'best_{name}'] = 100.0 * reached[best] / len(questions)
            expected[f'best_{name}_thresh'] = odds[order[best - 1]] if best else 0.0
    return expected


TEXTS = st.lists(st.sampled_from(['x', 'Y.', 'the', 'z', '-']), max_size=4).map(' '.join)


@given(
    st.lists(
        st.tuples(
            st.lists(TEXTS.filter(bool), max_size=3),
            TEXTS,
            st.sampled_from([-2.0, -0.5, 0.0, 0.1, 3.0]),
        ),
        min_size=1,
        max_size=12,
    ),
    st.booleans(),
    st.sampled_from([no_answer.OFFICIAL, -0.5, 0.0]),
)
def test_the_figures_are_the_official_ones(asked, with_odds, threshold):
    questions = [
        Question(str(number), '', '', tuple(Answer(-1, gold) for gold in golds))
        for number, (golds, _, _) in enumerate(asked)
    ]
    answers = {str(number): answer for number, (_, answer, _) in enumerate(asked)}
    odds = {str(number): each for number, (_, _, each) in enumerate(asked)} if with_odds else None
    found = no_answer.score(questions, answers, odds, threshold)
    assert found == official(questions, answers, odds, threshold)
    assert list(found)[:3] == ['exact', 'f1', 'total']


def test_the_figures_are_the_official_ones_on_the_real_questions(real_data):
    questions = squad.read(real_data / 'squad2' / 'dev-part-v2.0.json').questions
    random = Random(0)
    answers, odds = {}, {}
    for question in questions:
        own = [answer.text for answer in question.answers] or ['', 'the 1876 one']
        answers[question.id] = random.choice([*own, own[-1][:9], question.passage[:20]])
        odds[question.id] = random.gauss(-1.0 if question.answers else 1.0, 2.0)
    for own, threshold in ((odds, 0.25), (None, no_answer.OFFICIAL)):
        found = no_answer.score(questions, answers, own, threshold)
        assert found == official(questions, answers, own, threshold)
    assert found['NoAns_total'] == 3_168


def test_at_the_best_threshold_the_score_is_the_best():
    questions = [
        Question('1', '', '', ()),
        Question('2', '', '', (Answer(0, 'x'),)),
        Question('3', '', '', ()),
        Question('4', '', '', (Answer(0, 'x y'),)),
    ]
    answers = {'1': 'x', '2': 'x', '3': 'x', '4': 'x'}
    odds = {'1': 5.0, '2': -4.0, '3': 2.0, '4': 1.5}
    found = no_answer.score(questions, answers, odds)
    # The order is 2, 4, 3, 1: both answers are given, F1 1 and 2/3, and neither of the others.
    assert found['best_f1_thresh'] == 1.5
    assert found['best_f1'] == pytest.approx(100 * (2 + 1 + 2 / 3) / 4)
    # Answering 4 gains no exact match, so that the first of equals answers 2 alone.
    assert (found['best_exact'], found['best_exact_thresh']) == (75.0, -4.0)
    for name in ('exact', 'f1'):
        again = no_answer.score(questions, answers, odds, found[f'best_{name}_thresh'])
        assert again[name] == pytest.approx(found[f'best_{name}'])


def test_a_question_without_a_prediction_scores_0_and_is_named(capsys):
    questions = [Question('1', '', '', ()), Question('2', '', '', ())]
    found = no_answer.score(questions, {'1': ''}, {'1': 0.0, '2': 0.0})
    assert found['exact'] == 50.0
    assert capsys.readouterr().err == 'Unanswered question 2 will receive score 0.\n'


def test_odds_that_are_not_there_are_named():
    with pytest.raises(UserError, match="question '1': no null odds"):
        no_answer.score([Question('1', '', '', ())], {'1': ''}, {})
