"""What XLA compiles while something runs: how many programs, of what name, in what time."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from jax import monitoring

COMPILED = '/jax/core/compile/backend_compile_duration'  # or fetched from the cache on disk
FETCHED = '/jax/compilation_cache/cache_hits'  # comes before, in the same thread


@dataclass
class Programs:
    """Counts of programs by name; those of the cache on disk apart."""

    compiled: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    fetched: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: float = 0.0  # of compiling and fetching, summed over threads

    def __str__(self) -> str:
        compiled, fetched = sum(self.compiled.values()), sum(self.fetched.values())
        return f'{compiled} programs compiled, {fetched} from the cache, {self.seconds:.1f} s'

    @property
    def metrics(self) -> dict[str, float]:
        """The same for ``metrics.jsonl``, and how many programs of each name there are."""
        names = sorted({*self.compiled, *self.fetched})
        return {
            'programs_compiled': sum(self.compiled.values()),
            'programs_fetched': sum(self.fetched.values()),
            'programs_seconds': self.seconds,
        } | {f'programs/{name}': self.compiled[name] + self.fetched[name] for name in names}


@contextmanager
def counted() -> Iterator[Programs]:
    """What is compiled meanwhile, in whatever thread."""
    programs, thread, lock = Programs(), threading.local(), threading.Lock()

    def fetched(event: str, **_) -> None:
        if event == FETCHED:
            thread.fetched = True

    def compiled(event: str, seconds: float, fun_name: str = '', **_) -> None:
        if event == COMPILED:
            kind = programs.fetched if getattr(thread, 'fetched', False) else programs.compiled
            thread.fetched = False
            with lock:
                kind[fun_name.removeprefix('jit(').removesuffix(')')] += 1
                programs.seconds += seconds

    monitoring.register_event_listener(fetched)
    monitoring.register_event_duration_secs_listener(compiled)
    try:
        yield programs
    finally:
        monitoring.unregister_event_listener(fetched)
        monitoring.unregister_event_duration_listener(compiled)
