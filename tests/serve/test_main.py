"""The command: one real process over localhost, and one line for every mistake."""

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

pytest.importorskip('uvicorn')

from tests.conftest import RECORDS, status_of
from tests.several import HANG
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe.reader import Reader
from xmrc_jax.serve.__main__ import main

ROOT = Path(__file__).parents[2]
PASSAGE, QUESTION = RECORDS[0][1:3]


@contextmanager
def process(*words):
    """The server, when it serves, and its address."""
    environment = os.environ | {'JAX_PLATFORMS': 'cpu', 'PYTHONUNBUFFERED': '1'}
    running = subprocess.Popen(
        [sys.executable, '-m', 'xmrc_jax.serve', *map(str, words), '--port', '0'],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        serving = next((line for line in running.stdout if line.startswith('serving: ')), '')
        assert serving, running.stderr.read()
        yield running, serving.split()[1]
    finally:
        running.kill()
        running.communicate()


def post(address, content, reader=''):
    whom = f'?reader={reader}' if reader else ''
    request = urllib.request.Request(f'{address}answer{whom}', json.dumps(content).encode())
    with urllib.request.urlopen(request, timeout=HANG) as response:
        return json.loads(response.read())


def test_sigterm_answers_what_is_queued_and_ends(exported):
    passage = PASSAGE * 100  # some 500 windows: seconds
    content = {'question': QUESTION, 'context': passage}
    words = exported, '--batch_size', 1, '--timeout', HANG
    with process(*words) as (running, address), ThreadPoolExecutor(6) as pool:
        assert address.startswith('http://127.0.0.1:')
        alone = post(address, content)
        futures = [pool.submit(post, address, content) for _ in range(6)]
        while queued(address) < 5:  # one is computed
            assert not any(each.done() for each in futures)
        running.send_signal(signal.SIGTERM)
        assert [each.result(HANG) for each in futures] == [alone] * 6
        assert running.wait(HANG) == 0
        assert all(line.startswith('compiling: ') for line in running.stderr)
        with pytest.raises(OSError, match='refused'):
            post(address, content)


@pytest.fixture(scope='module')
def address(exported, another):
    """Of a server of two readers."""
    with process(f'one={exported}', f'other={another}') as (_, address):
        yield address


MEGABYTE = ('Ada. ' * 200_000).encode()
BROKEN = {  # bodies, and the status each is refused with
    b'': 400,
    b'{"question": "Who?", "context": "Ada.': 400,
    b'{"question": "\xff", "context": "Ada."}': 400,
    b'[[[[' * 5000: 400,
    b'{"question": "Who?", "context": ""}': 422,
    b'{"question": ["Who?"], "context": {"text": 7}}': 422,
    b'{"question": "Who?", "contexts": [null]}': 422,
    b'{"question": "Who?", "context": "Ada\\u0000."}': 422,
    b'{"question": "\\udcff?", "context": "Ada."}': 422,
    b'"' + MEGABYTE + b'"': 413,
    b'{"question": "Who?", "context": "' + MEGABYTE + b'"}': 413,
}


@pytest.mark.parametrize('count', [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_nothing_is_lost_among_requests_of_which_some_are_broken(address, count):
    good = {
        json.dumps({'question': question, 'context': passage}).encode(): None
        for _, passage, question, *_ in RECORDS
    }
    expected = {body: sent(address, [body])[0] for body in good}
    draw = random.Random(0)
    bodies = [draw.choice(list(BROKEN if draw.random() < 0.05 else good)) for _ in range(count)]
    before, clients = counted(address), 16
    with ThreadPoolExecutor(clients) as pool:
        shares = [bodies[client::clients] for client in range(clients)]
        answered = list(pool.map(sent, [address] * clients, shares))
    for share, answers in zip(shares, answered, strict=True):
        for body, (status, content) in zip(share, answers, strict=True):
            if body in good:
                assert status == 200
                best, alone = json.loads(content), json.loads(expected[body][1])
                assert [best[name] for name in SPAN] == [alone[name] for name in SPAN]
            else:
                assert status == BROKEN[body]
                assert len(json.loads(content)['error'].splitlines()) == 1
    now = counted(address)
    assert now.pop('requests') - before.pop('requests') == count
    of_each = Counter(BROKEN[body] for body in bodies if body in BROKEN)
    assert {status: now[status] - before.get(status, 0) for status in now} == of_each
    assert len(of_each) == 3


SPAN = ('text', 'start', 'end', 'passage')


def sent(address, bodies):
    """Status and content of each request, one after the other on a connection that is kept."""
    connection = HTTPConnection(address.split('/')[2], timeout=HANG)
    answers = []
    for body in bodies:
        connection.request('POST', '/answer', body)
        response = connection.getresponse()
        answers.append((response.status, response.read()))
    connection.close()
    return answers


def counted(address):
    """Requests to the first reader, and those refused by their status."""
    with urllib.request.urlopen(f'{address}metrics', timeout=HANG) as response:
        text = response.read().decode()
    (requests,) = re.findall(r'xmrc_requests_total{reader="one"} (\d+)', text)
    errors = re.findall(r'xmrc_errors_total{reader="one",status="(\d+)"} (\d+)', text)
    return {'requests': int(requests)} | {int(status): int(number) for status, number in errors}


def queued(address):
    with urllib.request.urlopen(f'{address}metrics', timeout=HANG) as response:
        lines = response.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith('xmrc_queue'))


def test_sigterm_ends_the_start_as_it_ends_any_program(exported, monkeypatch, capsys):
    before, during = signal.getsignal(signal.SIGTERM), []

    def compiling(_):
        during.append(signal.getsignal(signal.SIGTERM))
        raise UserError('far enough')

    monkeypatch.setattr(Reader, 'compile', compiling)
    assert status_of(lambda: main([str(exported), '--port', '0'])) == 2
    assert during == [before]


def test_mistakes_are_one_line_each(exported, tmp_path, capsys):
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = str(taken.getsockname()[1])
        for words, line in (
            ([exported, '--port', port], f'--port {port}: Address already in use'),
            ([exported, '--port', '99999'], '--port 99999: '),
            ([exported, '--host', 'no such host', '--port', '0'], '--host no such host'),
            ([tmp_path, '--port', '0'], 'no trained reader'),
        ):
            assert status_of(lambda words=words: main([*map(str, words)])) == 2
            said = capsys.readouterr().err
            assert len(said.splitlines()) == 1
            assert line in said


@pytest.mark.parametrize('library', ['starlette', 'uvicorn'])
def test_a_library_that_is_missing_is_named(library):
    program = (
        f'import sys; sys.modules[{library!r}] = None\n'
        'from xmrc_jax.ground.commands import command\n'
        'from xmrc_jax.serve.__main__ import main\n'
        'command(lambda: main(["no reader"]))'
    )
    ended = subprocess.run(
        [sys.executable, '-c', program], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert ended.stderr == (
        f'xmrc_jax: {library} is not installed; pip install starlette uvicorn (the extra [serve])\n'
    )


# -- the page --------------------------------------------------------------------------------------


# RECORDS, and two languages more: the same society in each.
TEXTS = (
    *((language, question, passage) for _, passage, question, _, language in RECORDS),
    ('es', '¿Quién la fundó?', 'La sociedad fue fundada en septiembre de 1876 por Ada Fenwick.'),
    ('vi', 'Ai đã thành lập hội?', 'Hội được Ada Fenwick thành lập vào tháng 9 năm 1876.'),
)


@pytest.mark.parametrize(('width', 'scheme'), [(360, 'light'), (1400, 'dark')])
def test_the_page_shows_two_readers_side_by_side_in_six_languages(browser, address, width, scheme):
    page = browser.new_page(viewport={'width': width, 'height': 800}, color_scheme=scheme)
    messages, requests = [], []
    page.on('console', lambda message: messages.append(message.text))
    page.on('pageerror', lambda error: messages.append(str(error)))
    page.on('request', lambda request: requests.append(request.url))
    page.goto(address)
    page.wait_for_selector('h2')
    assert page.locator('h2').all_text_contents() == ['one', 'other']
    for language, question, passage in TEXTS:
        page.fill('#question', question)
        page.fill('#context', passage)
        page.keyboard.press('Control+Enter')
        page.locator('#ask:enabled').wait_for()
        found = []
        for name in ('one', 'other'):
            section = page.locator('section').nth(len(found))
            found.append(best_of(address, name, question, passage))
            texts = [each['text'] for each in found[-1]]
            assert section.locator('li bdi').all_text_contents() == texts, language
            assert section.locator('.status').text_content().startswith(texts[0])
            assert section.locator('.text').text_content() == passage
            assert section.locator('mark').count() > 0
            direction = section.locator('.text').evaluate('e => getComputedStyle(e).direction')
            assert direction == ('rtl' if language == 'ar' else 'ltr')
        assert found[0] != found[1]
        assert page.evaluate('document.documentElement.scrollWidth') <= width
    one, other = (page.locator('section').nth(place).bounding_box() for place in range(2))
    if width == 360:  # one under the other
        assert (one['x'], one['width']) == (other['x'], other['width'])
        assert one['y'] + one['height'] <= other['y']
    else:
        assert one['y'] == other['y']
        assert one['x'] + one['width'] < other['x']
    paper = page.evaluate('getComputedStyle(document.body).backgroundColor')
    assert (paper == 'rgb(255, 255, 255)') == (scheme == 'light')
    assert messages == []
    own = {'', 'health', 'answer?reader=one', 'answer?reader=other'}
    assert {url.removeprefix(address) for url in requests} - {'data:,'} == own
    page.close()


def best_of(address, name, question, passage):
    return post(address, {'question': question, 'context': passage}, name)['n_best']


def test_the_page_marks_the_answers_in_the_text_and_one_alone_on_request(browser, address):
    page = browser.new_page()
    page.goto(address)
    page.wait_for_selector('h2')
    passage = f'😀 <b onclick="alert(1)">{PASSAGE}</b>'
    page.keyboard.type(QUESTION)  # the question has the focus
    page.keyboard.press('Tab')
    page.keyboard.insert_text(passage)
    page.keyboard.press('Control+Enter')
    own = page.locator('section').first
    own.locator('li').first.wait_for()
    answers = best_of(address, 'one', QUESTION, passage)
    shares = [f'{100 * each["probability"]:.1f} %' for each in answers]
    assert own.locator('li span').all_text_contents() == shares
    assert 'not how likely they are right' in own.locator('.numbers').text_content()
    assert own.locator('.text').text_content() == passage
    assert own.locator('.text b').count() == 0
    held = {at for each in answers for at in range(each['start'], each['end'])}
    marked = ''.join(own.locator('mark').all_text_contents())
    assert marked == ''.join(passage[at] for at in sorted(held))
    own.locator('li button').nth(1).focus()
    page.keyboard.press('Enter')
    assert own.locator('mark').all_text_contents() == [answers[1]['text']]
    page.close()


def test_a_refusal_is_said_by_each_reader(browser, address):
    page = browser.new_page()
    page.goto(address)
    page.wait_for_selector('h2')
    page.fill('#question', QUESTION)
    page.fill('#context', 'x' * 300_000)
    page.click('#ask')
    page.locator('.status.bad').nth(1).wait_for()
    messages = page.locator('.status').all_text_contents()
    assert messages == ['more than 262144 bytes'] * 2
    assert page.locator('li').count() == 0
    page.close()


def test_the_description_is_shown(browser, address):
    page = browser.new_page()
    page.goto(f'{address}docs')
    page.wait_for_selector('h2')
    assert page.locator('h2').all_text_contents() == ['POST /answer', 'GET /health', 'GET /metrics']
    page.close()
