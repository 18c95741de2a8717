"""A checkpoint fits an encoder by its architecture, however the encoder is computed.

Every way to read parameters is tried with every field of ``Computation`` changed.
"""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.small import small
from xmrc_jax import export
from xmrc_jax.ground.files import write_json
from xmrc_jax.model import reader, weights
from xmrc_jax.model.architectures import PLAIN, Computation, EncoderConfig
from xmrc_jax.recipe import settings
from xmrc_jax.train import checkpoints, sharding
from xmrc_jax.train.parts import load_reader, parts_of
from xmrc_jax.train.step import initial_state

CHANGES = {
    'dropout': 0.3,
    'attention_dropout': 0.0,
    'dtype': 'bfloat16',
    'remat': True,
    'attention': 'plain',
}


@pytest.fixture(params=[field.name for field in dataclasses.fields(Computation)])
def change(request) -> dict:
    changed = {request.param: CHANGES[request.param]}
    assert dataclasses.replace(PLAIN, **changed) != PLAIN
    return changed


@pytest.fixture(scope='module')
def folder(cfg, params, tmp_path_factory):
    folder = tmp_path_factory.mktemp('hf') / 'saved'
    weights.save(folder, params, cfg)
    return folder


@pytest.fixture(scope='module')
def run(cfg, params, tokenizer, tmp_path_factory):
    """What a run leaves of a reader: a checkpoint, encoder, tokenizer, configuration."""
    workdir = tmp_path_factory.mktemp('run')
    state = initial_state({'reader': params}, optax.identity())
    state = jax.device_put(state, sharding.of(state, sharding.make_mesh()))
    saved = checkpoints.Checkpoints(workdir / 'base' / 'checkpoints', keep=1, scores={})
    saved.save(7, parts_of(state, {'token': jnp.ones(cfg.vocabulary)}))
    saved.wait()
    saved.close()
    write_json(workdir / 'base' / 'selected.json', {'step': 7})
    write_json(workdir / 'config.json', settings.stored(small(), global_batch=16))
    tokenizer.save_pretrained(workdir / 'tokenizer')
    return workdir


def from_safetensors(cfg, fresh, folder, run, tmp_path):
    return weights.load(folder, cfg, fresh)


def from_torch(cfg, fresh, folder, run, tmp_path):
    torch = pytest.importorskip('torch')
    (tmp_path / 'config.json').write_text((folder / 'config.json').read_text())
    tensors = weights.to_hf(weights.load(folder, cfg, fresh), cfg)
    state = {name: torch.tensor(tensor) for name, tensor in tensors.items()}
    torch.save(state, tmp_path / 'pytorch_model.bin')
    return weights.load(tmp_path, cfg, fresh)


def of_the_folder_s_own_name(cfg, fresh, folder, run, tmp_path):
    """As a configuration with an empty ``model.name`` reads it."""
    computation = {name: getattr(cfg, name) for name in CHANGES}
    overrides = {'name': '', 'weights': str(folder), **computation}
    found = small(**{f'model.{name}': value for name, value in overrides.items()}).model.encoder
    assert found == cfg
    return weights.load(folder, found, fresh)


def from_our_checkpoint(cfg, fresh, folder, run, tmp_path):
    abstract = reader.abstract(cfg)
    placed = sharding.placed(abstract, sharding.make_mesh())
    return load_reader(run / 'base' / 'checkpoints', 7, placed)


def by_export(cfg, fresh, folder, run, tmp_path):
    write_json(run / 'encoder.json', dataclasses.asdict(cfg))
    output = str(tmp_path / 'exported')
    export.main(['--checkpoint', str(run / 'base' / 'checkpoints' / '7'), '--output', output])
    exported = json.loads((tmp_path / 'exported' / 'config.json').read_text())
    assert exported['hidden_dropout_prob'] == cfg.dropout
    return weights.load(tmp_path / 'exported', cfg, fresh)


@pytest.mark.parametrize('cfg', ['xlm-roberta'], indirect=True, scope='session')
@pytest.mark.parametrize(
    'load',
    [from_safetensors, from_torch, of_the_folder_s_own_name, from_our_checkpoint, by_export],
)
def test_any_computation_reads_the_checkpoint(
    load, change, cfg, params, fresh, folder, run, tmp_path
):
    changed = dataclasses.replace(cfg, **change)
    loaded = load(changed, fresh, folder, run, tmp_path)
    jax.tree.map(np.testing.assert_array_equal, loaded, params)


def test_an_encoder_is_read_from_any_version_s_file(cfg, change):
    changed = dataclasses.replace(cfg, **change)
    written = json.loads(json.dumps(dataclasses.asdict(changed)))
    assert EncoderConfig.of_json(written | {'fused': True}) == changed
    for name in CHANGES:
        del written[name]
    assert EncoderConfig.of_json(written) == cfg
