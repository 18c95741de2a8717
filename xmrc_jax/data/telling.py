"""An article of the embedded corpus in words: its passage, where each answer stands, its questions.

What articles say lies beside this file: ``articles/{language}.toml`` holds the sentences and
questions of a language, ``names.toml`` the names in three scripts, ``kinds.toml`` what is drawn
for each slot of a sentence. Refuses to know how an article is drawn (``encyclopedia``).
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from xmrc_jax.data import squad

LANGUAGES = ('en', 'es', 'de', 'ar', 'hi', 'vi')


def _resource(name: str) -> dict:
    path = Path(__file__).with_name('articles') / f'{name}.toml'
    return tomllib.loads(path.read_text(encoding='utf-8'))


WORDS = {language: _resource(language) for language in LANGUAGES}
KINDS = _resource('kinds')
NAMES = _resource('names')
PIECES = NAMES['given'].copy()  # a piece of a name -> its spelling in other scripts
for _part in (*NAMES['family'].values(), *NAMES['town'].values()):
    PIECES |= _part


class Article(NamedTuple):
    """What one passage says and what is asked of it, in no language yet.

    Attributes:
      id: unique over kinds and splits.
      kind: a key of ``KINDS``.
      fillers: slot -> what fills it: a tuple of its sort and what was drawn.
      sentences: in order: ('facts', which, variant) or ('asides', variant).
      questions: (slot that is asked for, variant).
    """

    id: str
    kind: str
    fillers: dict[str, tuple]
    sentences: list[tuple]
    questions: list[tuple[str, int]]


class Passage(NamedTuple):
    """Text, and the characters [start, end) of what fills each slot of its facts."""

    text: str
    spans: dict[str, tuple[int, int]]


def slots(template: str) -> set[str]:
    """Those of a sentence or question, but not its subject."""
    return set(re.findall(r'{(\w+)}', template)) - {'S'}


def passage(
    article: Article, language: str, instead: Mapping[str, tuple[str, str, str]] | None = None
) -> Passage:
    """The sentences of an article in one of ``LANGUAGES``.

    Args:
      instead: slot -> what facts say in its place: what stands before it, the text that its span
        is of, what stands behind; by default what the article says.
    """
    table = WORDS[language][article.kind]
    said = _said(article, language)
    first, later = (_fill(subject, said)[0] for subject in table['subject'])
    text, spans = '', {}
    for section, *place in article.sentences:
        template = table[section]
        for step in place:
            template = template[step]
        words = said | {'S': ('', later if text else first, '')}
        if section == 'facts':
            words |= instead or {}
        sentence, starts = _fill(template, words)
        text += ' ' if text else ''
        if section == 'facts':
            spans |= {
                slot: (len(text) + start, len(text) + start + len(words[slot][1]))
                for slot, start in starts.items()
                if slot != 'S'
            }
        text += _capital(sentence)
    return Passage(text, spans)


def questions(article: Article, language: str) -> list[squad.Question]:
    """The questions of an article with its passage, in one of ``LANGUAGES``.

    An answer starts where the sentence that is asked for says it, even if the same text occurs
    earlier in the passage.
    """
    table = WORDS[language][article.kind]
    said = _said(article, language)
    subject = _fill(table['subject'][0], said)[0]
    text, spans = passage(article, language)
    said['S'] = ('', subject, '')
    asked = []
    for slot, variant in article.questions:
        start, end = spans[slot]
        asked.append(
            squad.Question(
                id=f'{article.id}-{slot}',
                text=_capital(_fill(table['questions'][slot][variant], said)[0]),
                passage=text,
                answers=(squad.Answer(start, text[start:end]),),
                title=_capital(subject),
                context_language=language,
                question_language=language,
            )
        )
    return asked


def around(article: Article, slot: str, language: str) -> tuple[str, str]:
    """What stands before and behind the answer that fills a slot: 'in ' and ''."""
    before, _, behind = _say(article.fillers[slot], language)
    return before, behind


def _said(article: Article, language: str) -> dict[str, tuple[str, str, str]]:
    return {slot: _say(filler, language) for slot, filler in article.fillers.items()}


def _fill(template: str, said: dict[str, tuple[str, str, str]]) -> tuple[str, dict[str, int]]:
    """The text of a template, and where in it the answer of each slot starts."""
    text, starts = '', {}
    for literal, slot in re.findall(r'([^{]*)(?:{(\w+)})?', template):
        text += literal
        if slot:
            before, answer, behind = said[slot]
            starts[slot] = len(text + before)
            text += before + answer + behind
    return text, starts


def _say(filler: tuple, language: str) -> tuple[str, str, str]:
    """A filler in words: what stands before the answer, the answer, what stands behind it."""
    words = WORDS[language]

    def name(*pieces: str) -> str:
        return ''.join(PIECES[piece].get(language, piece) for piece in pieces)

    match filler:
        case 'person', givens, family:
            both = '{}' if len(givens) == 1 else words['and']
            text = f'{both.format(*map(name, givens))} {name(*family)}'
        case 'bridge', family:
            text = words['bridges'].format(name(*family))
        case 'town', town:
            text = name(*town)
        case 'title', pair:
            text = _capital(words['and'].format(*(words['titles'][word] for word in pair)))
        case 'craft', craft:
            text = words['crafts'][craft]
        case 'society', society, town:
            text = words['societies'][society].format(name(*town))
        case 'place', form, town:
            text = words['places'][form].format(name(*town))
        case 'date', form, date:
            month = words['months'][date.month - 1]
            text = words['dates'][form].format(day=date.day, month=month, year=date.year)
        case 'number', number:
            text = str(number)
        case 'metres', number:
            text = words['metres'].format(number)
    before, answer, behind = re.split(r'[\[\]]', text if '[' in text else f'[{text}]')
    return before, answer, behind


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
