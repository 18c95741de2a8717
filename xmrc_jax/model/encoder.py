"""The transformer encoder of BERT, XLM-RoBERTa, ModernBERT, GTE, DeBERTa, XLM and RemBERT.

Owns the forward pass from token ids to hidden vectors; in what these differ is a ``Design``.
Refuses to know what the vectors are for (``reader``) and where weights come from (``weights``).

Modules hold parameters and their static configuration, never random state: dropout takes an
explicit key, and no key means evaluation. Parameters are float32. ``Computation.dtype`` is the
dtype of the matrix products; embeddings, LayerNorm and the attention softmax are always computed
in float32. (On GPU and TPU even float32 products are rounded unless JAX's
``jax_default_matmul_precision`` says 'highest'.)
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import packing, positions
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.model.block import NORMAL, Block, Layer, Rows, Stream, hidden_dropout, norm, split


class Embeddings(nnx.Module):
    """Sum of token, position and token type rows as far as there are such, normalised, widened.

    The padding id's token row takes part in the forward pass and gets no gradient, as torch's
    ``padding_idx`` has it (reading R20). XLM-R's padding position needs no such care: positions
    start behind it, so it is never looked up. BERT's position table has no padding row.
    """

    def __init__(self, cfg: EncoderConfig, *, rngs: nnx.Rngs):
        def padded(key, shape, dtype):
            return NORMAL(key, shape, dtype).at[cfg.pad_id].set(0)

        def table(rows, init=NORMAL):
            return nnx.Embed(rows, cfg.embedding_width, embedding_init=init, rngs=rngs)

        self.cfg = cfg
        self.token = table(cfg.vocabulary, padded)
        if cfg.design.positions == 'learned':
            self.position = table(cfg.positions, padded if cfg.first_position else NORMAL)
        if cfg.types:
            self.type = table(cfg.types)
        self.norm = norm(cfg, rngs, cfg.embedding_width)
        if cfg.design.embedding:
            own = {'kernel_init': NORMAL, 'dtype': jnp.dtype(cfg.dtype), 'rngs': rngs}
            self.widen = nnx.Linear(cfg.embedding_width, cfg.width, **own)

    def __call__(self, ids_BL, type_BL, layout, key=None, added_BLD=None) -> Stream:
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
        if cfg.types:
            x_RPD += self.type(layout.pack(type_BL))
        if cfg.design.positions == 'learned':
            x_RPD += self.position(cfg.first_position + layout.position_RP)
        if added_BLD is not None:
            x_RPD += layout.pack(added_BLD)
        if cfg.design.embedding_norm:
            x_RPD = hidden_dropout(cfg, self.norm(x_RPD).astype(cfg.dtype), layout, key)
            if cfg.design.embedding:
                x_RPD = self.widen(x_RPD)
            return Stream(x_RPD, x_RPD if cfg.design.pre_norm else None)
        x_RPD = hidden_dropout(cfg, x_RPD.astype(cfg.dtype), layout, key)
        return Stream(self.norm(x_RPD).astype(cfg.dtype), x_RPD)


class Distances(nnx.Module):
    """Rows of disentangled positions, one for each bucket of either sign, normalised."""

    def __init__(self, cfg: EncoderConfig, *, rngs: nnx.Rngs):
        rows = 2 * cfg.design.buckets
        self.relative = nnx.Embed(rows, cfg.width, embedding_init=NORMAL, rngs=rngs)
        self.norm = norm(cfg, rngs)

    def __call__(self) -> jax.Array:
        return self.norm(self.relative.embedding[...])


class Encoder(nnx.Module):
    """Embeddings and N blocks, whose parameters are stacked on a leading axis N.

    Those of layers that are not trained are a stack of their own.
    """

    def __init__(self, cfg: EncoderConfig, *, rngs: nnx.Rngs):
        def blocks(cfg, keys_N):
            return jax.vmap(lambda key: Block(cfg, rngs=nnx.Rngs(key)))(keys_N)

        self.cfg = cfg
        self.embed = Embeddings(cfg, rngs=rngs)
        keys_N = jax.random.split(rngs.params(), cfg.layers)
        if cfg.frozen:
            without_adapters = dataclasses.replace(cfg, lora_rank=0)
            self.frozen = blocks(without_adapters, keys_N[: cfg.frozen])
        self.blocks = blocks(cfg, keys_N[cfg.frozen :])
        if cfg.design.positions == 'disentangled':
            self.distances = Distances(cfg, rngs=rngs)

    def __call__(
        self, ids_BL, mask_BL, type_BL, key=None, token_GRP=None, added_BLD=None, number_B=None
    ):
        """Hidden vectors of the last layer, normalised.

        Args:
          ids_BL: int32 token ids, padded on the right.
          mask_BL: True at real tokens; the others are not attended to. A window without any real
            token attends evenly to its padding: meaningless, but finite.
          type_BL: int32 token types, below ``cfg.types``.
          key: dropout key; None = evaluation.
          token_GRP: which windows share a row, see ``packing.layout``; None = none do.
          added_BLD: float32, added to the embeddings before they are normalised; None = nothing.
          number_B: of each window in the batch of which they are a part, see ``packing.layout``.

        Returns:
          [B, L, D] in ``cfg.dtype``; at padding the values mean nothing.
        """
        embed_key, blocks_key = split(key, 2)
        rows = self._rows(mask_BL, packing.layout(mask_BL, token_GRP, number_B))

        def body(stream, layer):
            block, layer, block_key = layer
            return block(stream, rows, layer, block_key), None

        if self.cfg.remat:
            body = jax.checkpoint(body, prevent_cse=False)  # scan needs no barrier against CSE
        keys_N = None if key is None else jax.random.split(blocks_key, self.cfg.layers)
        stream = self.embed(ids_BL, type_BL, rows.layout, embed_key, added_BLD)
        layers = Layer.of(self.cfg), keys_N
        if frozen := self.cfg.frozen:
            first, layers = (
                jax.tree.map(lambda leaf, part=part: leaf[part], layers)
                for part in (slice(frozen), slice(frozen, None))
            )
            stream, _ = jax.lax.scan(body, stream, (self.frozen, *first))
        stream, _ = jax.lax.scan(body, stream, (self.blocks, *layers))
        return rows.layout.unpack(stream.read_RPD, mask_BL.shape[0])

    def _rows(self, mask_BL, layout: packing.Layout) -> Rows:
        design = self.cfg.design
        if design.positions != 'disentangled':
            return Rows(layout, layout.same_RPM)
        row_RPM = positions.relative_rows(
            layout.position_RP, mask_BL.shape[1], design.buckets, design.distances
        )
        return Rows(layout, layout.same_RPM, self.distances(), row_RPM)
