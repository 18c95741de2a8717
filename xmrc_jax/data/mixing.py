"""Questions in one language on passages in another, put together from translations joined by id.

After mixMRC (Yuan et al. 2020): what they say is that the question or the passage of an example is
replaced by its translation; that an epoch takes each passage once, with its question in a language
drawn for it, is this project's reading. The gold always is the passage's own.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xmrc_jax.data.defects import counted
from xmrc_jax.data.squad import Corpus, Question
from xmrc_jax.ground.errors import UserError

# Which passages are asked in all languages, given the language of the first corpus.
MIXES = {
    'none': lambda question, first: False,
    'question': lambda question, first: question.context_language == first,
    'pairs': lambda question, first: True,
}


def mixed(
    questions: Sequence[Question], corpora: Sequence[Corpus], mix: str
) -> tuple[Question, ...]:
    """Each passage with its question in every language that some corpus has it in.

    Args:
      questions: whose passages are used; of one passage in one language the first counts.
      corpora: where the question of an id is looked for in other languages.
      mix: a key of ``MIXES``; 'none' gives the questions back as they are, 'question' leaves out
        the passages that are not in the first corpus's language.

    Raises:
      UserError: no question is there in two languages.

    Example:
      >>> en = Question('q1', 'When?', 'In 1876.', ())
      >>> de = Question('q1', 'Wann?', 'Es war 1876.', (), '', 'de', 'de')
      >>> corpora = [Corpus('', (each,), '', '', '', '', '', ()) for each in (en, de)]
      >>> [(each.text, each.passage) for each in mixed([en, de], corpora, 'pairs')][:2]
      [('When?', 'In 1876.'), ('Wann?', 'In 1876.')]
    """
    if mix == 'none':
        return tuple(questions)
    texts: dict[str, dict[str, str]] = {}
    for question in (each for corpus in corpora for each in corpus.questions):
        texts.setdefault(question.id, {}).setdefault(question.question_language, question.text)
    if all(len(own) == 1 for own in texts.values()):
        raise UserError(
            f'data.mix={mix}: no question of data.train is there in two languages; name '
            'translations whose ids are those of the original'
        )
    first = corpora[0].questions[0].context_language
    passages: dict[tuple[str, str], Question] = {}
    for question in questions:
        if MIXES[mix](question, first):
            passages.setdefault((question.id, question.context_language), question)
    return tuple(
        replace(passage, text=text, question_language=language)
        for passage in passages.values()
        for language, text in texts[passage.id].items()
    )


def originals(questions: Sequence[Question]) -> list[str]:
    """Of each question's passage and all its translations the one that stands for them.

    Passages in two languages are translations where a question of one id is asked of both.

    Example:
      >>> en = Question('q1', 'When?', 'In 1876.', ())
      >>> de = Question('q1', 'Wann?', 'Es war 1876.', (), '', 'de', 'de')
      >>> originals([en, de, Question('q2', 'Wer?', 'Es war 1876.', (), '', 'de', 'de')])
      ['In 1876.', 'In 1876.', 'In 1876.']
    """
    before: dict[str, str] = {}

    def first(passage: str) -> str:
        while (earlier := before.setdefault(passage, passage)) != passage:
            passage = earlier
        return passage

    asked: dict[str, Question] = {}
    for question in questions:
        known = asked.setdefault(question.id, question)
        mine, theirs = first(question.passage), first(known.passage)
        if known.context_language != question.context_language:
            before[mine] = theirs
    return [first(question.passage) for question in questions]


def examples(questions: Sequence[Question]) -> np.ndarray:
    """The passage that each question is asked of, as a number: int32 [Q]."""
    numbers: dict[tuple[str, str], int] = {}
    return np.array(
        [numbers.setdefault((q.id, q.context_language), len(numbers)) for q in questions], np.int32
    )


def summary(questions: Sequence[Question], read: Sequence[Question]) -> dict:
    """What ``mixed`` gave, JSON-ready: questions by pair of languages, and, the first five of them
    named, ids with one language and ids of which it left a question out.

    Args:
      questions: what it gave.
      read: what it was given. Left out are questions on a passage in whose language another one has
        their id, and those of whose id no passage is in the first language where that is asked for.
    """
    languages: dict[str, set[str]] = {}
    for question in questions:
        languages.setdefault(question.id, set()).add(question.question_language)
    alone = [id_ for id_, own in languages.items() if len(own) == 1]
    pairs = Counter(f'{each.context_language}-{each.question_language}' for each in questions)
    asked = {(each.id, each.context_language): each.passage for each in questions}
    lost = dict.fromkeys(
        each.id
        for each in read
        if asked.get((each.id, each.context_language), each.passage) != each.passage
        or each.id not in languages
    )
    return {
        'passage-question': dict(sorted(pairs.items())),
        'without_partner': counted(alone),
        'left_out': counted(list(lost)),
    }


def line(questions: Sequence[Question], read: Sequence[Question]) -> str:
    """The same for the screen."""
    known = summary(questions, read)
    alone, lost = (
        f'{known[name]["count"]} questions {what}{_ids(**known[name])}'
        for name, what in (
            ('without_partner', 'have no translation'),
            ('left_out', 'are left out: another passage has the id, or none in the first language'),
        )
    )
    pairs = len(known['passage-question'])
    found = f'mixed: {pairs} pairs of languages; an epoch asks each passage once; {alone}'
    return f'{found}; {lost}' if known['left_out']['count'] else found


def _ids(count: int, first_ids: Sequence[str]) -> str:
    return f' ({", ".join(first_ids)}{", .." * (count > len(first_ids))})' * bool(count)
