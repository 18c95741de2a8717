"""The language model's head: torch's logits, Hugging Face's names, rows of the table alone."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import lm_head, weights

PREFIX = {'xlm-roberta': 'roberta.', 'bert': 'bert.'}


@pytest.fixture(scope='module')
def theirs(cfg, params, tmp_path_factory):
    """Hugging Face's masked language model on the encoder of the room's reader; its folder."""
    torch = pytest.importorskip('torch')
    import transformers

    name = {'xlm-roberta': 'XLMRoberta', 'bert': 'Bert'}[cfg.family]
    config = getattr(transformers, f'{name}Config')(
        vocab_size=cfg.vocabulary,
        hidden_size=cfg.width,
        num_hidden_layers=cfg.layers,
        num_attention_heads=cfg.heads,
        intermediate_size=cfg.mlp,
        max_position_embeddings=cfg.positions,
        type_vocab_size=cfg.types,
        layer_norm_eps=cfg.norm_eps,
        pad_token_id=cfg.pad_id,
    )
    torch.manual_seed(0)
    model = getattr(transformers, f'{name}ForMaskedLM')(config).eval()
    encoder = {k: v for k, v in weights.to_hf(params, cfg).items() if 'qa_outputs' not in k}
    state = model.state_dict() | {k: torch.tensor(v) for k, v in encoder.items()}
    for name in state:
        if name.startswith(('lm_head', 'cls')):  # a bias or scale that does nothing tests nothing
            state[name] = state[name] + 0.3 * torch.randn(state[name].shape)
    state |= {k: state[f'{PREFIX[cfg.family]}embeddings.word_embeddings.weight'] for k in state
              if k.endswith('decoder.weight')}  # fmt: skip
    bias = {'xlm-roberta': 'lm_head.bias', 'bert': 'cls.predictions.bias'}[cfg.family]
    state |= {k: state[bias] for k in state if k.endswith('decoder.bias')}
    model.load_state_dict(state)
    folder = tmp_path_factory.mktemp(cfg.family)
    safetensors.numpy.save_file(
        {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()},
        folder / 'model.safetensors',
    )
    (folder / 'config.json').write_text(json.dumps({'model_type': cfg.family}))
    return model, folder


def test_logits_are_those_of_torch(cfg, params, batch, apply, theirs):
    import torch

    model, folder = theirs
    ids_BL, length_B, passage_B2 = batch
    head = weights.load_lm_head(folder, cfg)
    hidden_BLD = apply(params, cfg, *batch).hidden_BLD
    table_VD = params['encoder']['embed']['token']['embedding']
    ours_BLV = lm_head.apply(head, cfg, hidden_BLD, table_VD)
    place_1L = np.arange(ids_BL.shape[1])[None]
    expected_BLV = model(
        input_ids=torch.from_numpy(ids_BL).long(),
        attention_mask=torch.from_numpy(place_1L < length_B[:, None]).long(),
        token_type_ids=torch.from_numpy(cfg.passage_type * (place_1L >= passage_B2[:, :1])).long(),
    ).logits.detach()
    assert float(jnp.std(ours_BLV)) > 0.2
    for ours_LV, expected_LV, length in zip(ours_BLV, expected_BLV, length_B, strict=True):
        np.testing.assert_allclose(ours_LV[:length], expected_LV[:length], atol=2e-5)


def test_logits_of_some_rows_are_those_rows_of_all(cfg, params):
    head = lm_head.init(cfg, jax.random.key(2))
    head['bias'] += jax.random.normal(jax.random.key(3), (cfg.vocabulary,))
    table_VD = params['encoder']['embed']['token']['embedding']
    hidden_BD = jax.random.normal(jax.random.key(4), (5, cfg.width))
    rows_U = np.array([0, 3, 17, 40])
    whole_BV = lm_head.apply(head, cfg, hidden_BD, table_VD)
    some = head | {'bias': head['bias'][rows_U]}
    found_BU = lm_head.apply(some, cfg, hidden_BD, table_VD[rows_U])
    np.testing.assert_allclose(found_BU, whole_BV[:, rows_U], atol=1e-5)


def test_a_checkpoint_without_a_head_has_none_and_half_of_one_is_refused(cfg, params):
    assert lm_head.from_hf(weights.to_hf(params, cfg), cfg) is None
    dense = {'xlm-roberta': 'lm_head.', 'bert': 'cls.predictions.transform.'}[cfg.family]
    half = {f'{dense}dense.bias': np.zeros(cfg.width, np.float32)}
    with pytest.raises(UserError, match=r'language model head: missing or of another size: .*bias'):
        lm_head.from_hf(half, cfg)
