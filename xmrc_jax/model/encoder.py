"""The transformer encoder of BERT and XLM-RoBERTa.

Owns the forward pass from token ids to hidden vectors. Refuses to know what the vectors are for
(``reader``) and where weights come from (``weights``).

Modules hold parameters and their static configuration, never random state: dropout takes an
explicit key, and no key means evaluation. Parameters are float32. ``Computation.dtype`` is the
dtype of the matrix products; embeddings, LayerNorm and the attention softmax are always computed
in float32. (On GPU and TPU even float32 products are rounded unless JAX's
``jax_default_matmul_precision`` says 'highest'.)
"""

import functools

import jax
import jax.numpy as jnp
from flax import nnx

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import attention, packing
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.model.dropout import draws, dropped

NORMAL = jax.nn.initializers.normal(0.02)  # every kernel and table, as in Hugging Face


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

    def __call__(self, ids_BL, type_BL, layout, key=None, added_BLD=None):
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
        if added_BLD is not None:
            x_RPD += layout.pack(added_BLD)
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

    def __call__(self, ids_BL, mask_BL, type_BL, key=None, token_GRP=None, added_BLD=None):
        """Hidden vectors of the last layer.

        Args:
          ids_BL: int32 token ids, padded on the right.
          mask_BL: True at real tokens; the others are not attended to. A window without any real
            token attends evenly to its padding: meaningless, but finite.
          type_BL: int32 token types, below ``cfg.types``.
          key: dropout key; None = evaluation.
          token_GRP: which windows share a row, see ``packing.layout``; None = none do.
          added_BLD: float32, added to the embeddings before they are normalised; None = nothing.

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
        x_RPD = self.embed(ids_BL, type_BL, layout, embed_key, added_BLD)
        return layout.unpack(jax.lax.scan(body, x_RPD, (self.blocks, keys_N))[0], mask_BL.shape[0])
