"""The language tags behind a file's name: one of BCP 47, or a passage's and a question's.

Owns how a tag is written: ``es``, ``pt-BR``, ``zh-Hant``, ``es-419``; a pair of them with a colon,
``pt-BR:en``, or a hyphen where no region can be meant, ``es-en``.
"""

import re

TAG = re.compile(r'[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?')


def primary(tag: str) -> str:
    """The language of a tag, whatever its script and region: ``pt`` of ``pt-BR``."""
    return tag.partition('-')[0]


def pair(written: str, known: frozenset[str]) -> tuple[str, str]:
    """The languages of passages and questions.

    Args:
      written: a tag or a pair of tags.
      known: languages that are taken for the question's behind a hyphen, also where a region has
        the same two letters.

    Raises:
      ValueError: it is neither, or may be both; says how to write it.

    Example:
      >>> known = frozenset({'en', 'ar'})
      >>> pair('pt-BR', known), pair('pt-BR:en', known), pair('es-ar', known)
      (('pt-BR', 'pt-BR'), ('pt-BR', 'en'), ('es', 'ar'))
    """
    if TAG.fullmatch(written):
        return written, written
    tags = tuple(written.split(':'))
    if len(tags) == 2 and all(map(TAG.fullmatch, tags)):
        return tags
    hyphened = re.fullmatch('([a-z]{2,3})-([a-z]{2,3})', written)
    if not hyphened:
        raise ValueError(
            f'no language {written!r}; end in one such as @es or @pt-BR, or in those of passages '
            'and questions, such as @es-en or @pt-BR:en'
        )
    c, q = hyphened.groups()
    if len(q) == 2 and q not in known | {c}:
        raise ValueError(
            f'{written!r} may be a language with a region, or two languages; write '
            f'@{c}-{q.upper()} for the region, @{c}:{q} for passages in {c} and questions in {q}'
        )
    return c, q
