"""Trackers get what the diary gets; one that is missing is told before anything is trained."""

import importlib.util
import json
import sys
import types

import numpy as np
import pytest

from xmrc_jax.ground.errors import UserError
from xmrc_jax.train import loggers
from xmrc_jax.train.log import MetricLog


@pytest.fixture(params=loggers.LOGGERS)
def tracker(request, monkeypatch):
    """A module in the place of the tracker's, which keeps what it is told."""

    class Tracker(types.ModuleType):
        def __init__(self):
            super().__init__(request.param)
            self.__spec__ = importlib.util.spec_from_loader(request.param, loader=None)
            self.begun, self.logged, self.finished = [], [], 0

        def init(self, **options):
            self.begun.append(options)
            return self

        def log(self, values, step):
            self.logged.append((step, values))

        def finish(self):
            self.finished += 1

    monkeypatch.setitem(sys.modules, request.param, module := Tracker())
    return module


def test_it_gets_every_line_and_is_begun_again_under_its_name(tracker, tmp_path):
    stage = tmp_path / 'run' / 'base'
    stage.mkdir(parents=True)
    (tmp_path / 'run' / 'config.json').write_text(json.dumps({'seed': 7}))
    for first in (0, 3):
        log = MetricLog(stage, resume_from=first, loggers=(tracker.__name__,))
        log.write(first + 3, {'loss': np.float32(0.5), 'w': np.array([0.25, 0.75])})
        log.close()
    values = {'loss': 0.5, 'w/00': 0.25, 'w/01': 0.75}
    assert tracker.logged == [(3, values), (6, values)]
    assert tracker.finished == 2
    first, again = tracker.begun
    assert first == again
    assert first['project'] == 'xmrc_jax'
    assert first['config'] == {'seed': 7}
    assert first['resume'] == 'allow'
    assert first['name'].startswith('run-base-')
    if tracker.__name__ == 'wandb':
        assert first['id'] == first['name']


def test_another_folder_is_another_run(tracker, tmp_path):
    for place in ('a', 'b'):
        loggers.opened((tracker.__name__,), tmp_path / place / 'run' / 'base')
    one, two = tracker.begun
    assert one['name'] != two['name']


def test_one_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(UserError, match='train.loggers=wandb: wandb is not installed; pip install'):
        loggers.check(('wandb',))
    loggers.check(())
