"""The run's diary: what is written, and what a resumed run drops."""

import json
import os
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog

from xmrc_jax.ground.errors import UserError
from xmrc_jax.train.log import MetricLog, dev_scores


def written(folder):
    return [json.loads(line) for line in (folder / 'metrics.jsonl').read_text().splitlines()]


@pytest.mark.parametrize(('resume_from', 'kept'), [(0, []), (2, [1, 2]), (3, [1, 2, 3])])
def test_a_resumed_run_drops_what_the_killed_one_wrote_too_much(resume_from, kept, tmp_path):
    whole = ''.join(json.dumps({'step': step, 'loss': 1.0}) + '\n' for step in range(1, 5))
    (tmp_path / 'metrics.jsonl').write_text(whole + '{"step": 1, "lo')  # killed while writing
    log = MetricLog(tmp_path, resume_from=resume_from)
    log.write(resume_from + 1, {'loss': 0.5})
    log.close()
    assert [line['step'] for line in written(tmp_path)] == [*kept, resume_from + 1]
    assert written(tmp_path)[-1]['loss'] == 0.5


def test_scalars_become_numbers_and_vectors_lists(tmp_path):
    log = MetricLog(tmp_path)
    log.write(3, {'loss': np.float32(0.5), 'w': jnp.array([0.25, 0.75]), 'f1': 80})
    assert written(tmp_path) == [{'step': 3, 'loss': 0.5, 'w': [0.25, 0.75], 'f1': 80.0}]  # at once
    log.close()
    (events,) = (tmp_path / 'tensorboard').glob('events.out.tfevents.*')
    for tag in (b'loss', b'w/00', b'w/01'):
        assert tag in events.read_bytes()


def test_what_tensorboard_is_given_can_be_read_back(tmp_path):
    log = MetricLog(tmp_path, resume_from=3)
    log.write(4, {'loss': 2.5, 'w': np.array([0.25, 0.75])})
    log.close()
    (path,) = (tmp_path / 'tensorboard').iterdir()
    content, events = path.read_bytes(), []
    while content:  # length, its check, the event, its check
        size = int.from_bytes(content[:8], 'little')
        events.append(Event.FromString(content[12 : 12 + size]))
        content = content[16 + size :]
    assert events[0].file_version == 'brain.Event:2'
    assert (events[1].step, events[1].session_log.status) == (4, SessionLog.START)
    scalars = {value.tag: value.simple_value for value in events[2].summary.value}
    assert (events[2].step, scalars) == (4, {'loss': 2.5, 'w/00': 0.25, 'w/01': 0.75})


def test_a_full_disk_is_one_line(tmp_path):
    # Lines go where every write fails as on a full disk, those of TensorBoard to a folder.
    log = MetricLog(tmp_path)
    full = os.open('/dev/full', os.O_WRONLY)
    lines = next(
        int(fd) for fd in os.listdir('/proc/self/fd') if is_at(fd, tmp_path / 'metrics.jsonl')
    )
    os.dup2(full, lines)
    os.close(full)
    with pytest.raises(UserError, match=r'metrics\.jsonl: cannot be written: No space left'):
        log.write(1, {'loss': 1.0})


def is_at(fd: str, path: Path) -> bool:
    try:
        return os.readlink(f'/proc/self/fd/{fd}') == str(path)
    except OSError:
        return False


def test_scores_are_read_back(tmp_path):
    log = MetricLog(tmp_path)
    for step, metrics in ((2, {'loss': 1.0}), (3, {'dev_f1': 50.0}), (6, {'dev_f1': 62.5})):
        log.write(step, metrics)
    log.close()
    assert dev_scores(tmp_path) == {3: 50.0, 6: 62.5}
    assert dev_scores(tmp_path / 'new') == {}
