"""Predict and the server against PyTorch: the same exported reader, questions and machine.

    python -m benchmarks.serve exported --on xquad/test/en --questions 128 --requests 256

Predict is the command's own function, file to file; PyTorch is run_qa's loop over windows that are
padded to 384, batches of 32, the n-best chosen on the host (``benchmarks.torch_asker``). The
servers run in processes of their own, with the same framework, and are asked single questions by
clients that ask again when they are answered. Sides take turns; a ratio is taken within a round and
the median of the rounds is shown. An encoder without a span head gets a random one.
"""

import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import transformers

from benchmarks import report
from benchmarks.asked import machine, questions_of, with_head
from benchmarks.torch_asker import TorchAsker
from xmrc_jax.data import squad
from xmrc_jax.data.queries import Source
from xmrc_jax.data.squad import Question
from xmrc_jax.ground.commands import command, documented
from xmrc_jax.ground.files import read_json, write_json
from xmrc_jax.recipe import answering
from xmrc_jax.recipe.reader import Reader
from xmrc_jax.reporting.tables import pipes

SERVERS = {'ours': 'xmrc_jax.serve', 'torch': 'benchmarks.torch_asker'}


# -- predict ---------------------------------------------------------------------------------------


def predict_rows(folder: Path, data: Path, scratch: Path, rounds: int) -> list[list[str]]:
    """Questions per second from file to file."""
    reader, asker = Reader.load(folder), TorchAsker(folder, 'max_length')
    reader.compile()
    questions = squad.read(data).questions

    def by_us(_) -> None:
        answering.answer(reader, [Source(str(data))], scratch / 'ours.json')

    def by_torch(_) -> None:
        pairs = [(each.text, each.passage) for each in squad.read(data).questions]
        listed = dict(zip((each.id for each in questions), asker(pairs), strict=True))
        write_json(scratch / 'torch.json', {id_: own[0]['text'] for id_, own in listed.items()})
        write_json(scratch / 'torch-nbest.json', listed)

    seconds = report.alternated({'ours': by_us, 'torch': by_torch}, rounds)
    speeds = {name: len(questions) / np.median(own) for name, own in seconds.items()}
    ratio = np.median(seconds['torch'] / seconds['ours'])
    ours, theirs = (read_json(scratch / f'{name}.json') for name in seconds)
    same = sum(ours[id_] == text for id_, text in theirs.items()) / len(theirs)
    return [
        ['ours', f'{speeds["ours"]:.2f}', f'{ratio:.2f}', f'{same:.1%}'],
        ['torch', f'{speeds["torch"]:.2f}', '1.00', ''],
    ]


# -- the servers -----------------------------------------------------------------------------------


class Load(NamedTuple):
    """What so many clients saw: median and 99th percentile in ms, questions per second."""

    p50: float
    p99: float
    speed: float


@contextmanager
def served(module: str, folder: Path) -> Iterator[str]:
    """Host and port of a server that runs meanwhile."""
    words = [sys.executable, '-m', module, str(folder), '--port', '0']
    running = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        line = next(line for line in running.stdout if line.startswith('serving: '))
        yield line.split('//')[1].strip().rstrip('/')
    finally:
        running.terminate()
        running.wait()


def load(host: str, questions: Sequence[Question], clients: int, requests: int) -> Load:
    """That many clients with a connection each, which share the requests."""
    bodies = [json.dumps({'question': each.text, 'context': each.passage}) for each in questions]

    def client(number: int) -> list[float]:
        connection, seconds = http.client.HTTPConnection(host, timeout=600), []
        for at in range(number, requests, clients):
            begun = time.perf_counter()
            connection.request('POST', '/answer', bodies[at % len(bodies)].encode())
            response = connection.getresponse()
            content = response.read()
            if response.status != 200:
                raise RuntimeError(f'{host}: {response.status} {content[:200]}')
            seconds.append(time.perf_counter() - begun)
        return seconds

    begun = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        seconds = [each for own in pool.map(client, range(clients)) for each in own]
    p50, p99 = (float(np.percentile(seconds, q)) * 1000 for q in (50, 99))
    return Load(p50, p99, requests / (time.perf_counter() - begun))


def server_rows(
    folder: Path, questions: Sequence[Question], clients: Sequence[int], requests: int, rounds: int
) -> Iterator[list[str]]:
    """Latency and throughput of both, for each number of clients."""
    with ExitStack() as stack:
        hosts = {
            name: stack.enter_context(served(module, folder)) for name, module in SERVERS.items()
        }
        for host in hosts.values():
            load(host, questions, clients=2, requests=8)  # to be warm
        for number in clients:
            found = {name: [] for name in hosts}
            for turn in range(rounds):
                for name in sorted(hosts, reverse=turn % 2 == 1):
                    found[name].append(load(hosts[name], questions, number, requests))
            pairs = zip(*found.values(), strict=True)
            ratio = statistics.median(ours.speed / theirs.speed for ours, theirs in pairs)
            for name, own in found.items():
                median = [statistics.median(column) for column in zip(*own, strict=True)]
                times = ratio if name == 'ours' else 1.0
                numbers = f'{median[0]:.0f}', f'{median[1]:.0f}', f'{median[2]:.2f}', f'{times:.2f}'
                yield [str(number), name, *numbers]


def main(argv: Sequence[str] | None = None) -> None:
    parser = documented('benchmarks.serve', __doc__)
    parser.add_argument('reader', type=Path, help='a folder in the layout of Hugging Face')
    parser.add_argument('--on', default='xquad/test/en', metavar='CORPUS', help='the questions')
    parser.add_argument('--questions', type=int, default=128, help='of it, evenly spaced; 0: all')
    parser.add_argument('--requests', type=int, default=256, help='to a server at each load')
    parser.add_argument('--clients', type=int, nargs='+', default=[1, 8, 64])
    parser.add_argument('--rounds', type=int, default=3)
    args = parser.parse_args(argv)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as scratch:
        folder = with_head(args.reader, Path(scratch, 'reader'))
        questions, data = questions_of(args.on, args.questions), Path(scratch, 'asked.json')
        squad.write(data, questions)
        print(f'{len(questions)} questions of {args.on}, {args.rounds} rounds; {machine()}\n')
        rows = predict_rows(folder, data, Path(scratch), args.rounds)
        print(pipes(['predict', 'questions/s', 'times torch', 'same text'], rows), flush=True)
        own = args.clients, args.requests, args.rounds
        header = ['clients', 'server', 'p50 ms', 'p99 ms', 'questions/s', 'times torch']
        print(f'\n{pipes(header, list(server_rows(folder, questions, *own)))}')


if __name__ == '__main__':
    command(main)
