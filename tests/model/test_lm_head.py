"""The language model's head: torch's logits, Hugging Face's names, rows of the table alone."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from tests.tiny import KINDS
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import config_json, lm_head, reader, weights

WITH_A_HEAD = [kind for kind in KINDS if kind != 'mminilm']
AS_FRESH = [kind for kind in WITH_A_HEAD if kind != 'rembert']  # whose own gives wider vectors


@pytest.fixture(scope='module', params=['tied', 'untied'])
def theirs(cfg, request, tmp_path_factory):
    """Hugging Face's masked language model, with noise on every weight, and its folder; untied, its
    decoder has a weight of its own."""
    torch = pytest.importorskip('torch')
    import transformers

    folder = tmp_path_factory.mktemp(cfg.family)
    says = {'tie_word_embeddings': request.param == 'tied'}
    (folder / 'config.json').write_text(json.dumps(config_json.described(cfg) | says))
    config = transformers.AutoConfig.from_pretrained(folder)
    torch.manual_seed(0)
    model = transformers.AutoModelForMaskedLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape)
    model.save_pretrained(folder)
    return model, folder


@pytest.mark.parametrize('cfg', WITH_A_HEAD, indirect=True, scope='session')
def test_logits_are_those_of_torch(cfg, batch, apply, theirs):
    import torch

    model, folder = theirs
    ids_BL, length_B, passage_B2 = batch
    own = weights.load(folder, cfg, reader.init(cfg, jax.random.key(0)))
    head = weights.load_lm_head(folder, cfg)
    hidden_BLD = apply(own, cfg, *batch).hidden_BLD
    table_VD = own['encoder']['embed']['token']['embedding']
    decoder, token = model.get_output_embeddings(), model.get_input_embeddings()
    assert ('table' in head) == (decoder.weight is not token.weight)
    ours_BLV = lm_head.apply(head, cfg, hidden_BLD, table_VD)
    place_1L = np.arange(ids_BL.shape[1])[None]
    inputs = {'input_ids': ids_BL, 'attention_mask': place_1L < length_B[:, None]}
    if cfg.types:
        name = 'langs' if cfg.family == 'xlm' else 'token_type_ids'
        inputs[name] = cfg.passage_type * (place_1L >= passage_B2[:, :1])
    given = {name: torch.from_numpy(array).long() for name, array in inputs.items()}
    expected_BLV = model(**given).logits.detach()
    assert float(jnp.std(ours_BLV)) > 0.2
    for ours_LV, expected_LV, length in zip(ours_BLV, expected_BLV, length_B, strict=True):
        near = {'rtol': 0, 'atol': 1e-5 * float(expected_LV[:length].abs().max())}
        np.testing.assert_allclose(ours_LV[:length], expected_LV[:length], **near)


@pytest.mark.parametrize('cfg', AS_FRESH, indirect=True, scope='session')
def test_a_fresh_head_is_of_the_same_form(cfg, theirs):
    fresh, found = lm_head.init(cfg, jax.random.key(0)), weights.load_lm_head(theirs[1], cfg)
    found.pop('table', None)
    jax.tree.map(lambda mine, its: np.testing.assert_equal(mine.shape, its.shape), fresh, found)


@pytest.mark.parametrize('theirs', ['tied'], indirect=True)
@pytest.mark.parametrize('cfg', ['deberta-v2'], indirect=True, scope='session')
def test_deberta_s_authors_call_the_head_otherwise(cfg, theirs):
    tensors = safetensors.numpy.load_file(theirs[1] / 'model.safetensors')
    own = 'lm_predictions.lm_head.'
    theirs_too = {
        name.replace('cls.predictions.transform.', own).replace('cls.predictions.', own): tensor
        for name, tensor in tensors.items()
    }
    found, expected = lm_head.from_hf(theirs_too, cfg), lm_head.from_hf(tensors, cfg)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize('cfg', ['modernbert'], indirect=True, scope='session')
def test_the_dense_layer_of_a_reader_alone_makes_no_head(cfg, fresh):
    tensors = weights.to_hf(fresh, cfg)
    assert 'head.dense.weight' in tensors
    assert lm_head.from_hf(tensors, cfg) is None


@pytest.mark.parametrize('cfg', ['bert', 'rembert'], indirect=True, scope='session')
@pytest.mark.parametrize('own', [False, True])
def test_logits_of_some_rows_are_those_rows_of_all(own, cfg, params):
    head = lm_head.init(cfg, jax.random.key(2))
    head['bias'] += jax.random.normal(jax.random.key(3), (cfg.vocabulary,))
    if own:
        head['table'] = jax.random.normal(jax.random.key(5), (cfg.vocabulary, cfg.embedding_width))
    table_VD = params['encoder']['embed']['token']['embedding']
    hidden_BD = jax.random.normal(jax.random.key(4), (5, cfg.width))
    rows_U = np.array([0, 3, 17, 40])
    whole_BV = lm_head.apply(head, cfg, hidden_BD, table_VD)
    found_BU = lm_head.apply(lm_head.of_rows(head, rows_U), cfg, hidden_BD, table_VD[rows_U])
    np.testing.assert_allclose(found_BU, whole_BV[:, rows_U], atol=1e-5)


def test_a_checkpoint_without_a_head_has_none_and_half_of_one_is_refused(cfg, params):
    assert lm_head.from_hf(weights.to_hf(params, cfg), cfg) is None
    dense = {'xlm-roberta': 'lm_head.', 'bert': 'cls.predictions.transform.'}[cfg.family]
    half = {f'{dense}dense.bias': np.zeros(cfg.width, np.float32)}
    with pytest.raises(UserError, match=r'language model head: missing or of another size: .*bias'):
        lm_head.from_hf(half, cfg)


@pytest.mark.parametrize('theirs', ['untied'], indirect=True)
def test_a_decoder_that_repeats_the_table_is_tied_and_one_of_another_size_refused(cfg, theirs):
    """PyTorch's own files hold a tied weight twice."""
    tensors = safetensors.numpy.load_file(theirs[1] / 'model.safetensors')
    (decoder,) = (name for name in tensors if name.endswith('decoder.weight'))
    (token,) = (name for name in tensors if name.endswith('word_embeddings.weight'))
    assert 'table' not in lm_head.from_hf(tensors | {decoder: tensors[token].copy()}, cfg)
    with pytest.raises(UserError, match=f'head: missing or of another size: {decoder}'):
        lm_head.from_hf(tensors | {decoder: tensors[decoder][1:]}, cfg)
    with pytest.raises(UserError, match=f'language model head: NaN or infinite: {decoder}'):
        lm_head.from_hf(tensors | {decoder: tensors[decoder] * np.nan}, cfg)
