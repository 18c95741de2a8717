"""Stand-ins for the commands of a cluster."""

import os
from pathlib import Path

import pytest

LAUNCH = Path(__file__).parents[2] / 'launch'


@pytest.fixture
def stub(tmp_path):
    """Writes a shell script under a command's name; returns a PATH on which it comes first."""
    folder = tmp_path / 'bin'

    def written(name, script):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(f'#!/usr/bin/env bash\n{script}\n')
        (folder / name).chmod(0o755)
        return f'{folder}{os.pathsep}{os.environ["PATH"]}'

    return written
