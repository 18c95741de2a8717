"""Encoders of each architecture, tiny: three layers of width 32, windows of 40 tokens at most."""

import dataclasses

from xmrc_jax.model import design
from xmrc_jax.model.architectures import Architecture

XLMR = Architecture(
    family='xlm-roberta',
    vocabulary=60,
    width=32,
    layers=3,
    heads=4,
    mlp=48,
    positions=42,
    first_position=2,
    types=1,
    norm_eps=1e-5,
    pad_id=1,
    passage_type=0,
    design=design.BERT,
)
BERT = dataclasses.replace(
    XLMR,
    family='bert',
    positions=40,
    first_position=0,
    types=2,
    norm_eps=1e-12,
    pad_id=0,
    passage_type=1,
)
MMINILM = dataclasses.replace(BERT, pad_id=1, passage_type=0)  # a BERT with XLM-R's tokenizer

MODERNBERT = dataclasses.replace(  # layers 0 and 2 see all; windows are longer than layer 1 does
    XLMR,
    family='modernbert',
    positions=40,
    first_position=0,
    types=0,
    pad_id=0,
    design=dataclasses.replace(design.MODERNBERT, reach=3, global_every=2),
)
GTE = dataclasses.replace(
    XLMR, family='gte', positions=40, first_position=0, norm_eps=1e-12, design=design.GTE
)
DEBERTA = dataclasses.replace(  # distances of 4 and more share buckets
    BERT,
    family='deberta-v2',
    types=0,
    norm_eps=1e-7,
    passage_type=0,
    design=dataclasses.replace(design.DEBERTA, buckets=8, distances=40),
)
XLMR_XL = dataclasses.replace(XLMR, family='xlm-roberta-xl', design=design.PRE_NORM)
XLM = dataclasses.replace(  # the question in the first of three languages, the passage in the last
    BERT, family='xlm', types=3, mlp=128, pad_id=2, passage_type=2
)
REMBERT = dataclasses.replace(BERT, family='rembert', design=design.Design(embedding=12))

KINDS = {
    'xlm-roberta': XLMR,
    'bert': BERT,
    'mminilm': MMINILM,
    'modernbert': MODERNBERT,
    'gte': GTE,
    'deberta-v2': DEBERTA,
    'xlm-roberta-xl': XLMR_XL,
    'xlm': XLM,
    'rembert': REMBERT,
}
ARCHITECTURES = [  # one of each design
    'bert',
    'modernbert',
    'gte',
    'deberta-v2',
    'xlm-roberta-xl',
    'rembert',
]
