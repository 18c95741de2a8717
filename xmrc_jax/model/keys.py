"""How ``config.json`` of each family says what an encoder is, and what it means where it is silent.

Older spellings are read too; the one that is written is read by versions 4 and 5 of the library.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.model.config_values import Values, names, number, section, whole
from xmrc_jax.model.design import BERT, DEBERTA, GTE, MODERNBERT, PRE_NORM, REMBERT, Design

_ROPE = ['rope_type', 'type', 'rope_theta', 'factor', 'original_max_position_embeddings']


class Keys(NamedTuple):
    """How one family's ``config.json`` says what an encoder is.

    Attributes:
      sizes: field of ``Architecture`` -> key; the other fields follow from the family.
      derived: sizes that follow from the values of several keys.
      rates: keys of the dropout rates, of hidden vectors first.
      silent: what the library takes where a key is not there.
      only: the one value of a key that is supported.
      read: fields of the design that the values say.
      written: keys that say them.
    """

    sizes: dict[str, str]
    rates: tuple[str, str]
    silent: Values
    only: Values
    design: Design = BERT
    read: Callable[[Values], dict] = lambda values: {}
    written: Callable[[EncoderConfig], dict] = lambda cfg: {}
    derived: Callable[[Values], dict] = lambda values: {}


def _rotary(values: Values, theta: float, head: int) -> tuple[float, float]:
    """Base and stretch that ``rope_parameters`` or ``rope_scaling`` and ``rope_theta`` say.

    'ntk' is what Alibaba's own code makes of it, in the files that the library's are made from.
    """
    scaling = section(values, 'rope_parameters', _ROPE) or section(values, 'rope_scaling', _ROPE)
    found = {'rope_theta': theta, 'rope_type': scaling.get('type', 'default')}
    found |= {key: value for key, value in (dict(values) | scaling).items() if value is not None}
    base, kind = number(found, 'rope_theta'), found['rope_type']
    if kind == 'default':
        return base, 1.0
    if kind not in ('linear', 'ntk'):
        raise UserError(f"rope_type {kind!r} is not supported, only 'default', 'linear' or 'ntk'")
    factor = number(found, 'factor')
    return (base, factor) if kind == 'linear' else (base * factor, factor ** (2 / head))


# -- GTE -------------------------------------------------------------------------------------------


def _gte(values: Values) -> dict:
    head = values['hidden_size'] // values['num_attention_heads']
    theta, stretch = _rotary(values, GTE.theta, head)
    return {'theta': theta, 'local_theta': theta, 'stretch': stretch}


def _gte_written(cfg: EncoderConfig) -> dict:
    rope: dict[str, Any] = {'rope_type': 'default', 'rope_theta': cfg.design.theta}
    if cfg.design.stretch != 1:
        rope |= {'rope_type': 'linear', 'factor': cfg.design.stretch}
    return {'rope_parameters': rope}


# -- ModernBERT ------------------------------------------------------------------------------------

_GLOBAL, _LOCAL = 'full_attention', 'sliding_attention'


def _modernbert(values: Values) -> dict:
    layers, every = values['num_hidden_layers'], whole(values, 'global_attn_every_n_layers', 1)
    types = values.get('layer_types')
    if types is not None:
        wanted = (n for n in (every, *range(1, layers + 1)) if types == _layer_types(layers, n))
        every = next(wanted, 0)
    if not every:
        supported = f'only {_GLOBAL} every so many layers from the first on, and {_LOCAL} between'
        raise UserError(f'layer_types {types!r} is not supported, {supported}')
    bases = [
        _modernbert_base(values, kind, key)
        for kind, key in ((_GLOBAL, 'global_rope_theta'), (_LOCAL, 'local_rope_theta'))
    ]
    for key in ('norm_bias', 'attention_bias', 'mlp_bias', 'classifier_bias'):
        if type(values[key]) is not bool:
            raise UserError(f'{key} {values[key]!r} must be true or false')
    local = every > 1
    return {
        'norm_bias': values['norm_bias'],
        'attention_bias': values['attention_bias'],
        'up_bias': values['mlp_bias'],
        'down_bias': values['mlp_bias'],
        'head_bias': values['classifier_bias'],
        'theta': bases[0],
        'local_theta': bases[local],
        'reach': whole(values, 'local_attention', 2) // 2 if local else 0,
        'global_every': every,
    }


def _modernbert_base(values: Values, kind: str, key: str) -> float:
    parameters = section(section(values, 'rope_parameters', [_GLOBAL, _LOCAL]), kind, _ROPE)
    scaling = section(values, 'rope_scaling', _ROPE) or parameters
    rope_type = scaling.get('rope_type', scaling.get('type', 'default'))
    if rope_type != 'default':
        raise UserError(f"rope_type {rope_type!r} of {kind} is not supported, only 'default'")
    return number({key: values[key]} | {key: parameters.get('rope_theta', values[key])}, key)


def _layer_types(layers: int, every: int) -> list[str]:
    return [_LOCAL if layer % every else _GLOBAL for layer in range(layers)]


def _modernbert_written(cfg: EncoderConfig) -> dict:
    design = cfg.design
    return {
        'hidden_activation': 'gelu',
        'norm_bias': design.norm_bias,
        'attention_bias': design.attention_bias,
        'mlp_bias': design.up_bias,
        'classifier_bias': design.head_bias,
        'global_rope_theta': design.theta,
        'local_rope_theta': design.local_theta,
        'local_attention': 2 * (design.reach or MODERNBERT.reach),
        'global_attn_every_n_layers': design.global_every,
        'embedding_dropout': cfg.dropout,
        # Ids of special tokens, which the model does not look at; those of English by default.
        **dict.fromkeys(f'{token}_token_id' for token in ('bos', 'eos', 'cls', 'sep')),
    }


# -- DeBERTa ---------------------------------------------------------------------------------------


def _deberta(values: Values) -> dict:
    terms = values.get('pos_att_type')
    terms = terms if isinstance(terms, list) else str(terms).lower().split('|')
    if {str(term).strip() for term in terms} != {'p2c', 'c2p'}:
        raise UserError(
            f'pos_att_type {values.get("pos_att_type")!r} is not supported, only p2c|c2p'
        )
    if values.get('embedding_size', values['hidden_size']) != values['hidden_size']:
        raise UserError(
            f'embedding_size {values["embedding_size"]!r} is not supported, '
            f'only {values["hidden_size"]}'
        )
    distances = whole(values, 'max_relative_positions', -1)
    distances = distances if distances > 0 else values['max_position_embeddings']
    return {'buckets': whole(values, 'position_buckets', 2), 'distances': distances}


def _deberta_written(cfg: EncoderConfig) -> dict:
    return {
        **_DEBERTA_ONLY,
        'pos_att_type': ['p2c', 'c2p'],
        'position_buckets': cfg.design.buckets,
        'max_relative_positions': cfg.design.distances,
    }


_DEBERTA_ONLY = {
    'hidden_act': 'gelu',
    'relative_attention': True,
    'share_att_key': True,
    'position_biased_input': False,
    'norm_rel_ebd': 'layer_norm',
    'conv_kernel_size': 0,
}

# -- XLM -------------------------------------------------------------------------------------------


def _xlm(values: Values) -> dict:
    if (beam := 'XLMForQuestionAnswering') in names(values, 'architectures'):
        raise UserError(f"architectures {beam!r} is not supported, only '{beam}Simple'")
    languages = whole(values, 'n_langs', 1) if values['use_lang_emb'] else 1
    mlp = 4 * whole(values, 'emb_dim', 1)
    return {'mlp': mlp, 'types': languages if languages > 1 else 0}


def _xlm_written(cfg: EncoderConfig) -> dict:
    return {**_XLM_ONLY, 'n_langs': max(cfg.types, 1), 'use_lang_emb': cfg.types > 0}


_XLM_ONLY = {'gelu_activation': True, 'causal': False, 'is_encoder': True}

# -- all -------------------------------------------------------------------------------------------

_SIZES = {
    'vocabulary': 'vocab_size',
    'width': 'hidden_size',
    'layers': 'num_hidden_layers',
    'heads': 'num_attention_heads',
    'mlp': 'intermediate_size',
    'positions': 'max_position_embeddings',
    'types': 'type_vocab_size',
    'norm_eps': 'layer_norm_eps',
    'pad_id': 'pad_token_id',
}
_RATES = 'hidden_dropout_prob', 'attention_probs_dropout_prob'
_BERT_ONLY = {'hidden_act': 'gelu', 'position_embedding_type': 'absolute', 'is_decoder': False}

KEYS = {
    'xlm-roberta': Keys(_SIZES, _RATES, {'layer_norm_eps': 1e-12, 'pad_token_id': 1}, _BERT_ONLY),
    'bert': Keys(_SIZES, _RATES, {'layer_norm_eps': 1e-12, 'pad_token_id': 0}, _BERT_ONLY),
    'rembert': Keys(
        _SIZES,
        _RATES,
        {'layer_norm_eps': 1e-12, 'pad_token_id': 0, 'input_embedding_size': REMBERT.embedding},
        _BERT_ONLY,
        REMBERT,
        lambda values: {'embedding': whole(values, 'input_embedding_size', 1)},
        lambda cfg: {'input_embedding_size': cfg.embedding_width},
    ),
    'xlm-roberta-xl': Keys(
        _SIZES, _RATES, {'layer_norm_eps': 1e-5, 'pad_token_id': 1}, _BERT_ONLY, PRE_NORM
    ),
    'gte': Keys(
        _SIZES,
        _RATES,
        {'layer_norm_eps': 1e-12, 'pad_token_id': 1, 'type_vocab_size': 1},
        {
            'hidden_act': 'gelu',
            'position_embedding_type': 'rope',
            'layer_norm_type': 'layer_norm',
            'logn_attention_scale': False,
        },
        GTE,
        _gte,
        _gte_written,
    ),
    'deberta-v2': Keys(
        _SIZES,
        _RATES,
        {
            'layer_norm_eps': 1e-7,
            'pad_token_id': 0,
            'type_vocab_size': 0,
            'relative_attention': False,
            'share_att_key': False,
            'position_biased_input': True,
            'norm_rel_ebd': 'none',
            'max_relative_positions': -1,
        },
        _DEBERTA_ONLY,
        DEBERTA,
        _deberta,
        _deberta_written,
    ),
    'modernbert': Keys(
        {field: key for field, key in _SIZES.items() if field != 'types'}
        | {'norm_eps': 'norm_eps'},
        ('mlp_dropout', 'attention_dropout'),
        {
            'norm_eps': 1e-5,
            'pad_token_id': 50_283,
            'norm_bias': False,
            'attention_bias': False,
            'mlp_bias': False,
            'classifier_bias': False,
            'global_rope_theta': MODERNBERT.theta,
            'local_rope_theta': MODERNBERT.local_theta,
            'local_attention': 2 * MODERNBERT.reach,
            'global_attn_every_n_layers': MODERNBERT.global_every,
        },
        {'hidden_activation': 'gelu', 'classifier_activation': 'gelu'},
        MODERNBERT,
        _modernbert,
        _modernbert_written,
    ),
    'xlm': Keys(
        {field: _SIZES[field] for field in ('vocabulary', 'positions', 'norm_eps', 'pad_id')}
        | {'width': 'emb_dim', 'layers': 'n_layers', 'heads': 'n_heads'},
        ('dropout', 'attention_dropout'),
        {'layer_norm_eps': 1e-12, 'pad_token_id': 2, 'n_langs': 1, 'use_lang_emb': True},
        _XLM_ONLY,
        written=_xlm_written,
        derived=_xlm,
    ),
}
OLDER = {'n_words': 'vocab_size', 'pad_index': 'pad_token_id'}  # XLM's own spellings of keys
TYPES = {family: family for family in KEYS} | {'new': 'gte', 'roberta': 'xlm-roberta'}  # model_type
