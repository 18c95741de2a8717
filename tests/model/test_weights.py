"""Checkpoints: names, shapes and bits both ways, and every way in which a folder can be wrong."""

import dataclasses
import json
import logging
import os

import jax
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from tests.tiny import KINDS
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import weights
from xmrc_jax.model.architectures import PLAIN, EncoderConfig


def assert_equal(ours, theirs):
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.fixture
def tensors(cfg, params) -> dict[str, np.ndarray]:
    return weights.to_hf(params, cfg)


@pytest.fixture
def prefix(cfg) -> str:
    return {'xlm-roberta': 'roberta.', 'bert': 'bert.'}[cfg.family]


@pytest.fixture
def folder(cfg, params, tmp_path):
    weights.save(tmp_path / 'saved', params, cfg)
    return tmp_path / 'saved'


def write_tensors(folder, tensors):
    safetensors.numpy.save_file(tensors, folder / 'model.safetensors')


def write_bin(folder, tensors):
    torch = pytest.importorskip('torch')
    (folder / 'model.safetensors').unlink()
    torch.save(
        {name: torch.asarray(tensor) for name, tensor in tensors.items()},
        folder / 'pytorch_model.bin',
    )


@pytest.mark.parametrize('cfg', KINDS, indirect=True, scope='session')
def test_round_trip_is_bit_exact(cfg, params, tensors, tmp_path):
    assert_equal(weights.from_hf(tensors, cfg), params)
    assert_equal(weights.to_hf(weights.from_hf(tensors, cfg), cfg), tensors)
    weights.save(tmp_path / 'saved', params, cfg)
    own = EncoderConfig.of(weights.architecture_of(tmp_path / 'saved'), PLAIN)
    assert_equal(weights.load(tmp_path / 'saved', own, {}), params)


def test_a_block_of_bert_has_16_tensors(cfg, tensors):
    # Each block has 8 weights and 8 biases; 5 tensors embed, 2 read spans.
    assert len(tensors) == 16 * cfg.layers + 5 + 2


def test_names_and_axes_of_one_kernel(cfg, params, tensors, prefix):
    """Torch computes x W^T: row o of W holds the weights of output o, here head o // 8."""
    torch_kernel = tensors[f'{prefix}encoder.layer.2.attention.self.key.weight']
    ours_DHA = params['encoder']['blocks']['attention']['key']['kernel'][2]
    assert torch_kernel[8 * 3 + 5, 7] == ours_DHA[7, 3, 5]
    out_HAD = params['encoder']['blocks']['attention']['out']['kernel'][0]
    torch_out = tensors[f'{prefix}encoder.layer.0.attention.output.dense.weight']
    assert torch_out[7, 8 * 3 + 5] == out_HAD[3, 5, 7]


def test_old_names_bare_names_and_extras(cfg, params, tensors, prefix):
    """An encoder as some hub files have it: no prefix, gamma and beta, pretraining leftovers."""
    bare = {k.removeprefix(prefix): v for k, v in tensors.items() if 'qa_outputs' not in k}
    bare['embeddings.LayerNorm.gamma'] = bare.pop('embeddings.LayerNorm.weight')
    bare['embeddings.LayerNorm.beta'] = bare.pop('embeddings.LayerNorm.bias')
    extras = ('pooler.dense.weight', 'lm_head.bias', 'cls.predictions.bias')
    bare |= dict.fromkeys((*extras, 'embeddings.position_ids'), np.zeros(3, np.float32))
    bare[f'{prefix}pooler.dense.bias'] = np.zeros(3, np.float32)
    loaded = weights.from_hf(bare, cfg)
    assert_equal(loaded, {'encoder': params['encoder']})


def test_half_precision_is_widened_exactly(cfg, tensors):
    half = {name: tensor.astype(ml_dtypes.bfloat16) for name, tensor in tensors.items()}
    for leaf in jax.tree.leaves(weights.from_hf(half, cfg)):
        assert leaf.dtype == np.float32
        np.testing.assert_array_equal(leaf, leaf.astype(ml_dtypes.bfloat16).astype(np.float32))


