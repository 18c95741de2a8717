"""What of a corpus is not used as it stands in its file: said, and refused where it is too much.

Owns the words for it on a screen. Refuses to know why a record is dropped or mended.
"""

from collections.abc import Iterable, Sequence

from xmrc_jax.data.squad import Corpus, Defect
from xmrc_jax.ground.errors import UserError


def by_reason(listed: Iterable[Defect]) -> dict[str, list[str]]:
    """The ids of drops or mends by their reason, in order of first appearance."""
    ids: dict[str, list[str]] = {}
    for each in listed:
        ids.setdefault(each.reason, []).append(each.id)
    return ids


def counted(ids: Sequence[str]) -> dict:
    """How many there are and the first five, JSON-ready."""
    return {'count': len(ids), 'first_ids': list(ids[:5])}


def lines(corpus: Corpus) -> list[str]:
    """What was dropped of a corpus, mended in it or has no answer; none where nothing.

    Example:
      >>> drops = (Defect('q7', 'no answers'),)
      >>> lines(Corpus('own.json', (), 'en', 'en', 'squad', '', '', drops))
      ['own.json: 1 of 1 records dropped: no answers']
    """
    found = [
        f'{len(ids)} of {corpus.records} records {what}: {reason}'
        for what, listed in (('dropped', corpus.drops), ('mended', corpus.mends))
        for reason, ids in by_reason(listed).items()
    ]
    if corpus.unanswerable:
        found.append(f'{corpus.unanswerable} of {len(corpus.questions)} questions have no answer')
    return [f'{corpus.name}: {line}' for line in found]


def check(corpus: Corpus, max_dropped: float) -> None:
    """Refuse a corpus of which too much was dropped.

    Args:
      corpus: any.
      max_dropped: the greatest share of its records.

    Raises:
      UserError: the share is greater; names the most frequent reason and one such record.
    """
    dropped = len(corpus.drops)
    if dropped <= max_dropped * corpus.records:
        return
    reason, ids = max(by_reason(corpus.drops).items(), key=lambda each: len(each[1]))
    raise UserError(
        f'{corpus.source}: {dropped} of {corpus.records} records dropped, {len(ids)} of '
        f'them for {reason!r}, such as {ids[0]!r}: more than data.max_dropped={max_dropped}; mend '
        'the file (python -m xmrc_jax.audit --records lists them), or raise data.max_dropped'
    )
