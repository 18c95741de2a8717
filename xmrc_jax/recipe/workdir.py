"""The working folder belongs to one run at a time."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import locked
from xmrc_jax.processes import agreement, identity


@contextmanager
def claimed(workdir: Path) -> Iterator[None]:
    """Make the folder and hold it, on behalf of all processes of the run.

    Raises:
      UserError: it cannot be used, another run holds it, or not all processes see it.
    """
    lock = workdir / '.lock'
    with ExitStack() as held, agreement.first_turn():
        try:
            if identity.is_first():
                held.enter_context(locked(lock, wait=False))
            seen = lock.exists()
        except BlockingIOError:
            raise UserError(
                f'{workdir}: another run is at work here; wait for its end, or choose another '
                '--workdir'
            ) from None
        except OSError as error:
            raise UserError(f'{workdir}: cannot be used as working folder: {error}') from None
        if not seen:
            raise UserError(
                f'{workdir.absolute()}: made by process 0, but not to be seen from '
                f'{identity.myself()}; choose a --workdir on a disk that all machines share'
            )
        held = held.pop_all()
    with held:
        yield
