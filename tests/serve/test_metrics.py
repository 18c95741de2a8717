"""The text that Prometheus reads."""

import re

from xmrc_jax.serve.metrics import Metrics


def test_every_line_is_a_comment_or_a_number_of_a_declared_metric():
    metrics = Metrics()
    for status in (200, 200, 422, 503, 422):
        metrics.count(status, 0.125)
    lines = metrics.text(2, {16: 1, 2: 5}).splitlines()
    declared = {line.split()[2]: line.split()[3] for line in lines if line.startswith('# TYPE')}
    assert set(declared.values()) <= {'counter', 'gauge', 'summary'}
    numbers = {}
    for line in lines:
        if not line.startswith('# '):
            name, labels, number = re.fullmatch(r'(\w+)(\{\w+="\d+"\})? (\S+)', line).groups()
            assert name in declared or re.sub('_(sum|count)$', '', name) in declared
            numbers[name + (labels or '')] = float(number)
    assert numbers == {
        'xmrc_requests_total': 5,
        'xmrc_errors_total{status="422"}': 2,
        'xmrc_errors_total{status="503"}': 1,
        'xmrc_request_seconds_sum': 0.625,  # 5 / 8
        'xmrc_request_seconds_count': 5,
        'xmrc_queue_questions': 2,
        'xmrc_batches_total{questions="2"}': 5,
        'xmrc_batches_total{questions="16"}': 1,
    }
