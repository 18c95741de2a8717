"""The text that Prometheus reads."""

import re

from xmrc_jax.serve.metrics import Metrics, Reading, text


def test_every_line_is_a_comment_or_a_number_of_a_declared_metric():
    one, other = Metrics(), Metrics()
    for status in (200, 200, 422, 503, 422):
        one.count(status, 0.125)
    other.count(200, 1.5)
    readings = {'one': Reading(one, 2, {16: 1, 2: 5}), 'other': Reading(other, 0, {})}
    lines = text(readings).splitlines()
    declared = {line.split()[2]: line.split()[3] for line in lines if line.startswith('# TYPE')}
    assert len(declared) == sum(line.startswith('# TYPE') for line in lines)  # each once
    assert set(declared.values()) <= {'counter', 'gauge', 'summary'}
    numbers = {}
    for line in lines:
        if not line.startswith('# '):
            pattern = r'(\w+)(\{reader="\w+"(?:,\w+="\d+")?\}) (\S+)'
            name, labels, number = re.fullmatch(pattern, line).groups()
            assert name in declared or re.sub('_(sum|count)$', '', name) in declared
            numbers[name + labels] = float(number)
    assert numbers == {
        'xmrc_requests_total{reader="one"}': 5,
        'xmrc_requests_total{reader="other"}': 1,
        'xmrc_errors_total{reader="one",status="422"}': 2,
        'xmrc_errors_total{reader="one",status="503"}': 1,
        'xmrc_request_seconds_sum{reader="one"}': 0.625,  # 5 / 8
        'xmrc_request_seconds_count{reader="one"}': 5,
        'xmrc_request_seconds_sum{reader="other"}': 1.5,
        'xmrc_request_seconds_count{reader="other"}': 1,
        'xmrc_queue_passages{reader="one"}': 2,
        'xmrc_queue_passages{reader="other"}': 0,
        'xmrc_batches_total{reader="one",questions="2"}': 5,
        'xmrc_batches_total{reader="one",questions="16"}': 1,
    }
