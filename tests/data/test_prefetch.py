"""Items are put in order, a little ahead; exceptions and ends reach the other side."""

import threading

import pytest

from tests.several import HANG
from xmrc_jax.data.prefetch import prefetch
from xmrc_jax.ground.errors import UserError


def test_prefetch_keeps_order_and_works_ahead():
    put, both = [], threading.Event()

    def record(item):
        put.append(item)
        if len(put) == 3:
            both.set()
        return -item

    items = prefetch(iter(range(5)), record, ahead=2)
    assert next(items) == 0
    assert both.wait(HANG)  # items 1 and 2 are put while the consumer holds item 0
    assert list(items) == [-1, -2, -3, -4]
    assert put == list(range(5))


def test_prefetch_is_never_further_ahead():
    put = []
    items = prefetch(range(50), put.append, ahead=2)
    next(items)
    next(items)
    items.close()
    assert len(put) <= 4  # two taken, two ahead


@pytest.mark.parametrize('where', ['source', 'put'])
def test_exceptions_surface_in_the_consumer(where):
    def source():
        yield 1
        if where == 'source':
            raise UserError('bad record')
        yield 2

    def put(item):
        if item == 2:
            raise UserError('bad record')
        return item

    items = prefetch(source(), put)
    assert next(items) == 1
    with pytest.raises(UserError, match='bad record'):
        next(items)


def test_a_consumer_that_stops_stops_the_thread():
    items = prefetch(range(10**9), lambda item: item)
    for item in items:
        if item == 3:
            break
    items.close()
    assert not [thread for thread in threading.enumerate() if 'prefetch' in thread.name]
