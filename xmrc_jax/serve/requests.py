"""The body of a request to queries, or to the one line for which it is refused."""

import json
from typing import NamedTuple

from starlette.exceptions import HTTPException

from xmrc_jax.data.queries import EITHER, Query, check

FIELDS = ('question', 'context', 'contexts', 'n_best')
SHOWN = 5  # answers to a question that does not say how many


class Wanted(NamedTuple):
    """A question with its passages, and how many answers it wants."""

    query: Query
    n_best: int


class Request(NamedTuple):
    """What is wanted, whether it came as a list, and how many passages it is asked of, each counted
    for each question."""

    wanted: tuple[Wanted, ...]
    listed: bool
    passages: int


def parsed(body: bytes, n_best: int, most: int) -> Request:
    """A request's questions.

    Args:
      body: JSON, a question or a list of questions.
      n_best: the most answers that can be wanted.
      most: the most passages.

    Raises:
      HTTPException: 400, it is not JSON; 413, too many passages; 422, it cannot be asked.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f'not JSON: {str(error) or "nested too deep"}') from None
    listed = isinstance(content, list)
    records = content if listed else [content]
    if not records:
        raise HTTPException(422, 'an empty list; ask at least one question')
    if (passages := sum(map(_passages, records))) > most:
        raise HTTPException(413, f'{passages} passages; ask of up to {most} at once')
    each = (
        _wanted(f'[{at}]: ' if listed else '', record, n_best, at)
        for at, record in enumerate(records)
    )
    return Request(tuple(each), listed, passages)


def _passages(record: object) -> int:
    """How many a record asks of, as far as it can be read."""
    several = record.get('contexts') if isinstance(record, dict) else None
    return len(several) if isinstance(several, list) else 1


def _wanted(where: str, record: object, most: int, at: int) -> Wanted:
    """A record's question; ``where`` begins the line that says what is wrong with it."""
    fault, n_best = '', SHOWN
    if not isinstance(record, dict):
        fault = 'not a JSON object with a question and a context'
    elif unknown := sorted(record.keys() - FIELDS):
        fault = f'unknown field {unknown[0][:40]!r}; there are {", ".join(FIELDS)}'
    elif ('context' in record) == ('contexts' in record):
        fault = EITHER
    elif not isinstance(record.get('contexts', []), list):
        fault = 'contexts not a list'
    else:
        n_best = record.get('n_best', min(SHOWN, most))
        if type(n_best) is not int or not 1 <= n_best <= most:
            fault = f'n_best not a number from 1 to {most}'
    if fault:
        raise HTTPException(422, where + fault)
    passages = tuple(record.get('contexts', [record.get('context')]))
    query = check(Query(where, str(at), record.get('question'), passages))
    if not query.fault and any('\0' in text for text in (query.question, *passages)):
        raise HTTPException(422, f'{where}a NUL character in its text')
    if query.fault:
        raise HTTPException(422, where + query.fault)
    return Wanted(query, n_best)
