"""The transformer encoder of BERT and XLM-RoBERTa, and the table of the sizes it comes in.

Owns the forward pass from token ids to hidden vectors. Refuses to know what the vectors are for
(``reader``) and where weights come from (``weights``).

Modules hold parameters and their static configuration, never random state: dropout takes an
explicit key, and no key means evaluation. Parameters are float32. ``Computation.dtype`` is the
dtype of the matrix products; embeddings, LayerNorm and the attention softmax are always computed
in float32. (On GPU and TPU even float32 products are rounded unless JAX's
``jax_default_matmul_precision`` says 'highest'.)
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from flax import nnx

from xmrc_jax.ground.choices import require
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import attention, packing
from xmrc_jax.model.dropout import draws, dropped

FAMILIES = ('xlm-roberta', 'bert')
DTYPES = ('float32', 'bfloat16')
NORMAL = jax.nn.initializers.normal(0.02)  # every kernel and table, as in Hugging Face


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What an encoder is: a checkpoint is of one architecture and fits no other.

    Attributes:
      family: 'xlm-roberta' or 'bert': the naming of its checkpoints.
      vocabulary: rows of the token table (V).
      width: size of a hidden vector (D).
      layers: number of blocks (N).
      heads: attention heads (H), each of width / heads.
      mlp: hidden size of the MLP (F).
      positions: rows of the position table.
      first_position: row of a window's first token; XLM-R starts behind its padding id.
      types: rows of the token type table; 2 = question and passage are told apart.
      norm_eps: epsilon of every LayerNorm.
      pad_id: token id of padding.

    Raises:
      UserError: a field's value is impossible.
    """

    family: str
    vocabulary: int
    width: int
    layers: int
    heads: int
    mlp: int
    positions: int
    first_position: int
    types: int
    norm_eps: float
    pad_id: int

    def __post_init__(self):
        require(FAMILIES, self.family, 'model family')
        if self.width % self.heads:
            raise UserError(f'model width {self.width} is not a multiple of its {self.heads} heads')


@dataclasses.dataclass(frozen=True)
class Computation:
    """How an encoder is computed: any architecture's checkpoint is read whatever is chosen here.

    Attributes:
      dropout: rate on hidden states.
      attention_dropout: rate on attention probabilities.
      dtype: one of ``DTYPES``, that of the matrix products.
      remat: recompute each block in the backward pass instead of keeping its activations.
      attention: how, one of ``attention.CHOICES``.

    Raises:
      UserError: a field's value is impossible.
    """

    dropout: float
    attention_dropout: float
    dtype: str
    remat: bool
    attention: str

    def __post_init__(self):
        require(DTYPES, self.dtype, 'model.dtype')
        require(attention.CHOICES, self.attention, 'model.attention')
        if self.attention == 'cudnn' and self.dtype != 'bfloat16':
            raise UserError("model.attention 'cudnn' needs model.dtype 'bfloat16'")
        for name in ('dropout', 'attention_dropout'):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f'model.{name} {getattr(self, name)}: must lie in [0, 1)')


# The rates of Hugging Face's checkpoints and exact products, where nobody configures anything else.
PLAIN = Computation(0.1, 0.1, 'float32', remat=False, attention='auto')


@dataclasses.dataclass(frozen=True)
class EncoderConfig(Computation, Architecture):
    """An encoder: its architecture, and how it is computed."""

    def __post_init__(self):
        Architecture.__post_init__(self)
        Computation.__post_init__(self)

    @classmethod
    def of(cls, architecture: Architecture, computation: Computation) -> 'EncoderConfig':
        return cls(**dataclasses.asdict(architecture), **dataclasses.asdict(computation))

    @classmethod
    def of_json(cls, values: dict) -> 'EncoderConfig':
        """From what ``dataclasses.asdict`` once gave, by this version or another.

        How it was computed may be missing there, and what no field is called does not matter.
        """
        values = dataclasses.asdict(PLAIN) | values
        return cls(**{field.name: values[field.name] for field in dataclasses.fields(cls)})

    @property
    def architecture(self) -> Architecture:
        """What a checkpoint must agree with."""
        return Architecture(
            **{field.name: getattr(self, field.name) for field in dataclasses.fields(Architecture)}
        )