def test_every_misfit_is_named_in_one_message(cfg, tensors, prefix):
    del tensors[f'{prefix}encoder.layer.1.output.dense.bias']
    del tensors['qa_outputs.bias']  # half a head is no head
    tensors['adapter.weight'] = np.zeros(1, np.float32)
    kernel = f'{prefix}encoder.layer.0.intermediate.dense.weight'
    tensors[kernel] = tensors[kernel].T
    norm = f'{prefix}encoder.layer.2.output.LayerNorm.weight'
    tensors[norm] = np.where(np.arange(32) == 3, np.nan, tensors[norm])
    bias = f'{prefix}encoder.layer.1.attention.self.key.bias'
    tensors[bias] = np.where(np.arange(32) == 3, np.float16('inf'), tensors[bias])
    with pytest.raises(UserError) as caught:
        weights.from_hf(tensors, cfg)
    assert str(caught.value) == (
        f'weights do not fit this {cfg.family} encoder: '
        f'missing: {prefix}encoder.layer.1.output.dense.bias, qa_outputs.bias; '
        f'unused: {prefix}adapter.weight; '
        f'wrong shape: {kernel} is [32, 48], not [48, 32]; '
        f'NaN or infinite: {bias}, {norm}'
    )


def test_what_is_no_float32_or_is_there_twice_is_named(cfg, tensors, prefix):
    bias, norm, scale = (
        f'{prefix}encoder.layer.{name}'
        for name in ('0.output.dense.bias', '1.output.LayerNorm.bias', '2.output.LayerNorm.weight')
    )
    tensors[bias] = tensors[bias].astype(np.int32)
    tensors[norm] = tensors[norm] + 1j
    tensors[scale] = np.full(32, 1e39)  # float32 ends at 3.4e38
    tensors['embeddings.LayerNorm.weight'] = np.zeros(32, np.float32)
    with pytest.raises(UserError) as caught:
        weights.from_hf(tensors, cfg)
    assert str(caught.value) == (
        f'weights do not fit this {cfg.family} encoder: '
        f'under two names: {prefix}embeddings.LayerNorm.weight; '
        f'no real numbers: {bias} holds int32, {norm} holds complex64; '
        f'NaN or infinite: {scale}'
    )


def test_long_lists_of_misfits_are_cut(cfg):
    """3 layers of 16 tensors and 5 embeddings make 53; six are named."""
    with pytest.raises(UserError, match='and 47 more') as caught:
        weights.from_hf({}, cfg)
    assert len(str(caught.value)) < 600


def test_save_and_load_are_bit_exact(cfg, params, folder, fresh):
    assert_equal(weights.load(folder, cfg, fresh), params)
    assert sorted(path.name for path in folder.parent.iterdir()) == ['saved']


def test_numerics_are_the_callers(cfg, params, folder, fresh):
    other = dataclasses.replace(
        cfg, dropout=0.0, attention_dropout=0.3, dtype='bfloat16', remat=True
    )
    assert_equal(weights.load(folder, other, fresh), params)


def test_what_is_written_can_be_read_by_others(cfg, params, tmp_path):
    weights.save(tmp_path / 'saved', params, cfg)
    mask = os.umask(0)
    os.umask(mask)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / 'saved').iterdir()}
    assert modes == {0o666 & ~mask}


def test_tokenizer_is_saved_beside_the_weights(cfg, params, tmp_path, tokenizer):
    from transformers import AutoTokenizer

    weights.save(tmp_path / 'with', params, cfg, tokenizer)
    loaded = AutoTokenizer.from_pretrained(tmp_path / 'with')
    assert loaded('Ada', 'Fenwick')['input_ids'] == tokenizer('Ada', 'Fenwick')['input_ids']


def test_torch_loads_an_export_and_answers_alike(cfg, params, batch, folder, apply):
    torch = pytest.importorskip('torch')
    from transformers import AutoModelForQuestionAnswering

    model, report = AutoModelForQuestionAnswering.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values())
    types = cfg.passage_type * (np.arange(20) >= batch[2][:, :1])
    ids_BL, types_BL = (torch.tensor(x[::3]).long() for x in (batch[0], types))  # no padding there
    with torch.no_grad():
        theirs = model.eval()(input_ids=ids_BL, token_type_ids=types_BL)
    ours = apply(params, cfg, *batch)
    np.testing.assert_allclose(ours.start_logits_BL[::3], theirs.start_logits, atol=1e-5)
    np.testing.assert_allclose(ours.end_logits_BL[::3], theirs.end_logits, atol=1e-5)


def test_what_transformers_saves_is_read(cfg, params, folder, tmp_path, fresh):
    """Its own config.json and file layout, in shards."""
    pytest.importorskip('torch')
    from transformers import AutoModelForQuestionAnswering

    model = AutoModelForQuestionAnswering.from_pretrained(folder)
    model.save_pretrained(tmp_path / 'theirs', max_shard_size='20KB')
    assert len(list((tmp_path / 'theirs').glob('model-*.safetensors'))) > 1
    assert_equal(weights.load(tmp_path / 'theirs', cfg, fresh), params)


