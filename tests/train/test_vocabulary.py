"""Training the used token rows alone is training all of them: losses, readers, resumed runs."""

import dataclasses
import json
from functools import partial

import jax
import numpy as np
import pytest
from orbax.checkpoint import v1 as ocp

from tests import tiny
from tests.train.staged import STEPS, Stage
from xmrc_jax.train import sharding
from xmrc_jax.train.vocabulary import Vocabulary

SPEC = jax.sharding.PartitionSpec(None, 'fsdp')


def losses(folder):
    lines = [json.loads(line) for line in (folder / 'metrics.jsonl').read_text().splitlines()]
    return np.array([(line['loss'], line['grad_norm']) for line in lines if 'loss' in line])


def table(params):
    return np.asarray(params['encoder']['embed']['token']['embedding'])


@pytest.mark.parametrize(
    ('stage', 'family', 'sizes'),
    [
        ('base', 'xlm-roberta', (8, 1, 1)),
        ('base', 'bert', (8, 1, 1)),
        ('two_stage', 'xlm-roberta', (2, 4, 1)),
        ('two_stage', 'modernbert', (2, 4, 1)),
    ],
)
def test_used_rows_alone_train_as_all(stage, family, sizes, roomy, spread, mined, tmp_path):
    if family == 'bert':
        roomy = dataclasses.replace(roomy, family='bert', types=2, first_position=0)
    if family == 'modernbert':
        own = tiny.MODERNBERT.design
        roomy = dataclasses.replace(roomy, family=family, types=0, first_position=0, design=own)
    mesh = sharding.make_mesh(*sizes)
    run = Stage(roomy, stage, spread, mined, mesh)
    used = Vocabulary.of(spread, roomy)
    assert 0 < len(used) < roomy.vocabulary - 40
    dense = run.train(tmp_path / 'dense', Vocabulary(np.ones(roomy.vocabulary, bool)))
    compact = run.train(tmp_path / 'compact', used)
    np.testing.assert_allclose(losses(tmp_path / 'compact'), losses(tmp_path / 'dense'), rtol=1e-5)
    assert losses(tmp_path / 'dense').shape == (STEPS, 2)
    for each in (compact, dense):  # what all logits share changes no softmax: rounding moves it
        assert np.abs(each['span'].pop('bias')).max() < 1e-5
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6, rtol=1e-5), compact, dense)
    # No row is left as it was: those not in use, too, have shrunk.
    start = table(run.params['reader'])
    assert (np.abs(table(compact) - start).max(axis=1)[~used.used_V] > 1e-4).all()
    assert table(compact).shape == start.shape
    assert compact['encoder']['embed']['token']['embedding'].sharding.spec == SPEC


def test_a_stage_keeps_moments_of_used_rows_alone(roomy, spread, mined, tmp_path):
    run = Stage(roomy, 'base', spread, mined)
    used = Vocabulary.of(spread, roomy)
    run.train(tmp_path, used)
    metadata = ocp.checkpointables_metadata(tmp_path / 'checkpoints' / str(STEPS)).metadata['rest']
    shapes = {
        sharding.path_of(path): leaf.shape
        for path, leaf in jax.tree_util.tree_leaves_with_path(metadata)
        if sharding.path_of(path).endswith('token/embedding')
    }
    assert set(shapes.values()) == {(len(used), roomy.width)}
    assert len(shapes) == 2


def test_the_dev_set_and_the_checkpoint_see_the_same_reader(roomy, spread, mined, tmp_path):
    seen = []

    def dev_f1(params):
        seen.append(jax.device_get(params['reader']))
        return 50.0

    run = Stage(roomy, 'base', spread, mined)
    run.train(tmp_path, Vocabulary.of(spread, roomy), dev_f1)
    for step, params in zip((4, 8, 12), seen, strict=True):
        jax.tree.map(np.testing.assert_array_equal, run.load(tmp_path, step), params)


def test_a_killed_run_goes_on_to_the_same_bits(roomy, spread, mined, tmp_path):
    run, used = Stage(roomy, 'base', spread, mined), Vocabulary.of(spread, roomy)
    undisturbed = run.train(tmp_path / 'undisturbed', used)
    scores = iter((50.0,))

    def killed(params):
        for f1 in scores:
            return f1
        raise KeyboardInterrupt  # step 8 is saved and not scored

    with pytest.raises(KeyboardInterrupt):
        run.train(tmp_path / 'killed', used, killed)
    run.params = None  # nothing but the folder is needed from here on
    run.train(tmp_path / 'killed', used)
    jax.tree.map(np.testing.assert_array_equal, run.load(tmp_path / 'killed', STEPS), undisturbed)


def test_padding_is_a_used_row_and_ids_keep_their_order(roomy, spread):
    used = Vocabulary.of(spread, roomy)
    compact = used.windows(spread)
    assert used.used_V[roomy.pad_id]
    assert not used.used_V[50:60].any()
    rows = np.flatnonzero(used.used_V)
    np.testing.assert_array_equal(rows[compact.ids_T], spread.ids_T)
    assert rows[compact.pad_id] == spread.pad_id == roomy.pad_id
    assert used.encoder(roomy).vocabulary == len(used) == len(rows)
    assert rows[used.encoder(roomy).pad_id] == roomy.pad_id
