"""The reader: the encoder with a span head, as two pure functions ``init`` and ``apply``.

Owns the meaning of a padded batch (mask, token types) and the span logits. Refuses to know the
spans: which of them are legal, likely or right is the business of ``answers``.

Parameters are a nested dict of float32 arrays (``encoder/blocks/up/kernel`` is [N, D, F]), so
that optimizers, sharding rules and checkpoints need to know nothing of the modules behind it.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.model.block import NORMAL, norm
from xmrc_jax.model.encoder import Encoder
from xmrc_jax.model.marks import added
from xmrc_jax.model.turns import in_turns


class Reading(NamedTuple):
    """What the reader says of a batch of windows.

    Attributes:
      start_logits_BL: float32 scores of each token as the answer's first; padding and question
        are not masked out (which positions compete is for the loss to say, reading R1).
      end_logits_BL: likewise as the answer's last token.
      hidden_BLD: last layer's hidden vectors in the compute dtype, eq. 1.
    """

    start_logits_BL: jax.Array
    end_logits_BL: jax.Array
    hidden_BLD: jax.Array


class Transform(nnx.Module):
    """A dense layer, GELU and LayerNorm between hidden vectors and the span layer."""

    def __init__(self, cfg: EncoderConfig, *, rngs: nnx.Rngs):
        self.dense = nnx.Linear(
            cfg.width,
            cfg.width,
            use_bias=cfg.design.head_bias,
            kernel_init=NORMAL,
            dtype=jnp.dtype(cfg.dtype),
            rngs=rngs,
        )
        self.norm = norm(cfg, rngs)

    def __call__(self, x_BLD):
        return self.norm(jax.nn.gelu(self.dense(x_BLD), approximate=False))


class Reader(nnx.Module):
    """Encoder, and a head from a hidden vector to its start and end logit."""

    def __init__(self, cfg: EncoderConfig, *, rngs: nnx.Rngs):
        self.encoder = Encoder(cfg, rngs=rngs)
        self.has_transform = cfg.design.head == 'transformed'
        if self.has_transform:
            self.transform = Transform(cfg, rngs=rngs)
        self.span = nnx.Linear(cfg.width, 2, kernel_init=NORMAL, dtype=jnp.float32, rngs=rngs)

    def __call__(self, *windows) -> Reading:
        hidden_BLD = self.encoder(*windows)
        read_BLD = self.transform(hidden_BLD) if self.has_transform else hidden_BLD
        logits_BL2 = self.span(read_BLD)
        return Reading(logits_BL2[..., 0], logits_BL2[..., 1], hidden_BLD)


def init(cfg: EncoderConfig, key: jax.Array) -> dict:
    """Random parameters, drawn as Hugging Face draws BERT's.

    Kernels and tables from a normal distribution of deviation 0.02, biases and the padding id's
    rows zero. Traceable: ``jax.jit`` with ``out_shardings`` creates the parameters in place.

    Args:
      cfg: sizes of the encoder.
      key: random key.

    Returns:
      Nested dict of float32 arrays.
    """
    return nnx.to_pure_dict(nnx.split(Reader(cfg, rngs=nnx.Rngs(key)))[1])


@functools.partial(jax.jit, static_argnames='cfg')
def head(cfg: EncoderConfig, key: jax.Array) -> dict:
    """What ``init`` draws behind the encoder; the compiler leaves the encoder out.

    Equal to ``init``'s up to a rounding.
    """
    return {name: own for name, own in init(cfg, key).items() if name != 'encoder'}


def abstract(cfg: EncoderConfig) -> dict:
    """The shapes of what ``init`` makes."""
    return jax.eval_shape(functools.partial(init, cfg), jax.random.key(0))


@functools.lru_cache
def graphdef(cfg: EncoderConfig) -> nnx.GraphDef:
    """The structure of the reader without its parameters."""
    return nnx.split(nnx.eval_shape(lambda: Reader(cfg, rngs=nnx.Rngs(0))))[0]


def apply(
    params: dict,
    cfg: EncoderConfig,
    ids_BL: jax.Array,
    length_B: jax.Array,
    passage_B2: jax.Array,
    key: jax.Array | None = None,
    token_GRP: jax.Array | None = None,
    mark_B2: jax.Array | None = None,
    language_B2: jax.Array | None = None,
) -> Reading:
    r"""Reads a batch of windows, each a question and a passage.

    .. math:: X = H(q, p), \quad (\log P_{start}, \log P_{end}) = W X^T + b + const

    The padding id's rows get no gradient, as in torch (reading R20); see ``encoder.Embeddings``.

    Args:
      params: as ``init`` returns them, with or without marks.
      cfg: the configuration they were made for.
      ids_BL: int32 token ids, padded on the right; L may be any length up to the encoder's.
      length_B: int32 number of real tokens of each window.
      passage_B2: int32 token range [lo, hi) of the passage; every token from lo on has the token
        type ``cfg.passage_type``, the others 0, unless ``language_B2`` says other ones.
      key: dropout key; None = evaluation.
      token_GRP: which windows share a row, as ``packing.layout`` has it; None gives each window a
        row of its own, padding included. The reading of real tokens is the same. With
        ``cfg.accumulate`` there are so many groups for each that a device has, see ``turns``.
      mark_B2: int32 inclusive token spans that parameters with marks are told of, see ``marks``.
      language_B2: int32 language ids of question and passage, which are the types of their tokens.

    Returns:
      ``Reading``: logits before the softmax of eq. 2, hidden vectors of eq. 1.

    Raises:
      UserError: L is beyond the encoder's positions.

    Reference: Chen et al. 2022, eq. 1 and 2.

    Example:
      >>> from xmrc_jax.model.architectures import PLAIN, Architecture
      >>> from xmrc_jax.model.design import BERT
      >>> sizes = 9, 4, 2, 2, 8, 16, 0, 2, 1e-12
      >>> small = Architecture('bert', *sizes, pad_id=0, passage_type=1, design=BERT)
      >>> cfg = EncoderConfig.of(small, PLAIN)
      >>> params = init(cfg, jax.random.key(0))
      >>> ids_BL = jnp.array([[1, 5, 2, 7, 8, 2], [1, 6, 2, 3, 2, 0]])  # [CLS] q [SEP] p [SEP]
      >>> reading = apply(params, cfg, ids_BL, jnp.array([6, 5]), jnp.array([[3, 5], [3, 4]]))
      >>> reading.start_logits_BL.shape, reading.hidden_BLD.shape
      ((2, 6), (2, 6, 4))
    """
    plain = {name: own for name, own in params.items() if name in ('encoder', 'transform', 'span')}

    def read(ids_BL, length_B, passage_B2, token_GRP, mark_B2, language_B2, number_B):
        position_L = jnp.arange(ids_BL.shape[1])
        mask_BL = position_L[None] < length_B[:, None]
        types = (0, cfg.passage_type) if language_B2 is None else jnp.split(language_B2, 2, axis=1)
        type_BL = jnp.where(position_L[None] < passage_B2[:, :1], *types)
        added_BLD = None if mark_B2 is None else added(params['marks'], mark_B2, ids_BL.shape[1])
        windows = ids_BL, mask_BL, type_BL, key, token_GRP, added_BLD, number_B
        return nnx.merge(graphdef(cfg), plain)(*windows)

    number_B = jnp.arange(ids_BL.shape[0], dtype=jnp.int32)
    batch = ids_BL, length_B, passage_B2, token_GRP, mark_B2, language_B2, number_B
    return in_turns(read, cfg.accumulate, 1 if token_GRP is None else len(token_GRP), batch)
