"""The encoder's own promises: one scan, remat, dropout, both NNX modes, the table of sizes."""

import dataclasses

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import architectures, block, config_json, encoder, packing, reader


def build(cfg, params) -> encoder.Encoder:
    return nnx.merge(reader.graphdef(cfg), params).encoder


def close(a, b, atol=1e-5):
    np.testing.assert_allclose(np.asarray(a, np.float32), np.asarray(b, np.float32), atol=atol)


@pytest.mark.parametrize('cfg', ['bert', 'modernbert'], indirect=True)
def test_scan_equals_a_loop_over_the_layers(cfg, params, batch):
    ids_BL, length_B, _ = batch
    model = build(cfg, params)
    mask_BL = jnp.arange(20)[None] < length_B[:, None]
    type_BL = jnp.zeros_like(ids_BL)
    layout = packing.layout(mask_BL, None)
    rows = block.Rows(layout, layout.same_RPM)
    stream = model.embed(ids_BL, type_BL, layout)
    for n in range(cfg.layers):
        own, layer = jax.tree.map(lambda x, n=n: x[n], (model.blocks, block.Layer.of(cfg)))
        stream = own(stream, rows, layer)
    close(model(ids_BL, mask_BL, type_BL), stream.read_RPD)


def test_layers_start_different(fresh):
    kernel_NDF = fresh['encoder']['blocks']['up']['kernel']
    assert jnp.abs(kernel_NDF[0] - kernel_NDF[1]).max() > 0.01


@pytest.mark.parametrize('cfg', ['bert', 'modernbert'], indirect=True)
def test_remat_changes_the_program_and_not_the_result(cfg, params, batch, value_and_grad):
    def program(cfg):
        return str(jax.make_jaxpr(value_and_grad, static_argnums=1)(params, cfg, *batch))

    again = dataclasses.replace(cfg, remat=True)
    assert program(cfg).count('remat') < program(again).count('remat')  # attention has one anyway
    (value, grads), (value_again, grads_again) = (
        value_and_grad(params, c, *batch) for c in (cfg, again)
    )
    np.testing.assert_allclose(value, value_again, rtol=1e-6)
    for each in (grads, grads_again):  # mathematically zero where positions are learned
        each['encoder']['blocks']['attention']['key'].pop('bias', None)
    for leaf, leaf_again in zip(jax.tree.leaves(grads), jax.tree.leaves(grads_again), strict=True):
        np.testing.assert_allclose(leaf, leaf_again, atol=1e-5 * jnp.abs(leaf).max() + 1e-4)


@pytest.fixture(params=[True, False], ids=['graph mode', 'tree mode'])
def nnx_mode(request):
    before = flax.config.nnx_graph_mode
    flax.config.update('nnx_graph_mode', request.param)
    reader.graphdef.cache_clear()
    yield
    flax.config.update('nnx_graph_mode', before)
    reader.graphdef.cache_clear()


@pytest.mark.usefixtures('nnx_mode')
def test_both_nnx_modes(cfg, batch, key):
    """Tracing runs all of NNX: init, vmap, scan, remat, dropout and the gradient through them."""
    cfg = dataclasses.replace(cfg, remat=True)
    shapes = reader.abstract(cfg)

    def loss(params, key):
        return reader.apply(params, cfg, *batch, key).end_logits_BL.var()

    assert jax.eval_shape(jax.grad(loss), shapes, key) == shapes


def test_window_without_tokens_stays_finite(cfg, params, batch, value_and_grad):
    ids_BL, length_B, passage_B2 = batch
    length_B = length_B * np.array([1, 0, 1, 1], np.int32)
    value, grads = value_and_grad(params, cfg, ids_BL, length_B, passage_B2)
    assert jnp.isfinite(value)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(grads))


@pytest.mark.parametrize('cfg', ['modernbert', 'deberta-v2'], indirect=True)
def test_both_ways_to_attend_read_alike(cfg, params, batch, apply):
    by_head, plain = (
        apply(params, dataclasses.replace(cfg, attention=choice), *batch)
        for choice in ('by_head', 'plain')
    )
    close(by_head.start_logits_BL, plain.start_logits_BL, atol=1e-4)


@pytest.mark.parametrize('cfg', ['bert', 'modernbert', 'deberta-v2'], indirect=True)
def test_bfloat16_is_close_and_is_bfloat16(cfg, params, batch, apply):
    """Rounding to 8 bits errs by 2**-9 = 0.2 %; three layers let it grow to a few per cent."""
    exact = apply(params, cfg, *batch)
    half = apply(params, dataclasses.replace(cfg, dtype='bfloat16'), *batch)
    assert half.hidden_BLD.dtype == jnp.bfloat16
    assert half.start_logits_BL.dtype == half.end_logits_BL.dtype == jnp.float32
    error = half.start_logits_BL - exact.start_logits_BL
    assert 0 < jnp.std(error) < 0.05 * jnp.std(exact.start_logits_BL)


