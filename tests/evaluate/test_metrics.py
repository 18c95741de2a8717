"""Both metrics against values worked out by hand from the official rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmrc_jax.data.squad import Answer, Question
from xmrc_jax.evaluate import metrics
from xmrc_jax.ground.errors import UserError

LANGUAGES = ('ar', 'de', 'en', 'es', 'hi', 'vi', 'zh')


def f1_of(precision, recall):
    return (2 * precision * recall) / (precision + recall)


def question(id_, *golds):
    return Question(id_, text='', passage='', answers=tuple(Answer(0, gold) for gold in golds))


def test_records_that_were_not_asked_score_0():
    questions = [question('1', 'Ada'), question('2', 'Ada Fenwick')]
    answers = {'1': 'Ada', '2': 'Ada'}
    # F1 of question 2 is 2/3; one of four is exact.
    scored = metrics.score(questions, answers, 'squad', 'en', records=4)
    assert scored == {'exact_match': 25.0, 'f1': pytest.approx(100 * (1 + 2 / 3) / 4)}


@pytest.mark.parametrize(
    ('metric', 'language', 'prediction', 'gold', 'exact_match', 'f1'),
    [
        # Lower case, then punctuation, then articles: 'A.n' becomes 'an' and goes.
        ('squad', 'en', 'A.n apple', 'apple', 1, 1.0),
        ('mlqa', 'en', 'A.n apple', 'apple', 1, 1.0),
        # Punctuation is removed, not replaced by a space.
        ('mlqa', 'en', 'The Lantern-Society', 'lanternsociety', 1, 1.0),
        # A region or script has no rules of its own.
        ('mlqa', 'es-AR', 'la Ada', 'Ada', 1, 1.0),
        ('mlqa', 'zh-Hant', '九月', '九', 0, f1_of(1 / 2, 1)),
        # Both normal forms are empty: equal, but without a shared word.
        ('squad', 'en', 'a', 'the', 1, 0.0),
        # Shared words are counted as a bag: one b and one c of three words each.
        ('squad', 'en', 'b b c', 'b c c', 0, f1_of(2 / 3, 2 / 3)),
        # Curly quotes are Unicode punctuation but not ASCII; a dollar is ASCII; a euro is neither.
        ('mlqa', 'en', '“Ada”', 'Ada', 1, 1.0),
        ('squad', 'en', '“Ada”', 'Ada', 0, 0.0),
        ('mlqa', 'en', '$5', '5', 1, 1.0),
        ('mlqa', 'en', '€5', '5', 0, 0.0),
        # Spanish articles: 2 of 3 words shared where they stay.
        ('mlqa', 'es', 'la Casa Blanca', 'Casa Blanca', 1, 1.0),
        ('squad', 'es', 'la Casa Blanca', 'Casa Blanca', 0, f1_of(2 / 3, 2 / 2)),
        ('mlqa', 'es', 'Unos, unas; el los las', 'un', 1, 0.0),
        # German articles are whole words.
        ('mlqa', 'de', 'einem der Häuser', 'Häuser', 1, 1.0),
        ('mlqa', 'de', 'Dieter', 'ter', 0, 0.0),
        # The Arabic article goes anywhere: both are 'م ية'.
        ('mlqa', 'ar', 'المالية', 'مالية', 1, 1.0),
        ('mlqa', 'ar', 'المالية', 'م ية', 1, 1.0),
        ('squad', 'ar', 'المالية', 'مالية', 0, 0.0),
        ('mlqa', 'ar', 'البيت الأبيض', 'بيت أبيض', 1, 1.0),
        ('mlqa', 'ar', '1876؟', '1876', 1, 1.0),
        # Hindi has no articles, not even English ones; the danda is punctuation.
        ('mlqa', 'hi', '१९४७।', '१९४७', 1, 1.0),
        ('squad', 'hi', '१९४७।', '१९४७', 0, 0.0),
        ('mlqa', 'hi', 'the ताज', 'ताज', 0, f1_of(1 / 2, 1 / 1)),
        # Vietnamese: 2 of 4 words shared where the articles stay.
        ('mlqa', 'vi', 'Của những Hà Nội', 'hà nội', 1, 1.0),
        ('squad', 'vi', 'Của những Hà Nội', 'hà nội', 0, f1_of(2 / 4, 2 / 2)),
        # Chinese: '1876', '年', '9', '月' against '1876', '年'; a single word for SQuAD.
        ('mlqa', 'zh', '1876年9月', '1876年', 0, f1_of(2 / 4, 2 / 2)),
        ('squad', 'zh', '1876年9月', '1876年', 0, 0.0),
        # Mixed: five characters and one word; the middle dot is punctuation.
        ('mlqa', 'zh', '艾达·芬威克 Ada', '艾达芬威克', 0, f1_of(5 / 6, 5 / 5)),
        ('mlqa', 'zh', 'iPhone 手机。', 'iphone手 机', 1, 1.0),
        # Outside U+4E00..U+9FA5 nothing is split: 㐀㐁 is one word.
        ('mlqa', 'zh', '㐀㐁', '㐀', 0, 0.0),
    ],
)
def test_an_answer_scores_as_the_official_rules_say(
    metric, language, prediction, gold, exact_match, f1
):
    scores = metrics.score([question('q', gold)], {'q': prediction}, metric, language)
    assert scores == {'exact_match': 100.0 * exact_match, 'f1': 100.0 * f1}


def test_the_best_gold_counts_and_unanswered_questions_score_zero(capsys):
    questions = [question('1', 'x y', 'z'), question('2', 'x'), question('3', 'x')]
    # 1: exact on its second gold; 2: unanswered; 3: 1 of 2 words right; 'other' is no question.
    predictions = {'1': 'Z', '3': 'x y', 'other': 'x'}
    scores = metrics.score(questions, predictions, 'squad', 'en')
    assert scores == {'exact_match': 100.0 * 1 / 3, 'f1': 100.0 * (1.0 + f1_of(1 / 2, 1.0)) / 3}
    assert capsys.readouterr().err == 'Unanswered question 2 will receive score 0.\n'


def test_the_sum_is_rounded_after_every_question():
    # F1 0.8 each: added up one by one, ten of them make 7.999999999999999 (their exact sum is 8).
    questions = [question(str(number), 'x y') for number in range(10)]
    predictions = {str(number): 'x y z' for number in range(10)}
    assert metrics.score(questions, predictions, 'squad', 'en')['f1'] == 79.99999999999999


def test_top_k_counts_a_hit_among_the_k_best():
    questions = [question(id_, gold) for id_, gold in (('1', 'x'), ('2', 'y'), ('3', 'z'))]
    texts = {'1': ['y', 'The x'], '2': ['y', 'y'], '3': []}
    top_k = metrics.top_k_exact_match(questions, texts, (1, 2, 20), 'squad', 'en')
    assert top_k == {1: 100.0 * 1 / 3, 2: 100.0 * 2 / 3, 20: 100.0 * 2 / 3}


def test_no_answer_is_an_empty_answer_for_top_k_too():
    questions = [question('1', 'the'), question('2', 'x')]  # the first gold's normal form is empty
    best = metrics.score(questions, {'1': '', '2': ''}, 'squad', 'en')
    top_k = metrics.top_k_exact_match(questions, {'1': [], '2': []}, (1,), 'squad', 'en')
    assert top_k[1] == best['exact_match'] == 50.0


@pytest.mark.parametrize(
    ('questions', 'metric', 'language', 'message'),
    [
        ([question('1', 'x')], 'bleu', 'en', "unknown metric 'bleu': choose from mlqa,"),
        ([question('1', 'x')], 'mlqa', 'fr', "no rules for language 'fr': choose from ar, de"),
        ([], 'squad', 'en', 'no questions'),
    ],
)
def test_what_cannot_be_scored_is_said(questions, metric, language, message):
    with pytest.raises(UserError, match=message):
        metrics.score(questions, {'1': 'x'}, metric, language)
    with pytest.raises(UserError, match=message):
        metrics.top_k_exact_match(questions, {'1': ['x']}, (1,), metric, language)


@pytest.mark.parametrize('metric', ['squad', 'squad2', 'mlqa'])
def test_a_question_without_gold_answers_is_right_where_its_answer_is_empty(metric):
    questions = [question('1'), question('2'), question('3', 'x'), question('4')]
    # The normal form of 'the' is empty, too.
    answers = {'1': '', '2': 'x', '3': '', '4': 'the'}
    assert metrics.score(questions, answers, metric, 'en') == {'exact_match': 50.0, 'f1': 50.0}
    texts = {'1': ['x', ''], '2': ['x'], '3': ['', 'x'], '4': []}
    top_k = metrics.top_k_exact_match(questions, texts, (1, 2), metric, 'en')
    assert top_k == {1: 25.0, 2: 75.0}


def test_squad_2_does_not_count_gold_answers_whose_normal_form_is_empty():
    questions = [question('1', 'the', 'x'), question('2', 'the')]
    answers = {'1': 'a', '2': 'a'}
    assert metrics.score(questions, answers, 'squad', 'en') == {'exact_match': 100.0, 'f1': 0.0}
    assert metrics.score(questions, answers, 'squad2', 'en') == {'exact_match': 50.0, 'f1': 50.0}


ANSWERS = st.text(st.sampled_from('aAnbx TheLaUn.,-·।“ \n1年月ال'), max_size=12)
METRICS = st.sampled_from([('squad', 'en')] + [('mlqa', language) for language in LANGUAGES])


@given(st.one_of(ANSWERS, st.text(max_size=12)), METRICS)
def test_a_normal_form_is_its_own_normal_form(answer, metric):
    name, language = metric
    form = metrics.METRICS[name](answer, language)
    assert metrics.METRICS[name](form, language) == form
    assert form == ' '.join(form.split())


@given(ANSWERS, ANSWERS, METRICS)
def test_f1_is_symmetric_and_full_only_for_the_same_words(left, right, metric):
    name, language = metric
    left, right = metrics.METRICS[name](left, language), metrics.METRICS[name](right, language)
    assert metrics.f1(left, right) == pytest.approx(metrics.f1(right, left))
    same = bool(left) and sorted(left.split()) == sorted(right.split())
    assert (metrics.f1(left, right) == 1.0) == same
