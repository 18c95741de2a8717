"""Bytes to queries, or to one line."""

import json

import pytest

pytest.importorskip('starlette')

from starlette.exceptions import HTTPException

from xmrc_jax.serve.requests import parsed

ASKED = {'question': 'Who?', 'context': 'Ada.'}


def test_one_question_and_a_list_of_them():
    one = parsed(json.dumps(ASKED).encode(), 20, 2)
    assert (one.listed, one.passages) == (False, 1)
    ((query, n_best),) = one.wanted
    assert (query.question, query.passages, n_best) == ('Who?', ('Ada.',), 5)
    several = {'question': 'Où?', 'contexts': ['A.', 'B.'], 'n_best': 20}
    two = parsed(json.dumps([ASKED, several]).encode(), 20, 3)
    assert (two.listed, two.passages) == (True, 3)
    assert [(each.query.passages, each.n_best) for each in two.wanted] == [
        (('Ada.',), 5),
        (('A.', 'B.'), 20),
    ]


def test_no_more_answers_are_wanted_than_the_reader_looks_for():
    ((_, n_best),) = parsed(json.dumps(ASKED).encode(), 3, 2).wanted
    assert n_best == 3


@pytest.mark.parametrize(
    ('body', 'status', 'line'),
    [
        (b'', 400, 'not JSON: '),
        (b'{"question": "Who?", ', 400, 'not JSON: '),
        (b'\xff\xfe\xfd', 400, 'not JSON: '),
        (b'{"question": "Who\0?", "context": "Ada."}', 400, 'not JSON: '),
        (b'[' * 200_000, 400, 'not JSON: '),
        (b'{"n_best": ' + b'9' * 5000 + b'}', 400, 'not JSON: '),
        (b'[]', 422, 'an empty list'),
        (json.dumps([ASKED] * 3).encode(), 413, '3 passages; ask of up to 2 at once'),
        (b'{"question": "W?", "contexts": ["a", "b", "c"]}', 413, '3 passages; ask of up to 2 at'),
        (b'null', 422, 'not a JSON object'),
        (b'"Who?"', 422, 'not a JSON object'),
        (b'{}', 422, 'give either context, a passage, or contexts'),
        (b'{"context": "Ada."}', 422, 'question missing or not text'),
        (b'{"question": 3, "context": "Ada."}', 422, 'question missing or not text'),
        (b'{"question": "Who?", "context": null}', 422, 'passage missing or not text'),
        (b'{"question": "Who?", "contexts": "Ada."}', 422, 'contexts not a list'),
        (b'{"question": "Who?", "contexts": []}', 422, 'no passage'),
        (b'{"question": "Who?", "contexts": ["Ada.", 3]}', 422, 'passage missing or not text'),
        (b'{"question": "Who?", "context": "A", "contexts": ["B"]}', 422, 'give either context'),
        (b'{"question": " ", "context": "Ada."}', 422, 'empty question'),
        (b'{"question": "Who?", "context": "\\n"}', 422, 'empty passage'),
        (b'{"question": "Who?", "context": "A", "n-best": 3}', 422, "unknown field 'n-best'"),
        (b'{"question": "Who?", "context": "A", "n_best": 0}', 422, 'n_best not a number from 1'),
        (b'{"question": "Who?", "context": "A", "n_best": 21}', 422, 'a number from 1 to 20'),
        (b'{"question": "Who?", "context": "A", "n_best": true}', 422, 'n_best not a number'),
        (b'{"question": "Who?", "context": "A", "n_best": 1e999}', 422, 'n_best not a number'),
        (b'{"question": "Who\\u0000?", "context": "A"}', 422, 'a NUL character'),
        (b'{"question": "Who?", "context": "\\ud800"}', 422, 'unpaired surrogates in its passage'),
        (b'{"question": "\xed\xa0\x80", "context": "A"}', 422, 'unpaired surrogates in its quest'),
        (json.dumps([ASKED, {}]).encode(), 422, '[1]: give either context'),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(body, status, line):
    with pytest.raises(HTTPException) as refused:
        parsed(body, 20, 2)
    assert refused.value.status_code == status
    assert refused.value.detail.startswith(line) or line in refused.value.detail
    assert len(refused.value.detail.splitlines()) == 1
    assert len(refused.value.detail) < 300