@pytest.mark.parametrize('cfg', ['mminilm'], indirect=True, scope='session')
@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
@pytest.mark.parametrize('in_shards', [True, False], ids=['safetensors in shards', 'bin'])
def test_half_precision_as_torch_saves_it(in_shards, dtype, cfg, params, folder, fresh):
    torch = pytest.importorskip('torch')
    from transformers import AutoModelForQuestionAnswering

    dtype = getattr(torch, dtype)
    model = AutoModelForQuestionAnswering.from_pretrained(folder, dtype=dtype)
    if in_shards:
        (folder / 'model.safetensors').unlink()
        model.save_pretrained(folder, max_shard_size='20KB')
        assert len(list(folder.glob('model-*.safetensors'))) > 1
    else:
        torch.save(model.state_dict(), folder / 'pytorch_model.bin')
        (folder / 'model.safetensors').unlink()
    rounded = jax.tree.map(lambda x: torch.tensor(np.asarray(x)).to(dtype).float().numpy(), params)
    assert_equal(weights.load(folder, cfg, fresh), rounded)


def test_fresh_head_is_kept_with_a_warning(cfg, params, tensors, folder, fresh, caplog):
    write_tensors(folder, {k: v for k, v in tensors.items() if 'qa_outputs' not in k})
    with caplog.at_level(logging.WARNING):
        loaded = weights.load(folder, cfg, fresh)
    assert_equal(loaded, {'encoder': params['encoder'], 'span': fresh['span']})
    assert 'no span head' in caplog.text


def test_the_head_of_another_task_is_left_out_with_a_warning(cfg, params, folder, fresh, caplog):
    """A classifier on the encoder, as transformers saves it."""
    pytest.importorskip('torch')
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=3)
    model.save_pretrained(folder.parent / 'classifier')
    with caplog.at_level(logging.WARNING):
        loaded = weights.load(folder.parent / 'classifier', cfg, fresh)
    assert_equal(loaded, {'encoder': params['encoder'], 'span': fresh['span']})
    assert 'left out, as no reader needs them: classifier.' in caplog.text


def torch_model(name, folder):
    """A random model of ModernBERT's that is no reader, saved as transformers saves it."""
    torch = pytest.importorskip('torch')
    import transformers

    torch.manual_seed(0)
    config = transformers.AutoConfig.from_pretrained(folder)
    model = getattr(transformers, f'ModernBert{name}')(config)
    model.save_pretrained(folder.parent / name)
    return folder.parent / name, model.state_dict()


@pytest.mark.parametrize('cfg', ['modernbert'], indirect=True, scope='session')
@pytest.mark.parametrize(
    ('name', 'fresh_heads', 'warnings'),
    [
        ('ForMaskedLM', {'span'}, ['no span head']),
        ('Model', {'span', 'transform'}, ['no span head', 'no head.dense and head.norm']),
        (
            'ForSequenceClassification',  # its classifier is of the shape of a span head
            {'span'},
            ['no span head', 'left out, as no reader needs them: classifier.bias'],
        ),
        ('ForQuestionAnswering', set(), []),
    ],
)
def test_what_modernbert_was_pretrained_with_is_kept(
    name, fresh_heads, warnings, cfg, fresh, folder, caplog
):
    source, theirs = torch_model(name, folder)
    with caplog.at_level(logging.WARNING):
        loaded = weights.load(source, cfg, fresh)
    assert all(words in caplog.text for words in warnings)
    assert bool(caplog.records) == bool(warnings)
    assert {head for head in ('span', 'transform') if loaded[head] is fresh[head]} == fresh_heads
    if 'transform' not in fresh_heads:
        dense_DD = loaded['transform']['dense']['kernel']
        np.testing.assert_array_equal(dense_DD, theirs['head.dense.weight'].numpy().T)
    table_VD = loaded['encoder']['embed']['token']['embedding']
    assert any(np.array_equal(table_VD, x.numpy()) for x in theirs.values())


