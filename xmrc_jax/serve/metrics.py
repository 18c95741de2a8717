"""What a server counts of each reader, in the text format of Prometheus."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Metrics:
    """Requests to a reader; written to by one thread, the server's."""

    def __init__(self):
        self.requests, self.seconds, self.errors = 0, 0.0, Counter()

    def count(self, status: int, seconds: float) -> None:
        """A request that was answered with a status after some seconds."""
        self.requests += 1
        self.seconds += seconds
        if status >= 400:
            self.errors[status] += 1


class Reading(NamedTuple):
    """A reader's numbers now: with its metrics the passages that wait, and how many batches there
    were of how many questions."""

    metrics: Metrics
    queued: int
    batches: Mapping[int, int]


def text(of_each: Mapping[str, Reading]) -> str:
    """All numbers of all readers, by their names.

    Example:
      >>> metrics = Metrics()
      >>> metrics.count(200, 0.5)
      >>> metrics.count(422, 0.25)
      >>> lines = text({'base': Reading(metrics, 3, {1: 7, 4: 2})}).splitlines()
      >>> print(*(line for line in lines if not line.startswith('#')), sep='\\n')
      xmrc_requests_total{reader="base"} 2
      xmrc_errors_total{reader="base",status="422"} 1
      xmrc_request_seconds_sum{reader="base"} 0.75
      xmrc_request_seconds_count{reader="base"} 2
      xmrc_queue_passages{reader="base"} 3
      xmrc_batches_total{reader="base",questions="1"} 7
      xmrc_batches_total{reader="base",questions="4"} 2
    """
    heads = (
        ('xmrc_requests_total', 'counter', 'requests to /answer'),
        ('xmrc_errors_total', 'counter', 'those refused'),
        ('xmrc_request_seconds', 'summary', 'until the answer'),
        ('xmrc_queue_passages', 'gauge', 'passages that wait'),
        ('xmrc_batches_total', 'counter', 'batches, by size'),
    )
    lines = [_numbers(name, *reading) for name, reading in of_each.items()]
    return ''.join(
        f'# HELP {name} {meaning}\n# TYPE {name} {kind}\n'
        + ''.join(f'{name}{rest}\n' for own in lines for rest in own[place])
        for place, (name, kind, meaning) in enumerate(heads)
    )


def _numbers(
    reader: str, metrics: Metrics, queued: int, batches: Mapping[int, int]
) -> tuple[list[str], ...]:
    """Of each metric what stands behind its name, line by line."""
    own = f'{{reader="{reader}"}}'
    return (
        [f'{own} {metrics.requests}'],
        list(_by(reader, 'status', metrics.errors)),
        [f'_sum{own} {metrics.seconds}', f'_count{own} {metrics.requests}'],
        [f'{own} {queued}'],
        list(_by(reader, 'questions', batches)),
    )


def _by(reader: str, label: str, counts: Mapping[int, int]) -> Iterable[str]:
    for key, count in sorted(counts.copy().items()):
        yield f'{{reader="{reader}",{label}="{key}"}} {count}'
