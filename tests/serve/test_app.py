"""The server's answers are the Reader's; what cannot be asked costs nobody else anything."""

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip('starlette')

from starlette.testclient import TestClient

from tests.conftest import RECORDS
from tests.several import HANG
from xmrc_jax import Reader
from xmrc_jax.serve import app
from xmrc_jax.serve.app import Limits, build

PAIRS = [(question, passage) for _, passage, question, *_ in RECORDS]
LONG = ' '.join(passage for _, passage in PAIRS)
LIMITS = Limits(size=20_000, seconds=HANG, queue=8)


@contextmanager
def served(reader, limits=LIMITS):
    with TestClient(build({'own': reader}, limits), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope='module')
def client(compiled):
    with served(compiled) as client:
        yield client


def post(client, content):
    return client.post('/answer', json=content)


def numbers(client):
    """The metrics by name, those of the one reader."""
    text = client.get('/metrics').text.replace('reader="own",', '').replace('{reader="own"}', '')
    lines = text.splitlines()
    return {
        name: float(number)
        for name, number in (line.rsplit(' ', 1) for line in lines if not line.startswith('#'))
    }


def expected(answers):
    best = answers[0]._asdict()
    said = ('text', 'start', 'end', 'passage', 'probability', 'confidence')
    return {name: best[name] for name in said} | {
        'n_best': [answer._asdict() for answer in answers]
    }


def as_bytes(content):
    return json.dumps(content, ensure_ascii=False, separators=(',', ':')).encode()


@pytest.mark.parametrize(
    ('question', 'passage'), [*PAIRS, (PAIRS[0][0], LONG), ('😀?', '😀 Ada 😀.')]
)
def test_the_answer_is_the_reader_s_byte_for_byte(client, compiled, question, passage):
    response = post(client, {'question': question, 'context': passage, 'n_best': 4})
    assert response.status_code == 200
    assert response.content == as_bytes(expected(compiled.ask(question, passage, k=4)))
    assert response.json()['confidence'] is None


def test_that_there_is_no_answer_is_an_empty_text_with_the_null_score(exported):
    reader = Reader.load(exported, null_threshold=-1e6)
    question, passage = PAIRS[0]
    with served(reader) as client:
        content = post(client, {'question': question, 'context': passage, 'n_best': 2}).json()
    assert (content['text'], content['start'], content['end']) == ('', 0, 0)
    null, best = content['n_best']
    (expected, *_) = reader.ask(question, passage)
    assert (null['start_logit'], null['end_logit']) == (expected.start_logit, expected.end_logit)
    assert best['text'] != ''


def test_of_several_passages_the_answer_names_its_own(client, compiled):
    passages = [passage for _, passage in PAIRS]
    response = post(client, {'question': 'Who?', 'contexts': passages, 'n_best': 6})
    answers = compiled.ask('Who?', passages, k=6)
    assert response.content == as_bytes(expected(answers))
    assert len({answer.passage for answer in answers}) > 1


def test_a_list_is_answered_by_a_list_in_its_order(client, compiled):
    content = [{'question': question, 'context': passage} for question, passage in PAIRS]
    content[1]['n_best'] = 2
    answers = compiled.ask_all(PAIRS, k=5)
    answers[1] = answers[1][:2]
    assert post(client, content).content == as_bytes([expected(each) for each in answers])


def test_nothing_is_compiled_after_the_start(compiled, compilations):
    with served(compiled) as client:
        for questions in range(1, LIMITS.queue + 1):
            for passage in ('Ada.', PAIRS[0][1], LONG):
                content = {'question': 'Who founded it?', 'context': passage, 'n_best': 6}
                assert post(client, [content] * questions).status_code == 200
    assert compilations == []


class Held:
    """Stands for a reader's ``answer``: tells when it begins and waits to be let go, which a test
    that fails does too."""

    def __init__(self, reader, monkeypatch):
        self.begun, self.go = threading.Semaphore(0), threading.Semaphore(0)
        self._answer = reader.answer
        monkeypatch.setattr(reader, 'answer', self)

    def __call__(self, prepared):
        self.begun.release()
        assert self.go.acquire(timeout=HANG)
        return self._answer(prepared)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.go.release(99)


def wait_for(condition):
    until = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < until, 'never came'
        time.sleep(0.01)


