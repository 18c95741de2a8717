"""One thread, a bound, and company only for those who wait anyway."""

import threading
from concurrent.futures import CancelledError
from queue import Full

import pytest

from tests.several import HANG
from xmrc_jax.serve.batching import Batching


class Held:
    """Doubles numbers, batch by batch, once each batch is let go; refuses 13."""

    def __init__(self):
        self.begun, self.go = threading.Semaphore(0), threading.Semaphore(0)
        self.batches, self.threads = [], set()

    def __call__(self, numbers):
        self.batches.append(list(numbers))
        self.threads.add(threading.current_thread().name)
        self.begun.release()
        assert self.go.acquire(timeout=HANG)
        if 13 in numbers:
            raise ValueError('13')
        return [2 * number for number in numbers]


@pytest.fixture
def held():
    return Held()


def submit(batching, numbers):
    """Numbers of a passage each."""
    return batching.submit(numbers, len(numbers))


def begun(held):
    assert held.begun.acquire(timeout=HANG)


def test_what_waits_while_a_batch_is_computed_is_the_next_batch(held):
    with Batching(held, batch=4, bound=10) as batching:
        first = submit(batching, [1])
        begun(held)
        others = [submit(batching, numbers) for numbers in ([2], [3, 4], [5, 6], [7])]
        assert batching.length == 6
        held.go.release(10)
        assert first.result(HANG) == [2]
        assert [each.result(HANG) for each in others] == [[4], [6, 8], [10, 12], [14]]
    assert held.batches == [[1], [2, 3, 4], [5, 6, 7]]
    assert batching.batches == {1: 1, 3: 2}
    assert batching.length == 0
    assert len(held.threads) == 1


def test_a_request_of_more_than_a_batch_is_one_by_itself(held):
    held.go.release(10)
    with Batching(held, batch=2, bound=10) as batching:
        assert submit(batching, range(7)).result(HANG) == [0, 2, 4, 6, 8, 10, 12]
    assert held.batches == [[*range(7)]]


def test_what_counts_is_passages(held):
    with Batching(held, batch=4, bound=10) as batching:
        first = batching.submit([1], 1)
        begun(held)
        others = [batching.submit(numbers, sum(numbers)) for numbers in ([3], [2], [2, 3])]
        assert batching.length == 10
        with pytest.raises(Full):
            batching.submit([1], 1)
        held.go.release(10)
        assert [each.result(HANG) for each in (first, *others)] == [[2], [6], [4], [4, 6]]
    assert held.batches == [[1], [3], [2], [2, 3]]


def test_beyond_the_bound_all_of_a_request_is_refused(held):
    with Batching(held, batch=1, bound=3) as batching:
        submit(batching, [0])
        begun(held)
        submit(batching, [1, 2])
        with pytest.raises(Full):
            submit(batching, [3, 4])
        last = submit(batching, [5])
        with pytest.raises(Full):
            submit(batching, [6])
        held.go.release(10)
        assert last.result(HANG) == [10]
        assert submit(batching, [7]).result(HANG) == [14]  # there is room again
    assert [3, 4] not in held.batches


def test_what_is_queued_at_the_end_is_answered_and_no_more_is_taken(held):
    with Batching(held, batch=1, bound=9) as batching:
        futures = [submit(batching, [number]) for number in range(4)]
        begun(held)
        held.go.release(10)
    assert [each.result(0) for each in futures] == [[0], [2], [4], [6]]
    with pytest.raises(Full):
        submit(batching, [5])


def test_what_nobody_waits_for_any_more_is_not_asked(held):
    with Batching(held, batch=9, bound=9) as batching:
        submit(batching, [0])
        begun(held)
        left, kept = submit(batching, [1]), submit(batching, [2])
        assert left.cancel()
        held.go.release(10)
        assert kept.result(HANG) == [4]
    assert held.batches == [[0], [2]]
    with pytest.raises(CancelledError):
        left.result(0)


def test_an_error_goes_to_the_request_that_causes_it(held):
    with Batching(held, batch=9, bound=9) as batching:
        submit(batching, [0])
        begun(held)
        futures = [submit(batching, numbers) for numbers in ([1, 2], [13], [3])]
        held.go.release(10)
        assert futures[0].result(HANG) == [2, 4]
        assert str(futures[1].exception(HANG)) == '13'
        assert futures[2].result(HANG) == [6]
        held.go.release(10)
        assert submit(batching, [4]).result(HANG) == [8]
