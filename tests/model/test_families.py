"""Names of each family: how many tensors, what lies in a fused one, what is no reader's."""

import pytest

from tests.tiny import KINDS
from xmrc_jax.model import families
from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig


def of(architecture):
    return families.tensors(EncoderConfig.of(architecture, PLAIN))


def test_mmbert_has_138_tensors():
    """2 embed, 22 layers of 5, 21 norms before attention, one last, 2 of the head, 2 of spans."""
    found = of(ENCODERS['mmbert_base'])
    assert len(found) == 2 + 22 * 5 + 21 + 1 + 2 + 2
    assert 'model.layers.0.attn_norm.weight' not in found
    assert found['model.layers.21.attn_norm.weight'][0].layer == 20  # behind layer 20's sum
    assert found['model.final_norm.weight'][0].layer == 21


def test_fused_tensors_hold_their_parts_in_the_order_of_the_family():
    def parts(kind, name):
        return [part.path.split('/')[-2] for part in of(KINDS[kind])[name]]

    assert parts('modernbert', 'model.layers.1.attn.Wqkv.weight') == ['query', 'key', 'value']
    assert parts('modernbert', 'model.layers.1.mlp.Wi.weight') == ['gate', 'up']
    qkv, mlp = 'gte.encoder.layer.1.attention.qkv_proj.', 'gte.encoder.layer.1.mlp.up_gate_proj.'
    assert parts('gte', f'{qkv}weight') == parts('gte', f'{qkv}bias') == ['query', 'key', 'value']
    assert parts('gte', f'{mlp}weight') == ['up', 'gate']
    assert f'{mlp}bias' not in of(KINDS['gte'])


def test_kernels_there_are_out_by_in_without_heads():
    found = of(KINDS['bert'])
    for name, shape in (
        ('attention.self.query.weight', (32, 32)),
        ('attention.self.query.bias', (32,)),
        ('intermediate.dense.weight', (48, 32)),
        ('output.dense.weight', (32, 48)),
    ):
        assert found[f'bert.encoder.layer.2.{name}'][0].theirs == shape
    assert found['bert.embeddings.word_embeddings.weight'][0].theirs == (60, 32)


@pytest.mark.parametrize(
    ('family', 'name', 'expected'),
    [
        ('gte', 'new.encoder.layer.0.attn_ln.bias', 'gte.encoder.layer.0.attn_ln.bias'),
        ('gte', 'encoder.layer.0.attn_ln.bias', 'gte.encoder.layer.0.attn_ln.bias'),
        ('gte', 'qa_outputs.bias', 'qa_outputs.bias'),
        ('gte', 'classifier.bias', None),
        ('gte', 'lm_head.norm.bias', None),
        ('modernbert', 'layers.0.attn.Wo.weight', 'model.layers.0.attn.Wo.weight'),
        ('modernbert', 'head.norm.weight', 'head.norm.weight'),
        ('modernbert', 'classifier.weight', 'classifier.weight'),
        ('modernbert', 'decoder.bias', None),
        ('deberta-v2', 'mask_predictions.dense.bias', None),
        ('deberta-v2', 'lm_predictions.lm_head.bias', None),
        ('bert', 'embeddings.LayerNorm.gamma', 'bert.embeddings.LayerNorm.weight'),
        ('bert', 'bert.pooler.dense.bias', None),
        ('bert', 'head.dense.weight', 'bert.head.dense.weight'),  # nobody's: told as unused
    ],
)
def test_names_of_other_files(family, name, expected):
    assert families.canonical(name, families.FAMILIES[family]) == expected
