"""Questions in one language on passages in another: every pair, the gold in the passage's."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from xmrc_jax.data import mixing, squad
from xmrc_jax.data.encyclopedia import LANGUAGES, Passages, write
from xmrc_jax.data.squad import Answer, Corpus, Question
from xmrc_jax.ground.errors import UserError


@pytest.fixture(scope='module')
def corpora(tmp_path_factory):
    """The embedded corpus, which is parallel: 3 passages of 4 questions in six languages."""
    folder = tmp_path_factory.mktemp('parallel')
    write(folder, Passages(train_passages=3, dev_passages=1, test_passages=1), seed=5)
    return [
        squad.read(
            folder / f'encyclopedia/train.{language}.json',
            context_language=language,
            question_language=language,
        )
        for language in LANGUAGES
    ]


def questions_of(corpora):
    return [question for corpus in corpora for question in corpus.questions]


def test_all_36_pairs_are_there_and_the_gold_is_the_passages_own(corpora):
    original = {(q.id, q.context_language): q for q in questions_of(corpora)}
    found = mixing.mixed(questions_of(corpora), corpora, 'pairs')
    assert len(found) == 12 * 36
    assert {(q.context_language, q.question_language) for q in found} == set(
        product(LANGUAGES, LANGUAGES)
    )
    for question in found:
        passage = original[question.id, question.context_language]
        asked = original[question.id, question.question_language]
        assert (question.passage, question.answers) == (passage.passage, passage.answers)
        assert question.text == asked.text
        for answer in question.answers:
            assert question.passage[answer.start :].startswith(answer.text)


def test_of_the_question_side_alone_passages_stay_in_the_first_language(corpora):
    found = mixing.mixed(questions_of(corpora), corpora, 'question')
    assert {q.context_language for q in found} == {'en'}
    assert len(found) == 12 * 6
    assert {q.question_language for q in found} == set(LANGUAGES)


def test_without_mixing_nothing_changes(corpora):
    questions = questions_of(corpora)
    assert mixing.mixed(questions, corpora, 'none') == tuple(questions)


def test_of_a_share_of_the_passages_questions_come_from_all(corpora):
    chosen = questions_of(corpora)[:2]  # English alone
    found = mixing.mixed(chosen, corpora, 'pairs')
    assert [q.question_language for q in found] == 2 * list(LANGUAGES)


def one(id_, language, text='When?'):
    return Question(id_, text, 'In 1876.', (Answer(3, '1876'),), '', language, language)


def corpus(*questions):
    return Corpus('', questions, '', '', '', '', '', ())


def test_a_passage_that_two_files_hold_counts_once():
    read = [corpus(one('q1', 'en')), corpus(one('q1', 'en')), corpus(one('q1', 'de'))]
    assert len(mixing.mixed(questions_of(read), read, 'pairs')) == 4


def test_a_question_without_a_translation_stays_and_is_named():
    read = [corpus(one('q1', 'en'), one('q2', 'en')), corpus(one('q1', 'de'))]
    found = mixing.mixed(questions_of(read), read, 'pairs')
    assert [(q.id, q.context_language, q.question_language) for q in found] == [
        ('q1', 'en', 'en'),
        ('q1', 'en', 'de'),
        ('q2', 'en', 'en'),
        ('q1', 'de', 'en'),
        ('q1', 'de', 'de'),
    ]
    assert mixing.summary(found, questions_of(read)) == {
        'passage-question': {'de-de': 1, 'de-en': 1, 'en-de': 1, 'en-en': 2},
        'without_partner': {'count': 1, 'first_ids': ['q2']},
        'left_out': {'count': 0, 'first_ids': []},
    }
    line = mixing.line(found, questions_of(read))
    assert line.endswith('1 questions have no translation (q2)')


def test_what_no_pair_is_made_of_is_counted_and_named():
    other = replace(one('q1', 'en'), passage='In 1876, elsewhere.')  # of a file that counts anew
    read = [corpus(one('q1', 'en')), corpus(other), corpus(one('q1', 'de'), one('q7', 'de'))]
    for mix, lost in (('pairs', ['q1']), ('question', ['q1', 'q7'])):
        found = mixing.mixed(questions_of(read), read, mix)
        assert other.passage not in {question.passage for question in found}
        left_out = mixing.summary(found, questions_of(read))['left_out']
        assert left_out == {'count': len(lost), 'first_ids': lost}
        assert f'; {len(lost)} questions are left out: ' in mixing.line(found, questions_of(read))


def test_translations_have_one_passage_that_stands_for_them(corpora):
    questions = questions_of(corpora)
    found = mixing.originals(questions)
    ids = {question.id for question in questions}
    of_ids = [{p for p, q in zip(found, questions, strict=True) if q.id == id_} for id_ in ids]
    assert len(set(found)) == 3
    assert set(map(len, of_ids)) == {1}
    # In English some questions are missing, each another one in each language.
    some = [q for number, q in enumerate(questions) if number % 5]
    assert len(set(mixing.originals(some))) == 3
    # In one language an id is not the same question, and every passage stands for itself.
    english = [one('q1', 'en'), replace(one('q1', 'en'), passage='In 1876, elsewhere.')]
    assert mixing.originals(english) == [question.passage for question in english]


def test_files_without_any_translation_are_refused_in_a_line():
    read = [corpus(one('q1', 'en')), corpus(one('q2', 'de'))]
    with pytest.raises(UserError, match=r'data\.mix=pairs: no question .* in two languages'):
        mixing.mixed(questions_of(read), read, 'pairs')


def test_an_example_is_a_passage_with_all_its_questions(corpora):
    found = mixing.mixed(questions_of(corpora), corpora, 'pairs')
    example_Q = mixing.examples(found)
    assert np.bincount(example_Q).tolist() == [6] * 72
    for first in range(0, len(found), 6):
        assert len({(q.id, q.context_language) for q in found[first : first + 6]}) == 1
        assert len(set(example_Q[first : first + 6])) == 1
