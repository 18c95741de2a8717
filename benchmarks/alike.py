"""The ways to ask one reader, compared: predict, the server, StableHLO and PyTorch, in float32.

    python -m benchmarks.alike exported --on xquad/test/{ar,de,en,es,hi,vi} --questions 60
    python -m benchmarks.alike exported --on xquad/test/{ar,de,en,es,hi,vi} --questions 10 \\
        --chromium /usr/bin/chromium    # and the server's page, as that browser shows it

The best text of every way is compared with that of ``predict``. Where they differ though the two
best scores of the question are less than 1e-4 apart, rounding may have chosen: counted apart. An
encoder without a span head gets a random one.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import export
from playwright.sync_api import sync_playwright
from starlette.testclient import TestClient

from benchmarks.apart import compare_exactly
from benchmarks.asked import machine, questions_of, with_head
from benchmarks.parity import torch_answers
from benchmarks.serve import served
from benchmarks.torch_reader import torch_reader
from xmrc_jax.data import prediction, squad
from xmrc_jax.data.queries import Query, Source
from xmrc_jax.data.squad import Question
from xmrc_jax.data.windows import Windows
from xmrc_jax.evaluate.nbest import predictions
from xmrc_jax.evaluate.predict import fetched, gather
from xmrc_jax.ground.commands import command, documented
from xmrc_jax.ground.files import read_json
from xmrc_jax.recipe import answering, portable
from xmrc_jax.recipe.reader import Reader
from xmrc_jax.reporting.tables import pipes
from xmrc_jax.serve import app

NEAR = 1e-4  # of two scores that rounding may exchange
LIMITS = app.Limits(size=2**24, seconds=3600, queue=1)


class Alike(NamedTuple):
    """How many questions get predict's text, and how many of the others are near, and are not."""

    equal: int
    near: int
    apart: int


def compared(
    folder: Path, questions: Sequence[Question], scratch: Path, chromium: str = ''
) -> dict[str, Alike]:
    """Every other way against predict.

    Args:
      folder: of the reader, in Hugging Face's layout.
      questions: of different ids.
      scratch: an empty folder.
      chromium: the program that shows the page; none: the page is left out.
    """
    reader = Reader.load(folder)
    texts, lead_Q = by_predict(reader, questions, scratch)
    queries = [Query('', each.id, each.text, (each.passage,)) for each in questions]
    windows = reader.prepare(queries).windows
    ways = {
        'server': by_server(reader, questions),
        'StableHLO': by_stablehlo(reader, questions, windows, scratch / 'stablehlo'),
        'torch': by_torch(reader, folder, questions, windows),
    }
    if chromium:
        ways['page'] = by_page(folder, questions, chromium)
    return {name: alike(texts, list(others), lead_Q) for name, others in ways.items()}


def alike(texts: Sequence[str], others: Sequence[str], lead_Q: np.ndarray) -> Alike:
    """The count, where the best score leads the second by so much."""
    differs_Q = np.array([one != other for one, other in zip(texts, others, strict=True)])
    near = int((differs_Q & (lead_Q < NEAR)).sum())
    return Alike(int((~differs_Q).sum()), near, int(differs_Q.sum()) - near)


def by_predict(
    reader: Reader, questions: Sequence[Question], scratch: Path
) -> tuple[list[str], np.ndarray]:
    """Texts from the file that the command writes, and by how much each best score leads."""
    data, output = scratch / 'asked.json', scratch / 'answers.json'
    squad.write(data, questions)
    answering.answer(reader, [Source(str(data))], output)
    best, nbest = (read_json(path) for path in answering.files(output)[:2])
    scores = (
        [each['start_logit'] + each['end_logit'] for each in nbest[question.id][:2]]
        for question in questions
    )
    lead_Q = np.array([own[0] - own[1] if len(own) > 1 else np.inf for own in scores])
    return [best[question.id] for question in questions], lead_Q


def by_server(reader: Reader, questions: Sequence[Question]) -> Iterator[str]:
    """One request each."""
    with TestClient(app.build({'own': reader}, LIMITS)) as client:
        for question in questions:
            asked = {'question': question.text, 'context': question.passage}
            yield client.post('/answer', json=asked).raise_for_status().json()['text'] or ''


def by_page(folder: Path, questions: Sequence[Question], chromium: str) -> Iterator[str]:
    """Typed into the page of a server that runs meanwhile, and read off the list under it."""
    flags = ['--no-sandbox'] if os.geteuid() == 0 else []
    with served('xmrc_jax.serve', folder) as host, sync_playwright() as driver:
        page = driver.chromium.launch(executable_path=chromium, args=flags).new_page()
        page.goto(f'http://{host}/')
        page.locator('section h2').wait_for()
        for question in questions:
            page.fill('#question', question.text)
            page.fill('#context', question.passage)
            page.click('#ask')
            page.locator('#ask:enabled').wait_for()
            yield (page.locator('li bdi').all_text_contents() or [''])[0]


def by_stablehlo(
    reader: Reader, questions: Sequence[Question], windows: Windows, folder: Path
) -> list[str]:
    """By the exported function, which has neither our model nor our parameters' tree."""
    portable.save(folder, reader.own)
    answer = jax.jit(export.deserialize(bytearray((folder / 'reader.stablehlo').read_bytes())).call)
    params = {path: jnp.asarray(each) for path, each in np.load(folder / 'params.npz').items()}
    options = reader.own.asking.options
    plan = prediction.by_length(windows, options.batch_size)
    answers = fetched(lambda batch: answer(params, *batch[:4]), windows, plan)
    nbest = gather(windows, answers, questions=len(questions), k=options.n_best)
    return list(predictions(questions, nbest).values())


def by_torch(
    reader: Reader, folder: Path, questions: Sequence[Question], windows: Windows
) -> list[str]:
    """By PyTorch's own model, over every legal span of every window."""
    longest = reader.own.asking.options.max_answer_tokens
    best = torch_answers(torch_reader(folder), reader.own.encoder, windows, longest)
    return [question.passage[best[at][1] : best[at][2]] for at, question in enumerate(questions)]


def main(argv: Sequence[str] | None = None) -> None:
    parser = documented('benchmarks.alike', __doc__)
    parser.add_argument('reader', type=Path, help='a folder in the layout of Hugging Face')
    parser.add_argument('--on', nargs='+', required=True, metavar='CORPUS', help='xquad/test/es')
    parser.add_argument('--questions', type=int, default=0, help='of each, evenly spaced; 0: all')
    parser.add_argument('--chromium', default='', help='the browser that shows the page')
    args = parser.parse_args(argv)
    compare_exactly()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = with_head(args.reader, Path(scratch, 'reader'))
        for number, name in enumerate(args.on):
            questions = questions_of(name, args.questions)
            own = Path(scratch, str(number))
            own.mkdir()
            found = compared(folder, questions, own, args.chromium)
            rows += [[name, way, *map(str, [len(questions), *each])] for way, each in found.items()]
    header = ['corpus', 'against predict', 'questions', 'equal', 'near', 'differ']
    print(f'{machine()}\n\n{pipes(header, rows)}')


if __name__ == '__main__':
    command(main)
