"""Teachers by branch, what they say on disk, and students, on the embedded corpus."""

import json
import shutil

import jax.numpy as jnp
import numpy as np
import pytest

from tests.small import small
from xmrc_jax.answers import softmax
from xmrc_jax.data.batches import Batches
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import reader
from xmrc_jax.recipe import experiment
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.recipe.store import Store

LBMRC = {
    'data.mix': 'pairs',
    'recipe': ('teach', 'distil', 'score'),
    'distil.block': 40,
    'distil.coefficient': 'gold',
    'train.epochs': 0.5,
    'train.checkpoint_every': 2,
    'data.dev': '',
    'data.tests': ('encyclopedia/test/hi',),
}


@pytest.fixture(scope='module')
def taught(ran):
    """The folder of a finished run of two branches, English and Hindi."""
    return ran(LBMRC)


def test_each_branch_has_a_teacher_and_the_student_is_scored(taught):
    assert {path.name for path in (taught / 'teachers').iterdir()} == {'en', 'hi'}
    assert {path.name for path in (taught / 'soft_targets').iterdir()} == {'en', 'hi'}
    results = json.loads((taught / 'results.json').read_text())
    assert {each['system'] for each in results} == {'distil'}
    lines = (taught / 'distil' / 'metrics.jsonl').read_text().splitlines()
    steps = [line for line in map(json.loads, lines) if 'soft_loss' in line]
    assert len(steps) == 3
    assert all(0 < line['coefficient'] < 1 and line['soft_loss'] > 0 for line in steps)


def test_what_is_stored_is_what_the_branchs_teacher_computes(taught):
    own = Experiment(small(**LBMRC), taught)
    train, targets = own.inputs.train, own.distillation.targets()
    assert len(targets) == len(train.windows)
    batches = Batches(train.windows, batch_size=8, max_tokens=128, seed=0, targets=targets)
    batch = batches.batch_at(0)
    real_BL = jnp.arange(128)[None] < batch.length_B[:, None]
    asked = [train.questions[question] for question in batches.questions_at(0)]
    for language in ('en', 'hi'):
        params = own.store(f'teachers/{language}').reported()
        windows = batch.ids_BL, batch.length_B, batch.passage_B2
        *both, _ = reader.apply(params, own.inputs.encoder, *windows)
        expected_BL2 = jnp.stack([softmax.log_probs(each, real_BL) for each in both], axis=-1)
        rows = [row for row, each in enumerate(asked) if each.context_language == language]
        assert rows
        for row in rows:
            length = batch.length_B[row]
            found_L2 = batch.teacher_BLY2[row, :length, 0]
            np.testing.assert_allclose(found_L2, expected_BL2[row, :length], rtol=2e-3, atol=2e-3)


def test_teaching_goes_on_where_it_was_killed_to_the_same_student(taught, tmp_path):
    run = tmp_path / 'run'
    shutil.copytree(taught, run)
    shutil.rmtree(run / 'distil')
    kept = sorted((run / 'soft_targets' / 'hi').glob('part-*.npy'))
    before = [path.read_bytes() for path in kept]
    kept[1].unlink()
    experiment.run(small(**LBMRC), run)
    assert [path.read_bytes() for path in kept] == before
    for name in ('results.json', 'distil/selected.json'):
        assert (run / name).read_bytes() == (taught / name).read_bytes()


def test_a_killed_student_ends_bit_equal(taught, bit_equal_when_killed):
    bit_equal_when_killed(taught, LBMRC, 'distil', at=3)


def test_what_another_teacher_said_is_refused(taught, tmp_path):
    run = tmp_path / 'run'
    shutil.copytree(taught, run)
    shutil.rmtree(run / 'distil')
    shutil.rmtree(run / 'teachers' / 'en')
    shutil.copytree(taught / 'teachers' / 'hi', run / 'teachers' / 'en')
    with pytest.raises(UserError, match='soft_targets/en: made from checkpoint'):
        experiment.run(small(**LBMRC), run)


def test_all_branches_may_teach_every_window(taught, tmp_path, capsys):
    run = tmp_path / 'run'
    shutil.copytree(taught / 'teachers', run / 'teachers')
    changes = {'distil.teachers': 'branches', 'recipe': ('teach',)}
    own = Experiment(small(**LBMRC | changes), run)
    own.distillation.teach()
    single, both = Experiment(small(**LBMRC), taught).distillation.targets(), own.distillation
    tokens = int(own.inputs.train.windows.length_W.sum())
    assert f'{2 * tokens * 4 / 1e6:,.1f} MB' in capsys.readouterr().out  # told beforehand
    for window in (0, 100, 191):
        said = both.targets()[window]
        assert said.shape[1:] == (2, 2)
        language = own.inputs.train.questions[
            own.inputs.train.windows.question_W[window]
        ].context_language
        own_teacher = ('en', 'hi').index(language)
        np.testing.assert_allclose(said[:, own_teacher], single[window][:, 0], atol=2e-3)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'distil.teachers': 'base'}, 'soft targets: of base;'),
        ({'data.mix': 'question'}, 'passages are in one language, so there is one teacher'),
    ],
)
def test_the_base_reader_or_an_only_branch_teaches_alone(
    changes, message, tmp_path, capsys, monkeypatch
):
    own = Experiment(small(**LBMRC | changes), tmp_path)
    params = own.inputs.pretrained()
    monkeypatch.setattr(Store, 'reported', lambda store: params)
    monkeypatch.setattr(Experiment, 'fit_base', lambda *_: None)
    own.distillation.teach()
    assert message in capsys.readouterr().out
    targets = own.distillation.targets()
    assert {targets[window].shape[1:] for window in range(len(targets))} == {(1, 2)}
