"""The run's diary: ``metrics.jsonl``, one object a line, and the same for TensorBoard."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tensorboardX import SummaryWriter

from xmrc_jax.files import replacing


class MetricLog:
    """Appends metrics of steps to a folder.

    A resumed run passes the step it continues from: later lines, written by the run that was
    killed, are dropped, so that no step is told twice.
    """

    def __init__(self, folder: Path, *, resume_from: int = 0):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / 'metrics.jsonl'
        told = [line for line in _lines(path) if json.loads(line)['step'] <= resume_from]
        with replacing(path) as part:
            part.write_text(''.join(told), encoding='utf-8')
        self._file = path.open('a', encoding='utf-8')
        self._board = SummaryWriter(str(folder / 'tensorboard'), purge_step=resume_from + 1)

    def write(self, step: int, metrics: Mapping[str, float | np.ndarray]) -> None:
        """One line for one step; vectors (the learned weights) become lists."""
        values = {name: np.asarray(value, np.float64).tolist() for name, value in metrics.items()}
        self._file.write(json.dumps({'step': step} | values) + '\n')
        self._file.flush()
        for name, value in values.items():
            if isinstance(value, list):
                for slot, each in enumerate(value):
                    self._board.add_scalar(f'{name}/{slot:02d}', each, step)
            else:
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        self._file.close()
        self._board.close()


def _lines(path: Path) -> list[str]:
    """Whole lines only: a killed run may have left half of one."""
    if not path.exists():
        return []
    return [line for line in path.read_text('utf-8').splitlines(keepends=True) if line[-1] == '\n']


def told_scores(folder: Path) -> dict[int, float]:
    """Dev F1 in percent by step, as ``metrics.jsonl`` tells it."""
    lines = map(json.loads, _lines(folder / 'metrics.jsonl'))
    return {line['step']: line['dev_f1'] for line in lines if 'dev_f1' in line}
