"""Kinds of errors, question words, and differences between systems."""

import numpy as np
import pytest

from tests.reporting import made
from xmrc_jax.data.squad import Answer, Question
from xmrc_jax.reporting import runs
from xmrc_jax.reporting.outcomes import (
    Outcomes,
    answer_length,
    differences,
    error_type,
    question_word,
)


def asked(passage, gold, language='en'):
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
    question = asked('Ham has the tower of Ham. in May', 'tower of Ham')
    assert error_type(question, answer, exact, 'mlqa') == kind


def test_every_gold_answer_has_boundaries():
    passage = 'built in 1876 or 1877'
    question = Question('q', '?', passage, (Answer(9, '1876'), Answer(17, '1877')))
    assert error_type(question, 'or 1877', False, 'squad') == 'one boundary right'


def test_arabic_article_moves_no_boundary():
    # The metric removes the letters of the article wherever they stand.
    question = asked('زار المدينة القديمة أمس', 'المدينة', 'ar')
    assert error_type(question, 'مدينة القديمة', False, 'mlqa') == 'one boundary right'


@pytest.mark.parametrize(
    ('text', 'language', 'word'),
    [
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
    assert answer_length(asked(passage, passage)) == '7+'


def test_differences_are_paired_by_seed_and_question(tmp_path):
    right = [{'base': (0,), 'two_stage': (0, 1)}, {'base': (1,), 'two_stage': (0, 1)}]
    folders = [made.run(tmp_path / str(seed), each, seed=seed) for seed, each in enumerate(right)]
    (study,) = runs.read(folders)
    outcomes = Outcomes(lambda folder: made.corpora())
    languages, em_QSC, f1_QSC = differences(study, outcomes, 0, 1, 'mlqa/test')
    assert languages == list(made.LANGUAGES)
    # Seed 0 wins question 1, seed 1 wins question 0.
    assert np.array_equal(em_QSC[:, 0, 0], [0, 100, 0, 0, 0, 0, 0, 0])
    assert np.array_equal(em_QSC[:, 1, 0], [100, 0, 0, 0, 0, 0, 0, 0])
    assert (f1_QSC[:2].sum(axis=1) > 0).all()
    assert not outcomes.missing


def test_data_that_changed_are_told_and_not_used(tmp_path):
    (study,) = runs.read([made.run(tmp_path / 'run')])
    run = study.runs[0]
    fewer = Outcomes(lambda folder: [(c, q[:-1]) for c, q in made.corpora()])
    assert fewer.of(run, run.records[0]) is None
    assert 'other questions' in fewer.missing[0]

    def moved(folder):
        for corpus, questions in made.corpora():
            yield corpus, [Question(q.id, q.text, q.passage, (Answer(0, '1'),)) for q in questions]

    other = Outcomes(moved)
    assert other.of(run, run.records[0]) is None
    assert 'other gold answers' in other.missing[0]
