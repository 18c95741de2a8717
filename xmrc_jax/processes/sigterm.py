"""SIGTERM: save, then end with a status that says 'start me again'. So does Ctrl-C, but for that.

Schedulers announce the end of a machine's time with SIGTERM and kill some 30 seconds later. The
signal is heard by a thread of its own, for the main thread may sit in the compiler for a minute.

Where nothing would be lost (windows, mining, scoring: finished parts are on disk already) the
process ends at once. Inside ``saving_first`` it is left to the block to save and raise ``Stopped``;
should that not have begun within ``GRACE`` seconds, it ends all the same, unless steps are so long
that the block is on its way yet.

Ctrl-C, where there is something to save, is heard in the same way, and a second one ends at once.

JAX's preemption service could agree on the step to stop at, but it and this thread cannot both have
the signal: whichever asks for it last takes it from the other, and JAX's tells nobody outside of
training (tried with jax 0.10.2). So what was heard goes through each step of several processes.
"""

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from xmrc_jax.ground.commands import INTERRUPTED
from xmrc_jax.processes import output
from xmrc_jax.processes.agreement import any_of
from xmrc_jax.processes.ending import CONTINUES, STOPPED, end

GRACE = 20  # seconds for the running steps to end, so that saving begins well inside 30
PATIENCE = 3  # times the last step's seconds, where that is more: two may be on their way

_heard = threading.Event()
_interrupted = threading.Event()  # by Ctrl-C
_holding = threading.Event()  # there is something to save
_saving = threading.Event()  # and that has begun
_step = (0.0, 0.0)  # when the last step ended, and how long it took


class Stopped(Exception):  # noqa: N818 - like KeyboardInterrupt, not an error
    """SIGTERM or Ctrl-C was heard and everything is saved; the message says what."""


def listen() -> None:
    """Answer SIGTERM and Ctrl-C from now on. Call it from the main thread, once."""
    hears, rings = socket.socketpair()
    rings.setblocking(False)
    signal.signal(signal.SIGTERM, lambda *_: _heard.set())
    signal.signal(signal.SIGINT, _interrupt)
    signal.set_wakeup_fd(rings.fileno(), warn_on_full_buffer=False)  # gets the signal's number
    arguments = hears, rings  # the thread keeps both open
    threading.Thread(target=_wait, args=arguments, name='sigterm', daemon=True).start()


def _interrupt(*_) -> None:
    """The first Ctrl-C, if there is something to save, is kept in mind; any other ends at once."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not _holding.is_set():
        raise KeyboardInterrupt
    output.say('Ctrl-C: saving behind this step; another one ends at once')
    _interrupted.set()
    _heard.set()


def _wait(hears: socket.socket, rings: socket.socket) -> None:
    while signal.SIGTERM not in hears.recv(16):
        pass
    _heard.set()
    latest = time.monotonic() + GRACE
    while _holding.is_set() and not _saving.is_set():
        ended, seconds = _step
        if time.monotonic() > max(latest, ended + PATIENCE * seconds):
            break
        time.sleep(0.05)
    if not _saving.is_set():
        end(STOPPED, f'stopped by SIGTERM; {CONTINUES}')


def heard() -> bool:
    """Whether this process has heard SIGTERM, or Ctrl-C where there is something to save."""
    return _heard.is_set()


def cause() -> str:
    """What was heard."""
    return 'Ctrl-C' if _interrupted.is_set() else 'SIGTERM'


def status() -> int:
    """With which status the process ends that has saved: nobody starts it again after Ctrl-C."""
    return INTERRUPTED if _interrupted.is_set() else STOPPED


@contextmanager
def saving_first() -> Iterator[None]:
    """There is something to save: the block polls ``heard`` and raises ``Stopped`` when it is, and
    calls ``step_ended`` behind each step."""
    global _step
    _step = time.monotonic(), 0.0
    _holding.set()
    try:
        yield
    finally:
        _holding.clear()


def step_ended() -> None:
    """The block has come one step further, and will hear of what was heard."""
    global _step
    now = time.monotonic()
    _step = now, now - _step[0]


def begin_saving() -> None:
    """The block has heard and saves now; it is given all the time that needs."""
    _saving.set()


def stop_if_heard() -> None:
    """Between two batches of a prediction: raises ``Stopped`` where any process has heard.

    All processes must call it, equally often.
    """
    if any_of(heard()):
        begin_saving()
        raise Stopped(f'stopped by {cause()}')
