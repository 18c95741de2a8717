"""How far a long loop is: a bar on a terminal; in a log a line now and then."""

import os
import sys
import time
from collections.abc import Iterable, Iterator

from tqdm import tqdm

EVERY = 30.0  # seconds between two lines
LINE = '{desc}: {percentage:.0f}% {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]'


class Lines:
    """What of tqdm's bar is used here, as lines of their own: one every ``EVERY`` seconds and one
    at the end. Bars are often written over; a file would keep each of them."""

    def __init__(
        self,
        iterable: Iterable = (),
        desc: str = '',
        total: int = 0,
        *,
        initial: int = 0,
        unit: str = 'it',
        delay: float = 0.0,
        disable: bool = False,
        **_,
    ):
        self.n, self._iterable, self._desc = initial, iterable, desc
        self._format = {'total': total, 'unit': unit, 'initial': initial, 'bar_format': LINE}
        self._delay, self._postfix = delay, ''
        self._silent = disable or bool(os.environ.get('TQDM_DISABLE'))
        self._began = self._said = time.monotonic()
        self._shown: tuple[int, str] | None = None  # what the last line said

    def __iter__(self) -> Iterator:
        for each in self._iterable:
            yield each
            self.update()

    def __enter__(self) -> 'Lines':
        return self

    def __exit__(self, error: type[BaseException] | None, *_) -> None:
        self._silent |= error is not None  # why it ended early is for the error to say
        self.close()

    def update(self, n: int = 1) -> None:
        self.n += n
        if time.monotonic() - self._said >= EVERY:
            self._say()

    def set_description_str(self, desc: str, refresh: bool = True) -> None:
        self._desc = desc

    def set_postfix_str(self, postfix: str, refresh: bool = True) -> None:
        self._postfix = postfix

    def close(self) -> None:
        new = (self.n, self._postfix) != self._shown
        if new and time.monotonic() - self._began >= self._delay:
            self._say()
        self._silent = True

    def _say(self) -> None:
        self._said, self._shown = time.monotonic(), (self.n, self._postfix)
        if not self._silent:
            elapsed, own = self._said - self._began, self._format
            line = tqdm.format_meter(
                self.n, elapsed=elapsed, prefix=self._desc, postfix=self._postfix, **own
            )
            print(line, file=sys.stderr, flush=True)


def progress(*arguments, **options) -> tqdm | Lines:
    """A bar with tqdm's arguments, if somebody looks on, else ``Lines``."""
    if sys.stderr.isatty():
        return tqdm(*arguments, dynamic_ncols=True, **options)
    return Lines(*arguments, **options)
