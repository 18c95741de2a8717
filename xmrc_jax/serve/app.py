"""The routes of the server, and its limits."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Full

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from xmrc_jax.data.queries import Query
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe.answering import Result
from xmrc_jax.recipe.reader import Answer, Reader
from xmrc_jax.serve.batching import Batching
from xmrc_jax.serve.metrics import Metrics, Reading
from xmrc_jax.serve.metrics import text as metrics_text
from xmrc_jax.serve.requests import parsed

FOLDER = Path(__file__).parent
# Nothing is fetched from elsewhere, whatever a page is made to hold.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Limits:
    """Bytes of a request, seconds until it is answered, questions that may wait."""

    size: int
    seconds: float
    queue: int


def build(readers: Mapping[str, Reader], limits: Limits) -> Starlette:
    """The server of readers by their names, as an ASGI application, which answers while its
    lifespan lasts; the first is asked where none is named."""
    desks = {name: Desk(reader, limits) for name, reader in readers.items()}

    async def answer(request: Request) -> Response:
        name = request.query_params.get('reader', next(iter(desks)))
        if name not in desks:
            raise HTTPException(404, f'no reader {name[:40]!r}; there are {", ".join(desks)}')
        return await desks[name].answer(request)

    async def health(request: Request) -> Response:
        how = {name: reader.how for name, reader in readers.items()}
        return JSONResponse({'status': 'ok', 'readers': how})

    async def metrics(request: Request) -> Response:
        text = metrics_text({name: desk.reading for name, desk in desks.items()})
        return PlainTextResponse(text, media_type='text/plain; version=0.0.4')

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        with ExitStack() as open_desks:
            for desk in desks.values():
                open_desks.enter_context(desk.batching)
            yield

    return Starlette(
        routes=[
            Route('/answer', answer, methods=['POST']),
            Route('/health', health),
            Route('/metrics', metrics),
            *(Route(path, _file(name)) for path, name in FILES.items()),
        ],
        exception_handlers={
            HTTPException: lambda _, error: refusal(error.status_code, error.detail, error.headers),
            ClientDisconnect: lambda _, error: refusal(400, 'the request was broken off'),
            Exception: lambda _, error: refusal(500, 'a defect of the server; its log says more'),
        },
        lifespan=lifespan,
    )


def refusal(status: int, line: str, headers: dict[str, str] | None = None) -> Response:
    """One line of JSON that says why."""
    return JSONResponse({'error': line}, status, headers)


class Desk:
    """Where one reader is asked: what waits for it, and what is counted of it."""

    def __init__(self, reader: Reader, limits: Limits):
        self.reader, self.limits, self.metrics = reader, limits, Metrics()
        batch = reader.own.asking.options.batch_size
        self.batching = Batching(self._results, batch, limits.queue)

    @property
    def reading(self) -> Reading:
        """Its numbers now."""
        return Reading(self.metrics, self.batching.length, self.batching.batches)

    async def answer(self, request: Request) -> Response:
        """Answers to the questions of the body, within the limits."""
        status, begun = 500, time.perf_counter()
        try:
            async with asyncio.timeout(self.limits.seconds):
                content = await self._answers(await self._body(request))
            status = 200
            return JSONResponse(content)
        except TimeoutError:
            status = 504
            raise HTTPException(504, f'not answered in {self.limits.seconds:g} seconds') from None
        except HTTPException as refused:
            status = refused.status_code
            raise
        except ClientDisconnect:
            status = 400
            raise
        finally:
            self.metrics.count(status, time.perf_counter() - begun)

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self.limits.size:
                raise HTTPException(413, f'more than {self.limits.size} bytes')
        return bytes(body)

    async def _answers(self, body: bytes) -> dict | list[dict]:
        request = parsed(body, self.reader.n_best, self.limits.queue)
        try:
            queries = [each.query for each in request.wanted]
            future = self.batching.submit(queries, request.passages)
        except Full:
            line = 'too many questions wait; ask again in a second'
            raise HTTPException(503, line, {'Retry-After': '1'}) from None
        try:
            results = await asyncio.wrap_future(future)
        except UserError as error:
            raise HTTPException(422, str(error)) from None
        for result in results:
            if result.fault:
                raise HTTPException(422, result.query.where + result.fault)
        contents = [
            _content(result.answers.listed[: each.n_best])
            for result, each in zip(results, request.wanted, strict=True)
        ]
        return contents if request.listed else contents[0]

    def _results(self, queries: Sequence[Query]) -> list[Result]:
        prepared = self.reader.prepare(queries)
        return list(map(Result, queries, prepared.faults, self.reader.answer(prepared)))


def _content(answers: Sequence[Answer]) -> dict:
    """The best answer's own fields, with all of them beside it; of none all are null."""
    listed = [each._asdict() for each in answers]
    best = listed[0] if listed else dict.fromkeys(Answer._fields)
    return {name: best[name] for name in SAID} | {'n_best': listed}


def _file(name: str):
    async def sent(request: Request) -> Response:
        return FileResponse(FOLDER / name, headers={'Content-Security-Policy': POLICY})

    return sent


FILES = {'/': 'page.html', '/docs': 'docs.html', '/openapi.json': 'openapi.json'}
SAID = ('text', 'start', 'end', 'passage', 'probability', 'confidence')  # of the best answer