def test_requests_of_one_moment_share_a_batch_and_too_many_are_refused(compiled, monkeypatch):
    pairs = [PAIRS[at % len(PAIRS)] for at in range(LIMITS.queue + 1)]
    alone = [compiled.ask(*pair) for pair in pairs]
    first, *others = [{'question': question, 'context': passage} for question, passage in pairs]
    held = Held(compiled, monkeypatch)
    with served(compiled) as client, ThreadPoolExecutor(9) as pool, held:
        futures = [pool.submit(post, client, first)]
        assert held.begun.acquire(timeout=HANG)
        futures += [pool.submit(post, client, other) for other in others]
        wait_for(lambda: numbers(client)['xmrc_queue_passages'] == LIMITS.queue)
        late = post(client, first)
        assert (late.status_code, late.headers['retry-after']) == (503, '1')
        assert late.json() == {'error': 'too many questions wait; ask again in a second'}
        assert client.get('/health').status_code == 200  # while it computes
        held.go.release(99)
        for each, answers in zip(futures, alone, strict=True):
            best = each.result(HANG).json()
            assert (best['text'], best['start'], best['end']) == answers[0][:3]
            assert best['probability'] == pytest.approx(answers[0].probability, rel=1e-5)
        counts = numbers(client)
    assert counts['xmrc_batches_total{questions="1"}'] == 1
    assert counts['xmrc_batches_total{questions="8"}'] == 1
    assert counts['xmrc_queue_passages'] == 0
    assert counts['xmrc_requests_total'] == counts['xmrc_request_seconds_count'] == 10
    assert counts['xmrc_errors_total{status="503"}'] == 1
    assert counts['xmrc_request_seconds_sum'] > 0


def test_what_takes_too_long_is_given_up_and_never_asked(compiled, monkeypatch):
    held = Held(compiled, monkeypatch)
    with served(compiled, Limits(20_000, 0.2, 8)) as client, ThreadPoolExecutor(2) as pool, held:
        first = pool.submit(post, client, {'question': 'Who?', 'context': 'Ada.'})
        assert held.begun.acquire(timeout=HANG)
        second = post(client, {'question': 'Who?', 'context': 'Ada.'})
        for response in (first.result(HANG), second):
            assert response.status_code == 504
            assert response.json() == {'error': 'not answered in 0.2 seconds'}
        held.go.release(99)
        wait_for(lambda: numbers(client).get('xmrc_batches_total{questions="1"}') == 1)
        assert numbers(client)['xmrc_errors_total{status="504"}'] == 2
    assert not held.begun.acquire(blocking=False)


BROKEN = [
    (b'', 400),
    (b'{"question": "Who?"', 400),
    (b'\x00\xff', 400),
    (b'{"question": "Who?", "context": 7}', 422),
    (b'{"question": "\\ud800", "context": "Ada."}', 422),
    (b'{"question": "Who?", "context": "Ada\\u0000"}', 422),
    (b'[{"question": "Who?", "context": "Ada."}, {"question": "Who?", "context": " "}]', 422),
    (json.dumps({'question': 'Who?', 'context': 'Ada. ' * 200_000}).encode(), 413),
    (json.dumps([{'question': 'Who?', 'context': 'Ada.'}] * 9).encode(), 413),
]


@pytest.mark.parametrize(('body', 'status'), BROKEN)
def test_broken_requests_get_one_line_and_the_server_lives(client, body, status):
    before = numbers(client).get(f'xmrc_errors_total{{status="{status}"}}', 0)
    response = client.post('/answer', content=body)
    assert response.status_code == status
    assert response.headers['content-type'] == 'application/json'
    (line,) = response.json().values()
    assert line
    assert len(response.text.splitlines()) == 1
    assert numbers(client)[f'xmrc_errors_total{{status="{status}"}}'] == before + 1
    assert post(client, {'question': 'Who?', 'context': 'Ada.'}).status_code == 200


