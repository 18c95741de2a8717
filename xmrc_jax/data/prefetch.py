"""The thread that works ahead of whoever takes batches."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def prefetch(iterator: Iterable, put: Callable[[Any], Any], ahead: int = 2) -> Iterator:
    """``map(put, iterator)``, computed by one thread up to ``ahead`` >= 1 items in advance.

    An exception of either surfaces where the consumer asks for the item. A consumer that stops
    early (``close``, or the end of its loop) stops the thread.

    >>> list(prefetch([1, 2, 3], lambda batch: 10 * batch))
    [10, 20, 30]
    """
    items, end = iter(iterator), object()

    def work():
        item = next(items, end)
        return end if item is end else put(item)

    worker = ThreadPoolExecutor(1, thread_name_prefix='prefetch')
    try:
        waiting = deque(worker.submit(work) for _ in range(ahead))
        while (result := waiting.popleft().result()) is not end:
            waiting.append(worker.submit(work))
            yield result
    finally:
        worker.shutdown(cancel_futures=True)
