"""A block of the encoder: attention and an MLP, a norm behind the sum of each.

Owns what one layer does to the rows of a batch. Refuses to know where they come from.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from xmrc_jax.model import attention, packing, positions
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.model.dropout import draws, dropped
from xmrc_jax.model.lora import Linear

NORMAL = jax.nn.initializers.normal(0.02)  # every kernel and table, as in Hugging Face


class Stream(NamedTuple):
    """What runs through the blocks.

    Attributes:
      read_RPD: normalised, what the next half of a block reads.
      sum_RPD: what it adds to; None where that is what it reads.
    """

    read_RPD: jax.Array
    sum_RPD: jax.Array | None


class Layer(NamedTuple):
    """In what layers differ besides their parameters; in a scan over N, that of one of them.

    Attributes:
      reach_N: int32, how many tokens away a token sees; None where all see their whole window.
      frequency_NC: of rotary positions; None where there are none.
    """

    reach_N: np.ndarray | None
    frequency_NC: np.ndarray | None

    @classmethod
    def of(cls, cfg: EncoderConfig) -> 'Layer':
        design, width = cfg.design, cfg.width // cfg.heads
        global_N = np.arange(cfg.layers) % design.global_every == 0
        reach_N = frequency_NC = None
        if design.global_every > 1:
            reach_N = np.where(global_N, cfg.positions, design.reach).astype(np.int32)
        if design.positions == 'rotary':
            everywhere_C, nearby_C = (
                positions.frequencies(width, theta, design.stretch)
                for theta in (design.theta, design.local_theta)
            )
            frequency_NC = np.where(global_N[:, None], everywhere_C, nearby_C)
        return cls(reach_N, frequency_NC)


def split(key: jax.Array | None, count: int):
    """So many keys of a dropout key, or of none."""
    return [None] * count if key is None else jax.random.split(key, count)


def norm(cfg: EncoderConfig, rngs: nnx.Rngs, width: int | None = None) -> nnx.LayerNorm:
    """A LayerNorm of hidden vectors, or of others by their width, computed in float32."""
    return nnx.LayerNorm(
        width or cfg.width,
        epsilon=cfg.norm_eps,
        use_bias=cfg.design.norm_bias,
        use_fast_variance=False,
        dtype=jnp.float32,
        rngs=rngs,
    )


def hidden_dropout(cfg: EncoderConfig, x_RPD, layout: packing.Layout, key):
    """Dropout on the vectors of tokens; no key = evaluation."""
    if key is None or cfg.dropout == 0:
        return x_RPD
    R, P, D = x_RPD.shape
    tokens = draws(key, layout.number_RP).reshape(R, P, 1)
    return dropped(x_RPD, cfg.dropout, tokens, jnp.arange(D)[None, None])


class Rows(NamedTuple):
    """What is the same in all layers of the rows that an encoder computes.

    Attributes:
      layout: what lies where.
      same_RPM: True where a token may attend to another of its window.
      relative_ED: table of disentangled positions, and the row of it for each query and key; None
        where there are none.
      row_RPM: int32, likewise.
    """

    layout: packing.Layout
    same_RPM: jax.Array
    relative_ED: jax.Array | None = None
    row_RPM: jax.Array | None = None


class Attention(nnx.Module):
    """Multi-head self-attention of the tokens of a window."""

    def __init__(self, cfg: EncoderConfig, *, rngs: nnx.Rngs):
        linear = functools.partial(
            Linear, cfg, use_bias=cfg.design.attention_bias, kernel_init=NORMAL, rngs=rngs
        )
        heads = (cfg.heads, cfg.width // cfg.heads)
        self.cfg = cfg
        self.query = linear(cfg.width, heads)
        self.key = linear(cfg.width, heads)
        self.value = linear(cfg.width, heads)
        self.out = linear(heads, cfg.width, axis=(-2, -1))

    def __call__(self, x_RPD, rows: Rows, layer: Layer, key=None):
        layout, same_RPM = rows.layout, rows.same_RPM
        query_RPHA, key_RPHA, value_RPHA = self.query(x_RPD), self.key(x_RPD), self.value(x_RPD)
        if layer.frequency_NC is not None:
            query_RPHA, key_RPHA = (
                positions.rotated(each_RPHA, layout.position_RP, layer.frequency_NC)
                for each_RPHA in (query_RPHA, key_RPHA)
            )
        if layer.reach_N is not None:
            same_RPM &= positions.within(layout.position_RP, layer.reach_N)
        attended_RPHA = attention.attend(
            query_RPHA,
            key_RPHA,
            value_RPHA,
            same_RPM,
            choice=self.cfg.attention,
            rate=self.cfg.attention_dropout,
            tokens=None if key is None else draws(key, layout.number_RP),
            position_RM=layout.position_RP,
            relative=self._relative(rows, key),
        )
        return self.out(attended_RPHA)

    def _relative(self, rows: Rows, key) -> attention.Relative | None:
        """The table of distances as this layer's queries and keys see it."""
        table_ED = rows.relative_ED
        if table_ED is None:
            return None
        if key is not None and self.cfg.dropout > 0:
            E, D = table_ED.shape
            entries = draws(jax.random.fold_in(key, 1), jnp.arange(E)).reshape(E, 1)
            table_ED = dropped(table_ED, self.cfg.dropout, entries, jnp.arange(D)[None])
        return attention.Relative(self.query(table_ED), self.key(table_ED), rows.row_RPM)


