"""Encoders as values: their sizes, how they are computed, and the table of those with a name.

Owns what a checkpoint must agree with, what the tokenizer decides and what is free. Refuses to
know parameters.
"""

import dataclasses
from pathlib import Path
from typing import NamedTuple

from xmrc_jax.ground.choices import require
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.values import leaf
from xmrc_jax.model import attention
from xmrc_jax.model.design import BERT, DEBERTA, GTE, MODERNBERT, PRE_NORM, REMBERT, Design

FAMILIES = (
    *('xlm-roberta', 'bert', 'modernbert', 'gte'),
    *('deberta-v2', 'xlm-roberta-xl', 'xlm', 'rembert'),
)
DTYPES = ('float32', 'bfloat16')
OF_TOKENIZER = ('pad_id', 'passage_type')  # fields that a checkpoint has no say in


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What an encoder is: a checkpoint is of one architecture and fits no other.

    ``pad_id`` and ``passage_type`` say what the tokenizer writes. Here they are as the family's own
    does it; where another belongs to the weights, as XLM-R's does to the multilingual MiniLMs,
    which are BERTs, they are taken from it.

    Attributes:
      family: one of ``FAMILIES``: the naming of its checkpoints.
      vocabulary: rows of the token table (V).
      width: size of a hidden vector (D).
      layers: number of blocks (N).
      heads: attention heads (H), each of width / heads.
      mlp: hidden size of the MLP (F).
      positions: rows of the position table, or the longest window where there is none.
      first_position: of a window's first token; XLM-R starts behind its padding id.
      types: rows of the token type table, 0 without one; XLM's types are languages.
      norm_eps: epsilon of every LayerNorm.
      pad_id: token id of padding.
      passage_type: token type of everything from the passage on; what is before it has type 0.
      design: how it is built.

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
    design: Design

    def __post_init__(self):
        require(FAMILIES, self.family, 'model family')
        if self.width % self.heads:
            raise UserError(f'model width {self.width} is not a multiple of its {self.heads} heads')
        if self.design.positions == 'rotary' and self.width // self.heads % 2:
            raise UserError(f'heads of width {self.width // self.heads}: rotary ones need an even')
        if not 0 <= self.passage_type < max(self.types, 1):
            raise UserError(f'passages of token type {self.passage_type}: there are {self.types}')

    @property
    def embedding_width(self) -> int:
        """Size of an embedding, of tokens, positions and types."""
        return self.design.embedding or self.width


OWN = -1.0  # in the place of a dropout rate: the encoder's own


class Rates(NamedTuple):
    """Of dropout, as an encoder was pretrained or its ``config.json`` says."""

    dropout: float
    attention_dropout: float


# Where nothing says otherwise.
RATES = dict.fromkeys(FAMILIES, Rates(0.1, 0.1)) | {
    'modernbert': Rates(0.0, 0.0),
    'rembert': Rates(0.0, 0.0),
    'gte': Rates(0.1, 0.0),
}


@dataclasses.dataclass(frozen=True)
class Computation:
    """How an encoder is computed: any architecture's checkpoint is read whatever is chosen here.

    Attributes:
      dropout: rate on hidden states; ``OWN`` until ``with_own`` says which.
      attention_dropout: rate on attention probabilities, likewise.
      dtype: one of ``DTYPES``, that of the matrix products.
      remat: recompute each block in the backward pass instead of keeping its activations.
      attention: how, one of ``attention.CHOICES``.

    Raises:
      UserError: a field's value is impossible.
    """

    dropout: float = leaf(at_least=0, below=1, also=OWN)
    attention_dropout: float = leaf(at_least=0, below=1, also=OWN)
    dtype: str
    remat: bool
    attention: str

    def __post_init__(self):
        require(DTYPES, self.dtype, 'model.dtype')
        require(attention.CHOICES, self.attention, 'model.attention')
        if self.attention == 'cudnn' and self.dtype != 'bfloat16':
            raise UserError("model.attention 'cudnn' needs model.dtype 'bfloat16'")

    def with_own(self, rates: 'Rates') -> 'Computation':
        """The encoder's own rates where none are chosen."""
        chosen = {
            field: own for field, own in rates._asdict().items() if getattr(self, field) == OWN
        }
        return dataclasses.replace(self, **chosen)


# The rates of Hugging Face's checkpoints and exact products, where nobody configures anything else.
PLAIN = Computation(0.1, 0.1, 'float32', remat=False, attention='auto')


