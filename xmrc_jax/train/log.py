"""The run's diary: ``metrics.jsonl``, one object a line; the same for TensorBoard and trackers."""

import json
import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import RecordWriter

from xmrc_jax.ground.files import read_json_lines, replacing, writing
from xmrc_jax.train.loggers import opened


class MetricLog:
    """Appends metrics of steps to a folder, and hands them to ``loggers``.

    A resumed run passes the step it continues from: later lines, written by the run that was
    killed, are dropped, so that no step is written twice.

    Raises:
      UserError: here and in ``write``: the disk is full, or the folder cannot be written.
    """

    def __init__(self, folder: Path, *, resume_from: int = 0, loggers: Sequence[str] = ()):
        self._path = folder / 'metrics.jsonl'
        with writing(self._path):
            folder.mkdir(parents=True, exist_ok=True)
            kept = [line for line in read_json_lines(self._path) if line['step'] <= resume_from]
            with replacing(self._path) as part:
                part.write_text(''.join(f'{json.dumps(line)}\n' for line in kept), 'utf-8')
            self._file = self._path.open('ab', buffering=0)
            self._board = _Board(folder / 'tensorboard', purge_step=resume_from + 1)
        self._others = opened(loggers, folder)

    def write(self, step: int, metrics: Mapping[str, float | np.ndarray]) -> None:
        """One line for one step; vectors (the learned weights) become lists."""
        values = {name: np.asarray(value, np.float64).tolist() for name, value in metrics.items()}
        scalars = {}
        for name, value in values.items():
            slots = enumerate(value) if isinstance(value, list) else ()
            scalars |= {f'{name}/{slot:02d}': each for slot, each in slots} or {name: value}
        with writing(self._path):
            self._file.write(json.dumps({'step': step} | values).encode() + b'\n')
            self._board.add(step, scalars)
        for each in self._others:
            each.log(scalars, step=step)

    def close(self) -> None:
        self._file.close()
        self._board.close()
        for each in self._others:
            each.finish()


class _Board(RecordWriter):
    """A file of TensorBoard's, written at once by whoever adds to it.

    tensorboardX's own SummaryWriter leaves that to a thread, which a full disk would end, and then
    waits for it for ever.
    """

    def __init__(self, folder: Path, purge_step: int):
        folder.mkdir(exist_ok=True)
        name = f'events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}'
        self._writer = (folder / name).open('ab', buffering=0)
        self._add(file_version='brain.Event:2')
        self._add(step=purge_step, session_log=SessionLog(status=SessionLog.START))

    def add(self, step: int, scalars: dict[str, float]) -> None:
        """The values of a step by their tags."""
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        self._add(step=step, summary=Summary(value=values))

    def _add(self, **content) -> None:
        self.write(Event(wall_time=time.time(), **content).SerializeToString())


def dev_scores(folder: Path) -> dict[int, float]:
    """Dev F1 in percent by step, as ``metrics.jsonl`` has it."""
    lines = read_json_lines(folder / 'metrics.jsonl')
    return {line['step']: line['dev_f1'] for line in lines if 'dev_f1' in line}