class Block(nnx.Module):
    """Attention, then an MLP with the erf form of GELU; a LayerNorm behind each residual sum."""

    def __init__(self, cfg: EncoderConfig, *, rngs: nnx.Rngs):
        design = cfg.design
        linear = functools.partial(Linear, cfg, kernel_init=NORMAL, rngs=rngs)
        self.cfg = cfg
        self.attention = Attention(cfg, rngs=rngs)
        self.attention_norm = norm(cfg, rngs)
        self.up = linear(cfg.width, cfg.mlp, use_bias=design.up_bias)
        self.down = linear(cfg.mlp, cfg.width, use_bias=design.down_bias)
        self.mlp_norm = norm(cfg, rngs)
        if design.gated:
            self.gate = linear(cfg.width, cfg.mlp, use_bias=design.up_bias)

    def __call__(self, stream: Stream, rows: Rows, layer: Layer, key=None) -> Stream:
        cfg, layout = self.cfg, rows.layout
        weight_key, attention_key, mlp_key = split(key, 3)
        y_RPD = self.attention(stream.read_RPD, rows, layer, weight_key)
        y_RPD = hidden_dropout(cfg, y_RPD, layout, attention_key)
        stream = _added(stream, y_RPD, self.attention_norm)
        y_RPD = self._mlp(stream.read_RPD, layout, mlp_key)
        if cfg.design.output_dropout:
            y_RPD = hidden_dropout(cfg, y_RPD, layout, mlp_key)
        return _added(stream, y_RPD, self.mlp_norm)

    def _mlp(self, x_RPD, layout, key):
        if not self.cfg.design.gated:
            return self.down(jax.nn.gelu(self.up(x_RPD), approximate=False))
        h_RPF = jax.nn.gelu(self.gate(x_RPD), approximate=False) * self.up(x_RPD)
        if self.cfg.design.inner_dropout and key is not None:
            h_RPF = hidden_dropout(self.cfg, h_RPF, layout, jax.random.fold_in(key, 1))
        return self.down(h_RPF)


def _added(stream: Stream, y_RPD, after: nnx.LayerNorm) -> Stream:
    """The stream behind a half of a block that gave y."""
    x_RPD = stream.read_RPD if stream.sum_RPD is None else stream.sum_RPD
    sum_RPD = x_RPD + y_RPD
    read_RPD = after(sum_RPD).astype(x_RPD.dtype)
    return Stream(read_RPD, None if stream.sum_RPD is None else sum_RPD)
