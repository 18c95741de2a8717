"""The command: one real process over localhost, and one line for every mistake."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip('uvicorn')

from tests.conftest import RECORDS, status_of
from tests.several import HANG
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
        lines = [running.stdout.readline() for _ in range(3)]
        assert [line.partition(': ')[0] for line in lines] == ['reader', 'compiled', 'serving'], (
            running.stderr.read()
        )
        yield running, lines[-1].split()[1]
    finally:
        running.kill()
        running.communicate()


def post(address, content):
    request = urllib.request.Request(f'{address}answer', json.dumps(content).encode())
    with urllib.request.urlopen(request, timeout=HANG) as response:
        return json.loads(response.read())


def test_sigterm_answers_what_is_queued_and_ends(exported):
    passage = PASSAGE * 100  # some 500 windows: seconds
    content = {'question': QUESTION, 'context': passage}
    with process(exported, '--batch_size', 1) as (running, address), ThreadPoolExecutor(6) as pool:
        assert address.startswith('http://127.0.0.1:')
        alone = post(address, content)
        asked = [pool.submit(post, address, content) for _ in range(6)]
        while queued(address) < 5:  # one is computed
            assert not any(each.done() for each in asked)
        running.send_signal(signal.SIGTERM)
        assert [each.result(HANG) for each in asked] == [alone] * 6
        assert running.wait(HANG) == 0
        assert running.stderr.read() == ''
        with pytest.raises(OSError, match='refused'):
            post(address, content)


def queued(address):
    with urllib.request.urlopen(f'{address}metrics', timeout=HANG) as response:
        lines = response.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith('xmrc_queue'))


@pytest.fixture
def own_signals():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures('own_signals')
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


@pytest.fixture(scope='module')
def address(exported):
    with process(exported) as (_, address):
        yield address


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', [360, 1400])
def test_the_page_marks_the_answers_in_the_text(browser, address, width, scheme):
    page = browser.new_page(viewport={'width': width, 'height': 800}, color_scheme=scheme)
    messages, requests = [], []
    page.on('console', lambda message: messages.append(message.text))
    page.on('pageerror', lambda error: messages.append(str(error)))
    page.on('request', lambda request: requests.append(request.url))
    page.goto(address)
    passage = f'😀 <b onclick="alert(1)">{PASSAGE}</b>'
    page.keyboard.type(QUESTION)  # the question has the focus
    page.keyboard.press('Tab')
    page.keyboard.insert_text(passage)
    page.keyboard.press('Control+Enter')
    page.wait_for_selector('li')
    answers = post(address, {'question': QUESTION, 'context': passage})['n_best']
    assert page.locator('li bdi').all_text_contents() == [each['text'] for each in answers]
    shares = [f'{100 * each["probability"]:.1f} %' for each in answers]
    assert page.locator('li span').all_text_contents() == shares
    assert 'not how likely they are right' in page.text_content('#numbers')  # never calibrated
    assert page.locator('#text').text_content() == passage
    assert page.locator('#text b').count() == 0
    held = {at for each in answers for at in range(each['start'], each['end'])}
    marked = ''.join(page.locator('mark').all_text_contents())
    assert marked == ''.join(passage[at] for at in sorted(held))
    page.locator('li button').nth(1).focus()
    page.keyboard.press('Enter')
    assert page.locator('mark').all_text_contents() == [answers[1]['text']]
    assert page.evaluate('document.documentElement.scrollWidth') <= width
    paper = page.evaluate('getComputedStyle(document.body).backgroundColor')
    assert (paper == 'rgb(255, 255, 255)') == (scheme == 'light')
    assert messages == []
    assert {url.removeprefix(address) for url in requests} - {'data:,'} == {'', 'health', 'answer'}
    page.close()


def test_right_to_left_text_runs_right_to_left_and_a_refusal_is_said(browser, address):
    page = browser.new_page()
    page.goto(address)
    page.fill('#question', RECORDS[1][2])
    page.fill('#context', RECORDS[1][1])
    page.click('#ask')
    page.wait_for_selector('li')
    for element in ('#question', '#context', '#text'):
        assert page.eval_on_selector(element, 'e => getComputedStyle(e).direction') == 'rtl'
    page.fill('#context', 'x' * 300_000)
    page.click('#ask')
    page.wait_for_selector('#status.bad')
    assert page.text_content('#status') == 'more than 262144 bytes'
    assert page.locator('li').count() == 0
    page.close()


def test_the_description_is_shown(browser, address):
    page = browser.new_page()
    page.goto(f'{address}docs')
    page.wait_for_selector('h2')
    assert page.locator('h2').all_text_contents() == ['POST /answer', 'GET /health', 'GET /metrics']
    page.close()
