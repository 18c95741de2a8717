"""The working folder belongs to one run at a time, and to one configuration for good."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import locked
from xmrc_jax.processes import cluster

# Leaves of the configuration that say where and how, not what: a run may go on with others.
FREE = ('mesh', 'profile', 'data.root', 'data.cache')


@contextmanager
def claimed(workdir: Path) -> Iterator[None]:
    """Make the folder and hold it, on behalf of all processes of the run.

    Raises:
      UserError: it cannot be used, another run holds it, or not all processes see it.
    """
    with ExitStack() as held, cluster.first_turn():
        try:
            if cluster.is_first():
                held.enter_context(locked(workdir / '.lock', wait=False))
            there = (workdir / '.lock').exists()
        except BlockingIOError:
            raise UserError(
                f'{workdir}: another run is at work here; wait for its end, or choose another '
                '--workdir'
            ) from None
        except OSError as error:
            raise UserError(f'{workdir}: cannot be used as working folder: {error}') from None
        if not there:
            raise UserError(
                f'{workdir.absolute()}: made by process 0, but not to be seen from '
                f'{cluster.myself()}; choose a --workdir on a disk that all machines share'
            )
        held = held.pop_all()
    with held:
        yield


def same_configuration(workdir: Path, configuration: dict) -> None:
    """Refuse a folder that holds a run of another configuration; ``FREE`` leaves may differ.

    Raises:
      UserError: names the leaves that differ.
    """
    path = workdir / 'config.json'
    try:
        there = json.loads(path.read_text('utf-8')) if path.exists() else configuration
    except (OSError, ValueError) as error:
        raise UserError(f'{path}: cannot be read: {error}') from None
    different = [
        line for line in cluster.differences(there, configuration) if not line.startswith(FREE)
    ]
    if different:
        raise UserError(
            f'{path}: this folder holds a run of another configuration: {"; ".join(different)}; '
            'choose another --workdir, or the same configuration to continue'
        )
