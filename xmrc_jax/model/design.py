"""How an encoder is built, whatever its sizes: the fields in which architectures differ.

A block has two halves, attention and an MLP, and a norm behind the sum of each. What that norm
means is the first field: without ``pre_norm`` the normalised sum goes on; with it the sum goes on
as it is, and the next half reads the normalised one. So the norm that others count as the first of
a block is the last of the one before here, and the last block's is the final norm.
"""

import dataclasses

from xmrc_jax.ground.choices import require
from xmrc_jax.ground.errors import UserError

POSITIONS = ('learned', 'rotary', 'disentangled')
HEADS = ('linear', 'transformed')


@dataclasses.dataclass(frozen=True)
class Design:
    """The fields; BERT's by default.

    Attributes:
      positions: 'learned' adds a row of a table to the embedding, 'rotary' turns queries and keys,
        'disentangled' adds to the scores what queries and keys say of their distance.
      pre_norm: sums go on as they are, and are normalised where a half of a block reads them.
      embedding_norm: the embedding is normalised, and the first layer reads it so. Without it
        (with ``pre_norm`` alone) the first layer reads it normalised and adds to it as it is.
      embedding: its width, where a linear layer behind its norm widens it; 0 where it is as wide as
        hidden vectors.
      norm_bias: norms add a bias.
      attention_bias: query, key, value and output projections add one.
      up_bias: the MLP's first projections add one.
      down_bias: its last does.
      gated: the MLP multiplies what GELU gives by a second projection.
      inner_dropout: hidden dropout acts on the gated product too.
      output_dropout: it acts on what the MLP adds.
      head: 'linear', from hidden vectors to logits; 'transformed', with a dense layer, GELU and a
        norm before it.
      head_bias: that dense layer adds a bias.
      theta: rotary base of layers that see a whole window; 0 where nothing turns.
      local_theta: that of the others.
      stretch: by which rotary positions are divided.
      reach: how many tokens away at most a token of a local layer sees; 0 where all are global.
      global_every: every so many layers, from the first on, sees a whole window.
      buckets: disentangled distances of either sign that have a row of their own.
      distances: at which the last of them stands.

    Raises:
      UserError: a field's value is impossible.
    """

    positions: str = 'learned'
    pre_norm: bool = False
    embedding_norm: bool = True
    embedding: int = 0
    norm_bias: bool = True
    attention_bias: bool = True
    up_bias: bool = True
    down_bias: bool = True
    gated: bool = False
    inner_dropout: bool = False
    output_dropout: bool = True
    head: str = 'linear'
    head_bias: bool = False
    theta: float = 0.0
    local_theta: float = 0.0
    stretch: float = 1.0
    reach: int = 0
    global_every: int = 1
    buckets: int = 0
    distances: int = 0

    def __post_init__(self):
        require(POSITIONS, self.positions, 'model positions')
        require(HEADS, self.head, 'model head')
        if not (self.embedding_norm or self.pre_norm):
            raise UserError('an embedding that is not normalised: only with pre_norm')
        if self.embedding and not self.embedding_norm:
            raise UserError('an embedding that is widened: only where it is normalised')
        if self.global_every > 1 and self.reach < 1:
            raise UserError(f'local layers that see {self.reach} tokens to either side: at least 1')
        if self.positions == 'rotary' and min(self.theta, self.local_theta, self.stretch) <= 0:
            raise UserError('rotary positions need a base and a stretch above 0')
        if self.positions == 'disentangled' and not 2 <= self.buckets < self.distances:
            sizes = f'{self.buckets} buckets for distances below {self.distances}'
            raise UserError(f'disentangled positions of {sizes}: at least 2, and fewer than those')


BERT = Design()
REMBERT = Design(embedding=256)
PRE_NORM = Design(pre_norm=True, embedding_norm=False, output_dropout=False)
GTE = Design(
    positions='rotary',
    up_bias=False,
    gated=True,
    inner_dropout=True,
    theta=160_000.0,
    local_theta=160_000.0,
)
MODERNBERT = Design(
    positions='rotary',
    pre_norm=True,
    norm_bias=False,
    attention_bias=False,
    up_bias=False,
    down_bias=False,
    gated=True,
    inner_dropout=True,
    output_dropout=False,
    head='transformed',
    theta=160_000.0,
    local_theta=10_000.0,
    reach=64,
    global_every=3,
)
DEBERTA = Design(positions='disentangled', buckets=256, distances=512)
