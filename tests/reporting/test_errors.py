"""Kinds of errors, question words, lengths of answers, and their table."""

import pytest

from tests.reporting import made
from xmrc_jax.data.squad import Answer, Question
from xmrc_jax.reporting.errors import TYPES, answer_length, error_table, error_type, question_word
from xmrc_jax.reporting.outcomes import Outcomes


def question_on(passage, gold, language='en'):
    answers = (Answer(passage.index(gold), gold),)
    return Question('q', '?', passage, answers, context_language=language)


@pytest.mark.parametrize(
    ('answer', 'exact', 'kind'),
    [
        ('tower of Ham', True, 'gold'),
        ('of Ham', False, 'one boundary right'),
        ('the tower of Ham. in May', False, 'one boundary right'),  # an article moves no boundary
        ('tower of Ham.', False, 'one boundary right'),
        ('May', False, 'both wrong'),
        ('', False, 'both wrong'),
        ('Ham', False, 'one boundary right'),  # its second occurrence ends where the gold ends
    ],
)
def test_error_types(answer, exact, kind):
    question = question_on('Ham has the tower of Ham. in May', 'tower of Ham')
    assert error_type(question, answer, exact, 'mlqa') == kind


def test_every_gold_answer_has_boundaries():
    passage = 'built in 1876 or 1877'
    question = Question('q', '?', passage, (Answer(9, '1876'), Answer(17, '1877')))
    assert error_type(question, 'or 1877', False, 'squad') == 'one boundary right'


def test_arabic_article_moves_no_boundary():
    # The metric removes the letters of the article wherever they stand.
    question = question_on('زار المدينة القديمة أمس', 'المدينة', 'ar')
    assert error_type(question, 'مدينة القديمة', False, 'mlqa') == 'one boundary right'


@pytest.mark.parametrize(
    ('text', 'language', 'word'),
    [
        ('In welchem Jahr?', 'de-AT', 'which'),
        ('In which year did they ask who came?', 'en', 'which'),
        ('How many people live there?', 'en', 'how many'),
        ("What's it called?", 'en', 'what'),
        ('Name the river.', 'en', 'other'),
        ('¿En qué año nació?', 'es', 'what'),
        ('¿Por qué se fue?', 'es', 'why'),
        ('Wie viele Einwohner hat sie?', 'de', 'how many'),
        ('Wie heißt der Fluss?', 'de', 'how'),
        ('من بنى الجسر؟', 'ar', 'who'),
        ('نقل الجسر من مكانه متى؟', 'ar', 'when'),  # the same letters inside are 'from'
        ('في أي عام بني؟', 'ar', 'which'),
        ('पुल कब बनाया गया?', 'hi', 'when'),
        ('किताब किसने लिखी?', 'hi', 'who'),
        ('Cây cầu được xây khi nào?', 'vi', 'when'),
        ('Ai đã xây?', 'vi', 'who'),
        ('何年ですか', 'ja', 'other'),
    ],
)
def test_question_words(text, language, word):
    assert question_word(text, language) == word


def test_answer_length_is_that_of_the_shortest():
    passage = 'a b c d e f g h'
    assert (
        answer_length(Question('q', '?', passage, (Answer(0, passage), Answer(0, 'a b')))) == '2-3'
    )
    assert answer_length(question_on(passage, passage)) == '7+'


def test_errors_by_group(tmp_path):
    study = made.study_of(made.run(tmp_path / 'run'))
    outcomes = Outcomes(lambda folder: made.corpora())
    table = error_table(study.runs[0], ['base', 'two_stage'], 'mlqa/test', outcomes)
    assert len(table.header) == 2 + 2 * len(TYPES)
    # A wrong answer is the gold's last word: its end is right. 2 and 3 of 8 are right.
    assert made.row(table, 'all')[1:] == ['48', '25.0', '75.0', '0.0', '37.5', '62.5', '0.0']
    assert made.row(table, 'when')[1] == '48'
    assert made.row(table, 'ar')[1] == '8'


def test_a_question_without_an_answer_is_of_none_of_the_kinds(tmp_path):
    study = made.study_of(made.run(tmp_path / 'run'))
    outcomes = Outcomes(lambda folder: made.one_without())
    table = error_table(study.runs[0], ['base'], 'mlqa/test', outcomes)
    assert made.row(table, 'all')[1] == '42'
