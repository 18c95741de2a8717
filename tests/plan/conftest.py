"""The command in this process, and a small job."""

import sys

import pytest
from absl.testing import flagsaver

from tests.conftest import status_of
from tests.plan.planned import SMOKE
from xmrc_jax.configs import mlqa
from xmrc_jax.plan import __main__ as command
from xmrc_jax.plan import plans
from xmrc_jax.recipe import settings


@pytest.fixture
def plan(capfd, monkeypatch):
    """Runs the command in this process: (status, what it printed, its errors)."""

    def run(*arguments, config=SMOKE):
        argv = ['plan', f'--config={config}', *arguments]
        monkeypatch.setattr(sys, 'argv', argv)
        with flagsaver.flagsaver():
            status = status_of(lambda: command.main(argv))
        return status, *capfd.readouterr()

    return run


@pytest.fixture
def job():
    changes = {'data.max_tokens': 32, 'mine.candidates': 4}
    return plans.job_of(settings.vary(settings.read(mlqa.get_config('smoke')), changes), 8)
