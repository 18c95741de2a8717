"""Serve a trained reader over HTTP, with a page to try it.

    xmrc serve runs/mlqa --port 8000

READER is what xmrc predict takes, or NAME=READER; a run's working folder stands
for all its readers. Several are shown side by side; a program asks the first
one, or /answer?reader=NAME. Everything is compiled before the first request.
SIGTERM answers what is queued, and ends.
"""

import argparse
import signal
import socket
import sys
from collections.abc import Sequence

from xmrc_jax.ground.commands import command, documented, number, positive, share
from xmrc_jax.ground.errors import UserError


def main(argv: Sequence[str] | None = None) -> None:
    args = _arguments(argv)
    try:
        import uvicorn

        from xmrc_jax.serve import app
    except ModuleNotFoundError as error:
        library = error.name.partition('.')[0]
        if library not in ('starlette', 'uvicorn'):
            raise
        raise UserError(
            f'{library} is not installed; pip install starlette uvicorn (the extra [serve])'
        ) from None
    from xmrc_jax.recipe import trained
    from xmrc_jax.recipe.reader import Reader
    from xmrc_jax.recipe.surroundings import keep_compiled

    keep_compiled()
    with _bound(args.host, args.port) as listener:
        own = ('batch_size', 'n_best', 'null_threshold', 'max_overlap')
        options, readers = {name: getattr(args, name) for name in own}, {}
        for name, source in trained.offered(args.readers).items():
            readers[name] = Reader.load(source, **options)
            print(f'reader: {name}: {readers[name]}', flush=True)
        shapes = sum(reader.compile() for reader in readers.values())
        print(f'compiled: {shapes} shapes of batches', flush=True)
        limits = app.Limits(args.max_bytes, args.timeout, args.queue)
        config = uvicorn.Config(
            app.build(readers, limits), log_level='warning', access_log=False, lifespan='on'
        )
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # uvicorn raises it again at its end
        listener.listen(config.backlog)
        print(f'serving: http://{_address(listener)}/', flush=True)
        uvicorn.Server(config).run(sockets=[listener])


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = documented('xmrc serve', __doc__)
    parser.add_argument(
        'readers',
        nargs='+',
        metavar='[NAME=]READER',
        help="a run's folder (all its readers), a reader in it, an export, or a hub id",
    )
    parser.add_argument('--port', type=int, default=8000, help='0: any that is free')
    parser.add_argument('--host', default='127.0.0.1', help='0.0.0.0: reached from elsewhere')
    parser.add_argument('--batch_size', type=positive, default=16, help='windows, at most')
    parser.add_argument('--n_best', type=positive, default=0, help="answers; the reader's own")
    parser.add_argument(
        '--null_threshold', type=number, help='null odds beyond which there is no answer; likewise'
    )
    parser.add_argument(
        '--max_overlap',
        type=share,
        default=1.0,
        help='share of two answers beyond which the better one stands for both',
    )
    parser.add_argument(
        '--queue', type=positive, default=256, help='passages that may wait for a reader'
    )
    parser.add_argument('--max_bytes', type=positive, default=2**18, help='of a request')
    parser.add_argument('--timeout', type=positive, default=30, help='seconds of a request')
    return parser.parse_args(argv)


def _bound(host: str, port: int) -> socket.socket:
    """A socket of that address; taken before the reader is loaded, which takes a while."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address[0], port, *address[2:]))  # getaddrinfo wraps a port around
    except (OSError, OverflowError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise UserError(f'--host {host} --port {port}: {reason}') from None
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f'[{host}]:{port}' if ':' in host else f'{host}:{port}'


if __name__ == '__main__':
    command(main)