@pytest.mark.parametrize('cfg', ['gte'], indirect=True, scope='session')
@pytest.mark.parametrize('packed', [True, False])
@pytest.mark.parametrize('write', [write_tensors, write_bin])
def test_gte_as_its_authors_publish_it(write, packed, cfg, params, tensors, folder, fresh):
    """Prefix ``new.``, half precision, queries, keys and values together or apart, a head for
    masked tokens, and their ``config.json``."""
    theirs = {'lm_head.dense.bias': np.zeros(32, np.float16)}
    for name, tensor in tensors.items():
        apart = 'qkv_' in name and not packed
        kinds = ('q_', 'k_', 'v_') if apart else ('qkv_',)
        for kind, part in zip(kinds, np.split(tensor, len(kinds)), strict=True):
            if name.startswith('gte.'):
                own = name.replace('gte.', 'new.').replace('qkv_', kind)
                theirs[own] = part.astype(np.float16)
    write(folder, theirs)
    path = folder / 'config.json'
    config = json.loads(path.read_text()) | {
        'model_type': 'new',
        'architectures': ['NewForMaskedLM'],
        'position_embedding_type': 'rope',
        'pack_qkv': packed,
        'rope_theta': cfg.design.theta,
        'rope_scaling': None,
    }
    del config['rope_parameters']
    path.write_text(json.dumps(config))
    rounded = jax.tree.map(lambda x: np.asarray(x, np.float16).astype(np.float32), params)
    assert_equal(weights.load(folder, cfg, fresh)['encoder'], rounded['encoder'])


@pytest.mark.parametrize('cfg', ['gte'], indirect=True, scope='session')
def test_gte_as_the_library_holds_it(cfg, params, folder, fresh):
    """All layers apart, which is what a ``state_dict`` says, and a head of its own."""
    torch = pytest.importorskip('torch')
    from transformers import GteForMaskedLM

    model = GteForMaskedLM.from_pretrained(folder)
    torch.nn.init.normal_(model.lm_head.layer_norm.weight)
    write_bin(folder, model.state_dict())
    assert_equal(weights.load(folder, cfg, fresh)['encoder'], params['encoder'])
    head = weights.load_lm_head(folder, cfg)
    scale_D = model.lm_head.layer_norm.weight.detach()
    torch.testing.assert_close(torch.asarray(head['norm']['scale']), scale_D, rtol=0, atol=0)


def test_misfits_of_the_fields_of_a_design_are_named_one_by_one(cfg, folder, fresh):
    design = dataclasses.replace(cfg.design, pre_norm=True)
    with pytest.raises(UserError, match=r'another model: pre_norm is False, not True; with an'):
        weights.load(folder, dataclasses.replace(cfg, design=design), fresh)


def test_checkpoint_of_another_model(cfg, folder, fresh):
    other = dataclasses.replace(cfg, layers=4, width=64)
    with pytest.raises(UserError) as caught:
        weights.load(folder, other, fresh)
    assert str(caught.value) == (
        f'{folder}: checkpoint of another model: width is 32, not 64; layers is 3, not 4; '
        'with an empty model.name the encoder is as its config.json says'
    )


def test_a_checkpoint_has_no_say_in_what_the_tokenizer_decides(cfg, params, folder, fresh):
    other = dataclasses.replace(cfg, pad_id=7, passage_type=0)
    assert_equal(weights.load(folder, other, fresh), params)


def test_misfit_of_a_file_names_the_folder(cfg, tensors, folder, fresh):
    write_tensors(folder, tensors | {'odd': np.zeros(1, np.float32)})
    message = rf'{folder}: weights do not fit .*unused: \w+\.odd; fetch it again, or name another'
    with pytest.raises(UserError, match=message):
        weights.load(folder, cfg, fresh)


def test_save_refuses_a_folder_in_use_and_takes_an_empty_one(cfg, params, folder):
    before = sorted(folder.iterdir())
    with pytest.raises(UserError, match='saved: exists already'):
        weights.save(folder, params, cfg)
    with pytest.raises(UserError, match=r'config.json: exists already'):
        weights.save(folder / 'config.json', params, cfg)
    assert sorted(folder.iterdir()) == before
    empty = folder.parent / 'empty'
    empty.mkdir()
    weights.save(empty, params, cfg)
    assert len(list(empty.iterdir())) == 2


def test_failed_save_leaves_nothing(cfg, params, tmp_path):
    class Tokenizer:
        def save_pretrained(self, folder):
            raise OSError(28, 'No space left on device')

    with pytest.raises(UserError, match=r'cannot be written \(No space left on device\)'):
        weights.save(tmp_path / 'new', params, cfg, Tokenizer())
    assert list(tmp_path.iterdir()) == []


def test_save_below_a_file(cfg, params, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match=r'file/new: cannot be written'):
        weights.save(tmp_path / 'file' / 'new', params, cfg)


@pytest.mark.parametrize('cfg', ['modernbert'], indirect=True, scope='session')
def test_what_is_beside_a_span_head_of_modernbert_is_told(cfg, params, tensors, folder, caplog):
    write_tensors(folder, tensors | {'classifier.bias.x': np.zeros(2, np.float32)})
    assert_equal(weights.load(folder, cfg, {}), params)
    assert 'left out, as no reader needs them: classifier.bias.x' in caplog.text
