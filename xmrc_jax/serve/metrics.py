"""What a server counts, in the text format of Prometheus."""

from collections import Counter
from collections.abc import Mapping


class Metrics:
    """Requests to ``/answer``; written to by one thread, the server's."""

    def __init__(self):
        self.requests, self.seconds, self.errors = 0, 0.0, Counter()

    def count(self, status: int, seconds: float) -> None:
        """A request that was answered with a status after some seconds."""
        self.requests += 1
        self.seconds += seconds
        if status >= 400:
            self.errors[status] += 1

    def text(self, queued: int, batches: Mapping[int, int]) -> str:
        """All numbers, those of the queue and of the batches (by their queries) among them.

        Example:
          >>> metrics = Metrics()
          >>> metrics.count(200, 0.5)
          >>> metrics.count(422, 0.25)
          >>> lines = metrics.text(3, {1: 7, 4: 2}).splitlines()
          >>> print(*(line for line in lines if not line.startswith('#')), sep='\\n')
          xmrc_requests_total 2
          xmrc_errors_total{status="422"} 1
          xmrc_request_seconds_sum 0.75
          xmrc_request_seconds_count 2
          xmrc_queue_questions 3
          xmrc_batches_total{questions="1"} 7
          xmrc_batches_total{questions="4"} 2
        """
        seconds = {'_sum': self.seconds, '_count': self.requests}
        parts = (
            _part('xmrc_requests_total', 'counter', 'requests to /answer', {'': self.requests}),
            _part('xmrc_errors_total', 'counter', 'those refused', _by('status', self.errors)),
            _part('xmrc_request_seconds', 'summary', 'until the answer', seconds),
            _part('xmrc_queue_questions', 'gauge', 'questions that wait', {'': queued}),
            _part('xmrc_batches_total', 'counter', 'batches, by size', _by('questions', batches)),
        )
        return ''.join(parts)


def _by(label: str, counts: Mapping[int, int]) -> dict[str, int]:
    return {f'{{{label}="{key}"}}': count for key, count in sorted(counts.copy().items())}


def _part(name: str, kind: str, meaning: str, numbers: Mapping[str, float]) -> str:
    head = f'# HELP {name} {meaning}\n# TYPE {name} {kind}\n'
    return head + ''.join(f'{name}{more} {number}\n' for more, number in numbers.items())
