"""What the embedded corpus says in each language: one structure, and where its answers stand."""

import datetime
import random
import re

import pytest

from xmrc_jax.data import encyclopedia, telling

LANGUAGES = telling.LANGUAGES


def test_every_language_has_the_same_sentences():
    """One structure, one set of slots in every template; sentences name their subject once."""

    def shape(node):
        if isinstance(node, dict):
            return {key: shape(value) for key, value in node.items()}
        if isinstance(node, list):
            return [shape(value) for value in node]
        return sorted(re.findall(r'{(\w*)}', node))

    english = shape(telling.WORDS['en'])
    for language in LANGUAGES:
        assert shape(telling.WORDS[language]) == english, language
    for kind, slots in telling.KINDS.items():
        facts = [sentence for variants in english[kind]['facts'].values() for sentence in variants]
        for sentence in facts + english[kind]['asides']:
            assert sentence.count('S') == 1
            assert set(sentence) - {'S'} <= set(english[kind]['questions']) <= set(slots)


@pytest.mark.parametrize(
    ('sentences', 'passage', 'find'),
    [
        (
            [('asides', 0), ('facts', 'birth', 0)],
            'A street in the river port of Velmora is named after the painter Ada Fenwick. '
            'The painter was born in 1876 in the river port of Velmora.',
            str.rindex,
        ),
        (
            [('facts', 'birth', 1), ('asides', 0)],
            'In 1876 the painter Ada Fenwick was born in the river port of Velmora. '
            'A street in the river port of Velmora is named after the painter.',
            str.index,
        ),
    ],
)
def test_an_answer_starts_in_the_sentence_that_states_it(sentences, passage, find):
    """An aside repeats the birthplace before or after; the gold is where the birth is told."""
    article = telling.Article(
        id='train-0000-person',
        kind='person',
        fillers={
            'craft': ('craft', 0),
            'person': ('person', ['Ada'], ('Fen', 'wick')),
            'birthplace': ('place', 1, ('Vel', 'mora')),
            'birth': ('date', 2, datetime.date(1876, 9, 3)),
        },
        sentences=sentences,
        questions=[('birthplace', 0), ('birth', 1)],
    )
    place, date = telling.questions(article, 'en')
    assert place.passage == date.passage == passage
    assert place.text == 'Where was the painter Ada Fenwick born?'
    assert place.answers == ((find(passage, 'the river port'), 'the river port of Velmora'),)
    assert date.answers == ((passage.index('1876'), '1876'),)
    german = telling.questions(article, 'de')[0]
    assert 'in der Hafenstadt Velmora geboren.' in german.passage
    assert german.answers[0].text == 'Hafenstadt Velmora'


@pytest.mark.parametrize('language', LANGUAGES)
def test_spans_are_what_facts_say_and_what_is_said_instead(language):
    names = encyclopedia.names_of(0, 'train')
    article = encyclopedia.draw('1', names, random.Random(2))
    text, spans = telling.passage(article, language)
    asked = {
        question.id.split('-')[2]: question for question in telling.questions(article, language)
    }
    for slot, _ in article.questions:
        start, end = spans[slot]
        assert (start, text[start:end]) == asked[slot].answers[0]
    slot = article.questions[0][0]
    before, behind = telling.around(article, slot, language)
    other, others = telling.passage(article, language, {slot: (before, '***', behind)})
    start, end = others[slot]
    assert other[start:end] == '***'
    assert other[:start] == text[:start]
    assert other[end:] == text[spans[slot][1] :]
