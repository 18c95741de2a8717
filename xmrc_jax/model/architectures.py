"""Encoders as values: their sizes, how they are computed, and the table of those with a name.

Owns what a checkpoint must agree with, and what it need not. Refuses to know parameters.
"""

import dataclasses

from xmrc_jax.ground.choices import require
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import attention

FAMILIES = ('xlm-roberta', 'bert')
DTYPES = ('float32', 'bfloat16')


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