def test_of_two_readers_each_answers_waits_and_is_counted_by_itself(compiled, monkeypatch):
    apart = Reader(compiled.own, max_overlap=0)
    content = {'question': 'Who?', 'context': LONG, 'n_best': 6}
    one, other = (as_bytes(expected(own.ask('Who?', LONG, k=6))) for own in (compiled, apart))
    assert one != other
    held, both = Held(compiled, monkeypatch), {'one': compiled, 'other': apart}
    with TestClient(build(both, LIMITS)) as client, ThreadPoolExecutor(1) as pool, held:
        future = pool.submit(post, client, content)  # the first, where none is named
        assert held.begun.acquire(timeout=HANG)
        assert client.post('/answer?reader=other', json=content).content == other
        held.go.release(99)
        assert future.result(HANG).content == one
        assert client.post('/answer?reader=one', json=content).content == one
        unknown = client.post('/answer?reader=nobody', json=content)
        assert (unknown.status_code, unknown.json()) == (
            404,
            {'error': "no reader 'nobody'; there are one, other"},
        )
        lines = client.get('/metrics').text.splitlines()
    for name, requests in (('one', 2), ('other', 1)):
        assert f'xmrc_requests_total{{reader="{name}"}} {requests}' in lines


def test_other_paths_and_methods_are_refused_in_json(client):
    for response, status in ((client.get('/answer'), 405), (client.get('/admin'), 404)):
        assert response.status_code == status
        assert set(response.json()) == {'error'}


def test_texts_without_tokens_are_refused_and_no_others(client, compiled, monkeypatch):
    fault = compiled.fault
    monkeypatch.setattr(
        compiled, 'fault', lambda query: 'no tokens' if query.question == '?' else fault(query)
    )
    content = [{'question': question, 'context': 'Ada.'} for question in ('Who?', '?')]
    assert post(client, content).json() == {'error': '[1]: no tokens'}
    assert post(client, content[1]).json() == {'error': 'no tokens'}
    assert post(client, content[0]).status_code == 200


def test_a_defect_is_a_line_too_and_the_server_lives(client, compiled, monkeypatch):
    monkeypatch.setattr(compiled, 'prepare', lambda queries: 1 / 0)
    response = post(client, {'question': 'Who?', 'context': 'Ada.'})
    assert response.status_code == 500
    assert response.json() == {'error': 'a defect of the server; its log says more'}
    monkeypatch.undo()
    assert post(client, {'question': 'Who?', 'context': 'Ada.'}).status_code == 200


# -- pages -----------------------------------------------------------------------------------------


def test_health_names_the_readers(client, compiled):
    assert client.get('/health').json() == {'status': 'ok', 'readers': {'own': compiled.how}}
    assert str(compiled) == f'{compiled.own.name}: {compiled.how}'


class Outside(HTMLParser):
    """Where the elements of a page point."""

    def __init__(self):
        super().__init__()
        self.targets = []

    def handle_starttag(self, tag, attributes):
        self.targets += [value for name, value in attributes if name in ('src', 'href', 'action')]


@pytest.mark.parametrize(('path', 'file'), [('/', 'page.html'), ('/docs', 'docs.html')])
def test_a_page_needs_nothing_from_outside_and_no_markup_of_the_user_s(client, path, file):
    response = client.get(path)
    assert response.headers['content-type'] == 'text/html; charset=utf-8'
    assert "default-src 'none'" in response.headers['content-security-policy']
    assert response.text == Path(app.__file__).with_name(file).read_text('utf-8')
    outside = Outside()
    outside.feed(response.text)
    for target in outside.targets:
        assert target.startswith('data:') or client.get(f'/{target}').status_code == 200
    for unsafe in ('innerHTML', 'outerHTML', 'insertAdjacentHTML', 'document.write', 'eval('):
        assert unsafe not in response.text
    assert re.findall('https?:|//cdn', response.text) == []


def test_the_description_is_of_what_the_server_does(client):
    description = client.get('/openapi.json').json()
    schemas = description['components']['schemas']
    for path, methods in description['paths'].items():
        for method in methods:
            assert client.request(method, path).status_code not in (404, 405)
    own = description['paths']['/answer']['post']
    for example in own['requestBody']['content']['application/json']['examples'].values():
        assert set(example['value']) <= set(schemas['Question']['properties'])
        best = post(client, example['value']).json()
        assert set(best) == set(schemas['Best']['properties'])
        assert set(best['n_best'][0]) == set(schemas['Answer']['properties'])
    (parameter,) = own['parameters']
    assert client.post(f'/answer?{parameter["name"]}=nobody').status_code == 404
    statuses = {str(status) for _, status in BROKEN} | {'200', '404', '503', '504'}
    assert statuses == set(own['responses'])
