"""One run of the whole recipe for all tests of the room."""

import pytest

from tests.small import small
from xmrc_jax.recipe import experiment


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """The working folder of a finished run."""
    workdir = tmp_path_factory.mktemp('finished')
    experiment.run(small(), workdir)
    return workdir
