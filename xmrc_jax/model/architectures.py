"""Encoders as values: their sizes, how they are computed, and the table of those with a name.

Owns what a checkpoint must agree with, what the tokenizer decides and what is free. Refuses to
know parameters.
"""

import dataclasses

from xmrc_jax.ground.choices import require
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.values import leaf
from xmrc_jax.model import attention

FAMILIES = ('xlm-roberta', 'bert')
DTYPES = ('float32', 'bfloat16')
OF_TOKENIZER = ('pad_id', 'passage_type')  # fields that a checkpoint has no say in


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What an encoder is: a checkpoint is of one architecture and fits no other.

    The last two fields say what the tokenizer writes. Here they are as the family's own does it;
    where another belongs to the weights, as XLM-R's does to the multilingual MiniLMs, which are
    BERTs, they are taken from it.

    Attributes:
      family: 'xlm-roberta' or 'bert': the naming of its checkpoints.
      vocabulary: rows of the token table (V).
      width: size of a hidden vector (D).
      layers: number of blocks (N).
      heads: attention heads (H), each of width / heads.
      mlp: hidden size of the MLP (F).
      positions: rows of the position table.
      first_position: row of a window's first token; XLM-R starts behind its padding id.
      types: rows of the token type table.
      norm_eps: epsilon of every LayerNorm.
      pad_id: token id of padding.
      passage_type: token type of everything from the passage on; what is before it has type 0.

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
    passage_type: int

    def __post_init__(self):
        require(FAMILIES, self.family, 'model family')
        if self.width % self.heads:
            raise UserError(f'model width {self.width} is not a multiple of its {self.heads} heads')
        if not 0 <= self.passage_type < self.types:
            raise UserError(f'passages of token type {self.passage_type}: there are {self.types}')


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

    dropout: float = leaf(at_least=0, below=1)
    attention_dropout: float = leaf(at_least=0, below=1)
    dtype: str
    remat: bool
    attention: str

    def __post_init__(self):
        require(DTYPES, self.dtype, 'model.dtype')
        require(attention.CHOICES, self.attention, 'model.attention')
        if self.attention == 'cudnn' and self.dtype != 'bfloat16':
            raise UserError("model.attention 'cudnn' needs model.dtype 'bfloat16'")


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
        Before there was a field for it, passages had type 1 wherever there is one.
        """
        before = dataclasses.asdict(PLAIN) | {'passage_type': min(1, values['types'] - 1)}
        values = before | values
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
    passage_type=0,
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
    passage_type=1,
)
TINY = dataclasses.replace(XLMR_BASE, width=128, layers=2, heads=4, mlp=512)  # for trials
MINILM = dataclasses.replace(MBERT, vocabulary=30_522, width=384, layers=6, mlp=1536)
MMINILM = dataclasses.replace(  # with XLM-R's tokenizer
    MINILM, vocabulary=250_037, layers=12, pad_id=1, passage_type=0
)

_TABLE = {
    'xlmr_base': (XLMR_BASE, 'FacebookAI/xlm-roberta-base'),
    'xlmr_large': (XLMR_LARGE, 'FacebookAI/xlm-roberta-large'),
    'infoxlm_base': (XLMR_BASE, 'microsoft/infoxlm-base'),
    'infoxlm_large': (XLMR_LARGE, 'microsoft/infoxlm-large'),
    'xlm_align_base': (XLMR_BASE, 'microsoft/xlm-align-base'),
    'e5_base': (XLMR_BASE, 'intfloat/multilingual-e5-base'),
    'e5_large': (XLMR_LARGE, 'intfloat/multilingual-e5-large'),
    'mminilm': (MMINILM, 'microsoft/Multilingual-MiniLM-L12-H384'),
    'e5_small': (MMINILM, 'intfloat/multilingual-e5-small'),
    'paraphrase_minilm': (
        MMINILM,
        'sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2',
    ),
    'mbert': (MBERT, 'google-bert/bert-base-multilingual-cased'),
    'minilm': (MINILM, 'sentence-transformers/all-MiniLM-L6-v2'),
    'tiny': (TINY, ''),
}
ENCODERS = {name: architecture for name, (architecture, _) in _TABLE.items()}
HUB_IDS = {name: hub_id for name, (_, hub_id) in _TABLE.items()}
# Where the one beside the weights is not to be had in a form that knows its class.
TOKENIZERS = dict.fromkeys(('mminilm', 'paraphrase_minilm'), HUB_IDS['xlmr_base'])