XLMR_BASE = Architecture(
    family='xlm-roberta',
    vocabulary=250_002,
    width=768,
    layers=12,
    heads=12,
    mlp=3072,
    positions=514,
    first_position=2,
    types=1,
    norm_eps=1e-5,
    pad_id=1,
)
XLMR_LARGE = dataclasses.replace(XLMR_BASE, width=1024, layers=24, heads=16, mlp=4096)
MBERT = Architecture(
    family='bert',
    vocabulary=119_547,
    width=768,
    layers=12,
    heads=12,
    mlp=3072,
    positions=512,
    first_position=0,
    types=2,
    norm_eps=1e-12,
    pad_id=0,
)
TINY = dataclasses.replace(XLMR_BASE, width=128, layers=2, heads=4, mlp=512)  # for trials
MINILM = dataclasses.replace(MBERT, vocabulary=30_522, width=384, layers=6, mlp=1536)

_TABLE = {
    'xlmr_base': (XLMR_BASE, 'FacebookAI/xlm-roberta-base'),
    'xlmr_large': (XLMR_LARGE, 'FacebookAI/xlm-roberta-large'),
    'infoxlm_base': (XLMR_BASE, 'microsoft/infoxlm-base'),
    'infoxlm_large': (XLMR_LARGE, 'microsoft/infoxlm-large'),
    'xlm_align_base': (XLMR_BASE, 'microsoft/xlm-align-base'),
    'mbert': (MBERT, 'google-bert/bert-base-multilingual-cased'),
    'minilm': (MINILM, 'sentence-transformers/all-MiniLM-L6-v2'),
    'tiny': (TINY, ''),
}
ENCODERS = {name: architecture for name, (architecture, _) in _TABLE.items()}
HUB_IDS = {name: hub_id for name, (_, hub_id) in _TABLE.items()}


def _split(key: jax.Array | None, count: int):
    return [None] * count if key is None else jax.random.split(key, count)


def _norm(cfg: EncoderConfig, rngs: nnx.Rngs) -> nnx.LayerNorm:
    return nnx.LayerNorm(
        cfg.width, epsilon=cfg.norm_eps, use_fast_variance=False, dtype=jnp.float32, rngs=rngs
    )


class Embeddings(nnx.Module):
    """Sum of token, position and token type rows, normalised.

    The padding id's token row takes part in the forward pass and gets no gradient, as torch's
    ``padding_idx`` has it (reading R20). XLM-R's padding position needs no such care: positions
    start behind it, so it is never looked up. BERT's position table has no padding row.
    """

    def __init__(self, cfg: EncoderConfig, *, rngs: nnx.Rngs):
        def padded(key, shape, dtype):
            return NORMAL(key, shape, dtype).at[cfg.pad_id].set(0)

        self.cfg = cfg
        self.token = nnx.Embed(cfg.vocabulary, cfg.width, embedding_init=padded, rngs=rngs)
        self.position = nnx.Embed(
            cfg.positions,
            cfg.width,
            embedding_init=padded if cfg.first_position else NORMAL,
            rngs=rngs,
        )
        self.type = nnx.Embed(cfg.types, cfg.width, embedding_init=NORMAL, rngs=rngs)
        self.norm = _norm(cfg, rngs)

    def __call__(self, ids_BL, type_BL, layout, key=None):
        cfg = self.cfg
        L = ids_BL.shape[1]
        if cfg.first_position + L > cfg.positions:
            raise UserError(
                f'windows of {L} tokens: this encoder takes at most '
                f'{cfg.positions - cfg.first_position}; lower the longest window'
            )
        ids_RP = layout.pack(ids_BL)
        x_RPD = self.token(ids_RP)
        x_RPD = jnp.where((ids_RP == cfg.pad_id)[..., None], jax.lax.stop_gradient(x_RPD), x_RPD)
        x_RPD += self.type(layout.pack(type_BL))
        x_RPD += self.position(cfg.first_position + layout.position_RP)
        return _hidden_dropout(cfg, self.norm(x_RPD).astype(cfg.dtype), layout, key)


def _hidden_dropout(cfg: EncoderConfig, x_RPD, layout, key):
    if key is None or cfg.dropout == 0:
        return x_RPD
    R, P, D = x_RPD.shape
    tokens = draws(key, layout.number_RP).reshape(R, P, 1)
    return dropped(x_RPD, cfg.dropout, tokens, jnp.arange(D)[None, None])