@pytest.mark.parametrize('cfg', ['bert'], indirect=True)
@pytest.mark.parametrize('rates', [(0.3, 0.0), (0.0, 0.3)], ids=['hidden', 'attention'])
def test_each_dropout_follows_its_key(cfg, params, batch, apply, rates):
    drops = dataclasses.replace(cfg, dropout=rates[0], attention_dropout=rates[1])
    once, again, other = (
        apply(params, drops, *batch, jax.random.key(seed)).start_logits_BL for seed in (1, 1, 2)
    )
    assert (once == again).all()
    assert jnp.abs(once - other).max() > 0.01
    assert jnp.abs(once - apply(params, cfg, *batch).start_logits_BL).max() > 0.01


@pytest.mark.parametrize('cfg', ['bert'], indirect=True)
def test_no_dropout_at_rate_zero(cfg, params, batch, apply, key):
    still = dataclasses.replace(cfg, dropout=0.0, attention_dropout=0.0)
    close(
        apply(params, still, *batch, key).hidden_BLD, apply(params, cfg, *batch).hidden_BLD, atol=0
    )


@pytest.mark.parametrize(
    ('name', 'with_pooler', 'width'),
    [
        # Parameters of transformers' XLMRobertaModel / BertModel, pooler included.
        ('xlmr_base', 278_043_648, 768),
        ('infoxlm_base', 278_043_648, 768),
        ('xlm_align_base', 278_043_648, 768),
        ('xlmr_large', 559_890_432, 1024),
        ('infoxlm_large', 559_890_432, 1024),
        ('e5_base', 278_043_648, 768),
        ('e5_large', 559_890_432, 1024),
        ('mminilm', 117_653_760, 384),
        ('e5_small', 117_653_760, 384),
        ('paraphrase_minilm', 117_653_760, 384),
        ('mbert', 177_853_440, 768),
        ('minilm', 22_713_216, 384),
        ('xlm_v_base', 778_493_184, 768),
    ],
)
def test_published_parameter_counts(name, with_pooler, width):
    """A question answering model has a [D, 2] head and its bias in place of the [D, D] pooler."""
    cfg = architectures.EncoderConfig.of(architectures.ENCODERS[name], architectures.PLAIN)
    shapes = reader.abstract(cfg)
    count = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    assert count == with_pooler - (width * width + width) + (2 * width + 2)
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype('float32')}


@pytest.mark.parametrize(
    ('name', 'classes'),
    [
        ('mmbert_base', ('ModernBertConfig', 'ModernBertForQuestionAnswering')),
        ('mmbert_small', ('ModernBertConfig', 'ModernBertForQuestionAnswering')),
        ('mgte_base', ('GteConfig', 'GteModel')),
        ('mdeberta_base', ('DebertaV2Config', 'DebertaV2ForQuestionAnswering')),
        ('rembert', ('RemBertConfig', 'RemBertForQuestionAnswering')),
        ('xlmr_xl', ('XLMRobertaXLConfig', 'XLMRobertaXLForQuestionAnswering')),
    ],
)
def test_parameter_counts_are_torchs(name, classes):
    """Built without memory; GTE has no span head there."""
    torch = pytest.importorskip('torch')
    import transformers

    cfg = architectures.EncoderConfig.of(architectures.ENCODERS[name], architectures.PLAIN)
    config, model = (getattr(transformers, each) for each in classes)
    with torch.device('meta'):
        theirs = model(config.from_dict(config_json.described(cfg)))
    shapes = reader.abstract(cfg)
    count = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    head = 2 * cfg.width + 2 if cfg.family == 'gte' else 0
    assert count == sum(parameter.numel() for parameter in theirs.parameters()) + head


def test_every_encoder_has_a_hub_id():
    assert architectures.HUB_IDS.keys() == architectures.ENCODERS.keys()
    assert len(set(architectures.HUB_IDS.values())) == len(architectures.ENCODERS)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'family': 'gpt'}, 'xlm-roberta, bert'),
        ({'dtype': 'float16'}, 'float32, bfloat16'),
        ({'heads': 5}, 'width 32 is not a multiple of its 5 heads'),
    ],
)
def test_impossible_configurations(cfg, change, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(cfg, **change)
