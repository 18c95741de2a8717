"""The PyTorch side of the benchmark is no straw man: it finds the best answers, and is measured."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip('torch')

from benchmarks import serve
from benchmarks.parity import torch_answers
from benchmarks.torch_asker import TorchAsker
from benchmarks.torch_reader import torch_reader
from tests.conftest import RECORDS
from xmrc_jax.data.squad import Question
from xmrc_jax.data.windows import WindowSize, build
from xmrc_jax.model import weights
from xmrc_jax.model.architectures import PLAIN, EncoderConfig

# Cut, so that question and passage are one window of the tiny reader.
QUESTIONS = [
    Question(id_, question[:9], passage[:32], ()) for id_, passage, question, *_ in RECORDS
]


def test_the_torch_loop_finds_the_best_span(exported, tokenizer):
    cfg = EncoderConfig.of(weights.architecture_of(exported), PLAIN)
    windows = build(QUESTIONS, tokenizer, WindowSize(64, 16, 32))  # each passage is one window
    assert len(windows) == len(QUESTIONS)
    found = torch_answers(torch_reader(exported), cfg, windows)
    asked = TorchAsker(exported, 'longest')([(each.text, each.passage) for each in QUESTIONS])
    same = []
    for at, (question, listed) in enumerate(zip(QUESTIONS, asked, strict=True)):
        score, start, end = found[at]
        best = listed[0]
        assert best['score'] > score - 1e-4  # it may also begin or end with an invisible piece
        if best['score'] < score + 1e-4:
            same.append(best['text'] == question.passage[start:end])
        assert len({(each['start'], each['end']) for each in listed}) > 1
        assert sum(each['probability'] for each in listed) == pytest.approx(1)
    assert same
    assert all(same)


class Counting(BaseHTTPRequestHandler):
    """Answers 200 to everything and remembers what was asked."""

    protocol_version, asked = 'HTTP/1.1', []

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        self.asked.append(json.loads(body)['question'])
        self.send_response(200)
        self.send_header('Content-Length', '2')
        self.end_headers()
        self.wfile.write(b'{}')

    def log_message(self, *_):
        pass


def test_clients_share_the_requests():
    with ThreadingHTTPServer(('127.0.0.1', 0), Counting) as server:
        threading.Thread(target=server.serve_forever).start()
        seen = serve.load(f'127.0.0.1:{server.server_port}', QUESTIONS, clients=3, requests=10)
        server.shutdown()
    expected = [QUESTIONS[at % 4].text for at in range(10)]
    assert sorted(Counting.asked) == sorted(expected)
    assert 0 < seen.p50 <= seen.p99
    assert seen.speed > 0
