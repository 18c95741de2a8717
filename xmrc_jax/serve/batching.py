"""Requests of the same moment, answered as one batch by one thread.

While a batch is computed others wait and become the next one; nobody waits for company. Knows
neither HTTP nor how a query is answered.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import islice
from queue import Full
from typing import Generic, NamedTuple, TypeVar

Query = TypeVar('Query')
Result = TypeVar('Result')


class Waiting(NamedTuple):
    """The queries of a request, their passages, and where their results are awaited."""

    queries: tuple
    passages: int
    future: Future


class Batching(Generic[Query, Result]):
    """A queue with a bound, and the one thread that empties it; to be used in a ``with``.

    At the end of the block what is queued is answered; what comes later is refused.

    Args:
      answer: a result for each of several queries, in their order.
      batch: passages that are answered at once; a request that has more is a batch of its own.
      bound: passages that may wait.

    Attributes:
      length: passages that wait now.
      batches: how many batches there were of how many queries.
    """

    def __init__(
        self, answer: Callable[[Sequence[Query]], Sequence[Result]], batch: int, bound: int
    ):
        self.length, self.batches = 0, Counter()
        self._ask, self._batch, self._bound = answer, batch, bound
        self._waiting: deque[Waiting] = deque()
        self._changed, self._closing = threading.Condition(), False
        self._thread = threading.Thread(target=self._work, name='batching')

    def __enter__(self) -> 'Batching[Query, Result]':
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def submit(self, queries: Sequence[Query], passages: int) -> 'Future[list[Result]]':
        """Queue the queries of a request, which have so many passages; all of them or none.

        Raises:
          Full: so many cannot wait now, or no more are answered.
        """
        waiting = Waiting(tuple(queries), passages, Future())
        with self._changed:
            if self._closing or self.length + passages > self._bound:
                raise Full
            self._waiting.append(waiting)
            self.length += passages
            self._changed.notify()
        return waiting.future

    def _work(self) -> None:
        while taken := self._take():
            awaited = [each for each in taken if each.future.set_running_or_notify_cancel()]
            if awaited:
                self._answer(awaited)

    def _take(self) -> list[Waiting]:
        """The requests of the next batch; none when all is answered and no more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            taken, passages = [], 0
            while self._waiting:
                more = self._waiting[0].passages
                if taken and passages + more > self._batch:
                    break
                taken.append(self._waiting.popleft())
                passages += more
            self.length -= passages
            return taken

    def _answer(self, requests: Sequence[Waiting]) -> None:
        queries = [query for each in requests for query in each.queries]
        try:
            results = iter(self._ask(queries))
        except Exception as error:
            if len(requests) == 1:
                requests[0].future.set_exception(error)
                return
            for each in requests:  # one by one, so that it is told to the one whose fault it is
                self._answer([each])
            return
        self.batches[len(queries)] += 1
        for each in requests:
            each.future.set_result(list(islice(results, len(each.queries))))
