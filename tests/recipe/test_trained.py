"""A reader by its path alone: its folder, or one of its checkpoints."""

import jax
import numpy as np
import pytest

from tests.small import small
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe import trained
from xmrc_jax.recipe.experiment import Experiment


def test_a_folder_gives_what_its_stage_reports(finished):
    own = Experiment(small(), finished)
    found = trained.load(finished / 'two_stage')
    jax.tree.map(np.testing.assert_array_equal, found.params, own.store('two_stage').reported())
    assert found.encoder == own.inputs.encoder
    assert len(found.tokenizer) == len(own.inputs.tokenizer)


def test_a_checkpoint_gives_itself(finished):
    found = trained.load(finished / 'base' / 'checkpoints' / '3')
    expected = Experiment(small(), finished).store('base').load([3])
    jax.tree.map(np.testing.assert_array_equal, found.params, expected)


def test_what_is_no_reader_or_of_no_run_is_named(finished, tmp_path):
    with pytest.raises(UserError, match='no trained reader'):
        trained.load(finished / 'candidates')
    (tmp_path / 'reader').mkdir()
    (tmp_path / 'reader' / 'selected.json').write_text('{}')
    with pytest.raises(UserError, match=r'no encoder\.json above'):
        trained.load(tmp_path / 'reader')