class Attention(nnx.Module):
    """Multi-head self-attention; ``same_RPM`` is True where one token may attend to another."""

    def __init__(self, cfg: EncoderConfig, *, rngs: nnx.Rngs):
        linear = functools.partial(
            nnx.LinearGeneral, kernel_init=NORMAL, dtype=jnp.dtype(cfg.dtype), rngs=rngs
        )
        heads = (cfg.heads, cfg.width // cfg.heads)
        self.cfg = cfg
        self.query = linear(cfg.width, heads)
        self.key = linear(cfg.width, heads)
        self.value = linear(cfg.width, heads)
        self.out = linear(heads, cfg.width, axis=(-2, -1))

    def __call__(self, x_RPD, same_RPM, layout, key=None):
        attended_RPHA = attention.attend(
            self.query(x_RPD),
            self.key(x_RPD),
            self.value(x_RPD),
            same_RPM,
            choice=self.cfg.attention,
            rate=self.cfg.attention_dropout,
            tokens=None if key is None else draws(key, layout.number_RP),
            position_RM=layout.position_RP,
        )
        return self.out(attended_RPHA)


class Block(nnx.Module):
    """Attention, then an MLP with the erf form of GELU; LayerNorm after each residual sum."""

    def __init__(self, cfg: EncoderConfig, *, rngs: nnx.Rngs):
        linear = functools.partial(
            nnx.Linear, kernel_init=NORMAL, dtype=jnp.dtype(cfg.dtype), rngs=rngs
        )
        self.cfg = cfg
        self.attention = Attention(cfg, rngs=rngs)
        self.attention_norm = _norm(cfg, rngs)
        self.up = linear(cfg.width, cfg.mlp)
        self.down = linear(cfg.mlp, cfg.width)
        self.mlp_norm = _norm(cfg, rngs)

    def __call__(self, x_RPD, same_RPM, layout, key=None):
        weight_key, attention_key, mlp_key = _split(key, 3)
        y_RPD = self.attention(x_RPD, same_RPM, layout, weight_key)
        y_RPD = _hidden_dropout(self.cfg, y_RPD, layout, attention_key)
        x_RPD = self.attention_norm(x_RPD + y_RPD).astype(x_RPD.dtype)
        y_RPD = self.down(jax.nn.gelu(self.up(x_RPD), approximate=False))
        y_RPD = _hidden_dropout(self.cfg, y_RPD, layout, mlp_key)
        return self.mlp_norm(x_RPD + y_RPD).astype(x_RPD.dtype)


class Encoder(nnx.Module):
    """Embeddings and N blocks, whose parameters are stacked on a leading axis N."""

    def __init__(self, cfg: EncoderConfig, *, rngs: nnx.Rngs):
        def block(key):
            return Block(cfg, rngs=nnx.Rngs(key))

        self.cfg = cfg
        self.embed = Embeddings(cfg, rngs=rngs)
        self.blocks = jax.vmap(block)(jax.random.split(rngs.params(), cfg.layers))

    def __call__(self, ids_BL, mask_BL, type_BL, key=None, token_GRP=None):
        """Hidden vectors of the last layer.

        Args:
          ids_BL: int32 token ids, padded on the right.
          mask_BL: True at real tokens; the others are not attended to. A window without any real
            token attends evenly to its padding: meaningless, but finite.
          type_BL: int32 token types, below ``cfg.types``.
          key: dropout key; None = evaluation.
          token_GRP: which windows share a row, see ``packing.layout``; None = none do.

        Returns:
          [B, L, D] in ``cfg.dtype``; at padding the values mean nothing.
        """
        embed_key, blocks_key = _split(key, 2)
        layout = packing.layout(mask_BL, token_GRP)
        same_RPM = layout.same_RPM

        def body(x_RPD, layer):
            block, block_key = layer
            return block(x_RPD, same_RPM, layout, block_key), None

        if self.cfg.remat:
            body = jax.checkpoint(body, prevent_cse=False)  # scan needs no barrier against CSE
        keys_N = None if key is None else jax.random.split(blocks_key, self.cfg.layers)
        x_RPD = self.embed(ids_BL, type_BL, layout, embed_key)
        return layout.unpack(jax.lax.scan(body, x_RPD, (self.blocks, keys_N))[0], len(mask_BL))