@dataclasses.dataclass(frozen=True)
class EncoderConfig(Computation, Architecture):
    """An encoder: its architecture, and how it is computed; the rest a stage of training sets.

    Attributes:
      accumulate: parts of a batch that are read one after the other, see ``turns``.
      frozen: layers, the first ones, whose parameters lie apart, since they are not trained.
      lora_rank: of the adapters of the others, see ``lora``; 0: none.
    """

    accumulate: int = 1
    frozen: int = 0
    lora_rank: int = 0

    def __post_init__(self):
        Architecture.__post_init__(self)
        Computation.__post_init__(self)
        if self.attention == 'cudnn' and self.design.positions == 'disentangled':
            raise UserError("model.attention 'cudnn' knows no disentangled positions; use 'auto'")

    @classmethod
    def of(cls, architecture: Architecture, computation: Computation) -> 'EncoderConfig':
        return cls(**vars(architecture), **vars(computation))

    @classmethod
    def of_json(cls, values: dict) -> 'EncoderConfig':
        """From what ``dataclasses.asdict`` once gave, by this version or another.

        How it was computed may be missing there, and what no field is called does not matter.
        Before there was a field for it, passages had type 1 wherever there is one, and every design
        was BERT's.
        """
        before = vars(PLAIN) | {'passage_type': min(1, values['types'] - 1)}
        values = before | values | {'design': Design(**values.get('design', {}))}
        known = values.keys() & {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: values[name] for name in known})

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
    design=BERT,
)
XLMR_LARGE = dataclasses.replace(XLMR_BASE, width=1024, layers=24, heads=16, mlp=4096)
MBERT = dataclasses.replace(
    XLMR_BASE,
    family='bert',
    vocabulary=119_547,
    positions=512,
    first_position=0,
    types=2,
    norm_eps=1e-12,
    pad_id=0,
    passage_type=1,
)
_WIDE = dict(vocabulary=250_300, width=1152, layers=32, heads=18, mlp=4608)
MREMBERT = dataclasses.replace(MBERT, family='rembert', design=REMBERT, **_WIDE)
TINY = dataclasses.replace(XLMR_BASE, width=128, layers=2, heads=4, mlp=512)  # for trials
MINILM = dataclasses.replace(MBERT, vocabulary=30_522, width=384, layers=6, mlp=1536)
MMINILM = dataclasses.replace(  # with XLM-R's tokenizer
    MINILM, vocabulary=250_037, layers=12, pad_id=1, passage_type=0
)
XLM_V = dataclasses.replace(XLMR_BASE, vocabulary=901_629)
XLMR_XL = dataclasses.replace(
    XLMR_BASE,
    family='xlm-roberta-xl',
    vocabulary=250_880,
    width=2560,
    layers=36,
    heads=32,
    mlp=10_240,
    design=PRE_NORM,
)
MGTE = dataclasses.replace(
    XLMR_BASE,
    family='gte',
    vocabulary=250_048,
    positions=8192,
    first_position=0,
    norm_eps=1e-12,
    design=GTE,
)
MMBERT_BASE = dataclasses.replace(
    XLMR_BASE,
    family='modernbert',
    vocabulary=256_000,
    layers=22,
    mlp=1152,
    positions=8192,
    first_position=0,
    types=0,
    pad_id=0,
    design=dataclasses.replace(MODERNBERT, local_theta=160_000.0),
)
MMBERT_SMALL = dataclasses.replace(MMBERT_BASE, width=384, heads=6)
_SMALL = dict(vocabulary=4001, width=128, layers=4, heads=4, mlp=256, positions=512, pad_id=1)
ENCYCLOPEDIA = dataclasses.replace(  # layers 1 and 2 look around, 0 and 3 see everything
    MMBERT_BASE, **_SMALL, design=dataclasses.replace(MODERNBERT, local_theta=100.0, reach=16)
)
MDEBERTA = dataclasses.replace(
    MBERT,
    family='deberta-v2',
    vocabulary=251_000,
    types=0,
    norm_eps=1e-7,
    passage_type=0,
    design=DEBERTA,
)

XLM_15 = dataclasses.replace(  # a BERT whose tokenizer has no types for a passage, as that one's
    MMINILM, family='xlm', vocabulary=95_000, width=1024, heads=8, mlp=4096, types=15, pad_id=2
)
XLM_100 = dataclasses.replace(  # which is told no languages
    XLM_15, vocabulary=200_000, width=1280, layers=16, heads=16, mlp=5120, types=0
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
    'paraphrase_minilm': (MMINILM, 'sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2'),
    'xlm_v_base': (XLM_V, 'facebook/xlm-v-base'),
    'xlmr_xl': (XLMR_XL, 'facebook/xlm-roberta-xl'),
    'mmbert_base': (MMBERT_BASE, 'jhu-clsp/mmBERT-base'),
    'mmbert_small': (MMBERT_SMALL, 'jhu-clsp/mmBERT-small'),
    'mgte_base': (MGTE, 'Alibaba-NLP/gte-multilingual-mlm-base'),
    'mdeberta_base': (MDEBERTA, 'microsoft/mdeberta-v3-base'),
    'xlm_mlm_tlm_xnli15': (XLM_15, 'FacebookAI/xlm-mlm-tlm-xnli15-1024'),
    'xlm_mlm_100': (XLM_100, 'FacebookAI/xlm-mlm-100-1280'),
    'rembert': (MREMBERT, 'google/rembert'),
    'mbert': (MBERT, 'google-bert/bert-base-multilingual-cased'),
    'minilm': (MINILM, 'sentence-transformers/all-MiniLM-L6-v2'),
    'encyclopedia': (ENCYCLOPEDIA, str(Path(__file__).with_name('encyclopedia'))),  # in the package
    'tiny': (TINY, ''),
}
ENCODERS = {name: architecture for name, (architecture, _) in _TABLE.items()}
HUB_IDS = {name: hub_id for name, (_, hub_id) in _TABLE.items()}
# Where the one beside the weights is not to be had in a form that knows its class.
TOKENIZERS = dict.fromkeys(('mminilm', 'paraphrase_minilm'), HUB_IDS['xlmr_base'])
