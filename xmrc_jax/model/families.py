"""How Hugging Face's library calls the tensors of each family of encoders, as its files have them.

Some of its tensors are several of ours, end to end; that is said here too. Refuses to know what
``config.json`` says (``config_json``) and what is in the tensors (``weights``).
"""

import functools
import math
import re
from collections.abc import Container
from typing import NamedTuple

from flax.traverse_util import flatten_dict

from xmrc_jax.model import reader
from xmrc_jax.model.architectures import EncoderConfig

Modules = dict[str, str | tuple[str, str]]

OTHER_HEAD = 'classifier.'  # of another task, of which the user is told; ModernBERT's own too


class Family(NamedTuple):
    """One family's names.

    Attributes:
      classes: what the names of the library's classes begin with.
      prefixes: before the names of an encoder's tensors where it has a head; the first is written,
        the others are read too.
      modules: our module -> theirs, below the prefix unless it is a head's. ``{}`` is the number of
        the layer. Theirs may be of several of ours: those lie end to end in it, in the order of
        this table. Two of theirs are the norm that a layer begins with, of all but the first, and
        the last norm: ours are behind the sums.
      harmless: names, without prefix, of what no reader needs: pretraining heads, poolers, index
        buffers.
      others: tables like ``modules`` of files that are read too.
    """

    classes: str
    prefixes: tuple[str, ...]
    modules: Modules
    harmless: re.Pattern
    others: tuple[Modules, ...] = ()


_LAYER = 'encoder.layer.{}.'
_EMBED: Modules = {
    'encoder/embed/token': 'embeddings.word_embeddings',
    'encoder/embed/position': 'embeddings.position_embeddings',
    'encoder/embed/type': 'embeddings.token_type_embeddings',
    'encoder/embed/norm': 'embeddings.LayerNorm',
}
_BERT = _EMBED | {
    'encoder/blocks/attention/query': _LAYER + 'attention.self.query',
    'encoder/blocks/attention/key': _LAYER + 'attention.self.key',
    'encoder/blocks/attention/value': _LAYER + 'attention.self.value',
    'encoder/blocks/attention/out': _LAYER + 'attention.output.dense',
    'encoder/blocks/attention_norm': _LAYER + 'attention.output.LayerNorm',
    'encoder/blocks/up': _LAYER + 'intermediate.dense',
    'encoder/blocks/down': _LAYER + 'output.dense',
    'encoder/blocks/mlp_norm': _LAYER + 'output.LayerNorm',
    'span': 'qa_outputs',
}
_REMBERT = _BERT | {'encoder/embed/widen': 'encoder.embedding_hidden_mapping_in'}
_PRE_NORM = _BERT | {
    'encoder/embed/norm': 'encoder.layer.0.attention.self_attn_layer_norm',
    'encoder/blocks/attention_norm': _LAYER + 'LayerNorm',
    'encoder/blocks/mlp_norm': (_LAYER + 'attention.self_attn_layer_norm', 'encoder.LayerNorm'),
}
_DEBERTA = _BERT | {
    'encoder/blocks/attention/query': _LAYER + 'attention.self.query_proj',
    'encoder/blocks/attention/key': _LAYER + 'attention.self.key_proj',
    'encoder/blocks/attention/value': _LAYER + 'attention.self.value_proj',
    'encoder/distances/relative': 'encoder.rel_embeddings',
    'encoder/distances/norm': 'encoder.LayerNorm',
}
_GTE = _EMBED | {
    'encoder/blocks/attention/query': _LAYER + 'attention.qkv_proj',
    'encoder/blocks/attention/key': _LAYER + 'attention.qkv_proj',
    'encoder/blocks/attention/value': _LAYER + 'attention.qkv_proj',
    'encoder/blocks/attention/out': _LAYER + 'attention.o_proj',
    'encoder/blocks/attention_norm': _LAYER + 'attn_ln',
    'encoder/blocks/up': _LAYER + 'mlp.up_gate_proj',
    'encoder/blocks/gate': _LAYER + 'mlp.up_gate_proj',
    'encoder/blocks/down': _LAYER + 'mlp.down_proj',
    'encoder/blocks/mlp_norm': _LAYER + 'mlp_ln',
    'span': 'qa_outputs',
}
_GTE_UNPACKED = _GTE | {  # its authors' with ``pack_qkv`` false
    'encoder/blocks/attention/query': _LAYER + 'attention.q_proj',
    'encoder/blocks/attention/key': _LAYER + 'attention.k_proj',
    'encoder/blocks/attention/value': _LAYER + 'attention.v_proj',
}
_GTE_SPLIT = _EMBED | {  # the library's ``state_dict``, which its ``save_pretrained`` fuses
    'encoder/blocks/attention/query': 'layers.{}.self_attn.q_proj',
    'encoder/blocks/attention/key': 'layers.{}.self_attn.k_proj',
    'encoder/blocks/attention/value': 'layers.{}.self_attn.v_proj',
    'encoder/blocks/attention/out': 'layers.{}.self_attn.o_proj',
    'encoder/blocks/attention_norm': 'layers.{}.post_attention_layernorm',
    'encoder/blocks/up': 'layers.{}.mlp.up_proj',
    'encoder/blocks/gate': 'layers.{}.mlp.gate_proj',
    'encoder/blocks/down': 'layers.{}.mlp.down_proj',
    'encoder/blocks/mlp_norm': 'layers.{}.post_mlp_layernorm',
    'span': 'qa_outputs',
}
_XLM: Modules = {
    'encoder/embed/token': 'embeddings',
    'encoder/embed/position': 'position_embeddings',
    'encoder/embed/type': 'lang_embeddings',
    'encoder/embed/norm': 'layer_norm_emb',
    'encoder/blocks/attention/query': 'attentions.{}.q_lin',
    'encoder/blocks/attention/key': 'attentions.{}.k_lin',
    'encoder/blocks/attention/value': 'attentions.{}.v_lin',
    'encoder/blocks/attention/out': 'attentions.{}.out_lin',
    'encoder/blocks/attention_norm': 'layer_norm1.{}',
    'encoder/blocks/up': 'ffns.{}.lin1',
    'encoder/blocks/down': 'ffns.{}.lin2',
    'encoder/blocks/mlp_norm': 'layer_norm2.{}',
    'span': 'qa_outputs',
}
_MODERNBERT: Modules = {
    'encoder/embed/token': 'embeddings.tok_embeddings',
    'encoder/embed/norm': 'embeddings.norm',
    'encoder/blocks/attention/query': 'layers.{}.attn.Wqkv',
    'encoder/blocks/attention/key': 'layers.{}.attn.Wqkv',
    'encoder/blocks/attention/value': 'layers.{}.attn.Wqkv',
    'encoder/blocks/attention/out': 'layers.{}.attn.Wo',
    'encoder/blocks/attention_norm': 'layers.{}.mlp_norm',
    'encoder/blocks/gate': 'layers.{}.mlp.Wi',
    'encoder/blocks/up': 'layers.{}.mlp.Wi',
    'encoder/blocks/down': 'layers.{}.mlp.Wo',
    'encoder/blocks/mlp_norm': ('layers.{}.attn_norm', 'final_norm'),
    'transform/dense': 'head.dense',
    'transform/norm': 'head.norm',
    'span': 'classifier',
}

_HARMLESS = re.compile(
    r'^(pooler|lm_head|cls|lm_predictions|mask_predictions)\.'
    r'|^embeddings\.(position|token_type)_ids$'
)
FAMILIES = {
    'xlm-roberta': Family('XLMRoberta', ('roberta.',), _BERT, _HARMLESS),
    'bert': Family('Bert', ('bert.',), _BERT, _HARMLESS),
    'rembert': Family('RemBert', ('rembert.',), _REMBERT, _HARMLESS),
    'xlm-roberta-xl': Family('XLMRobertaXL', ('roberta.',), _PRE_NORM, _HARMLESS),
    'gte': Family('Gte', ('gte.', 'new.'), _GTE, _HARMLESS, (_GTE_UNPACKED, _GTE_SPLIT)),
    'deberta-v2': Family('DebertaV2', ('deberta.',), _DEBERTA, _HARMLESS),
    'modernbert': Family('ModernBert', ('model.',), _MODERNBERT, re.compile(r'^decoder\.')),
    'xlm': Family('XLM', ('transformer.',), _XLM, re.compile(r'^pred_layer\.|^position_ids$')),
}


class Part(NamedTuple):
    """What is ours of one of their tensors.

    Attributes:
      path: of our parameter.
      layer: which on its leading axis; None where it has no such axis.
      shape: of that layer of ours.
    """

    path: str
    layer: int | None
    shape: tuple[int, ...]

    @property
    def theirs(self) -> tuple[int, ...]:
        """The shape there: kernels are [out, in], and heads are no axis of their own."""
        if self.path.endswith('/kernel'):
            inputs = 2 if self.path.endswith('out/kernel') else 1
            return math.prod(self.shape[inputs:]), math.prod(self.shape[:inputs])
        return self.shape if self.path.endswith('/embedding') else (math.prod(self.shape),)


def tensors(cfg: EncoderConfig, names: Container[str] | None = None) -> dict[str, list[Part]]:
    """Their tensors of a question answering model by name, and what lies in each.

    Args:
      cfg: of the encoder.
      names: of a file's tensors; the table is taken that they lack the least of. None: the one that
        is written.
    """
    family, shapes = FAMILIES[cfg.family], _shapes(cfg)
    written, *others = (
        _tensors(cfg.layers, modules, family.prefixes[0], shapes)
        for modules in (family.modules, *family.others)
    )
    if names is None:
        return written
    return min((written, *others), key=lambda found: sum(name not in names for name in found))


@functools.lru_cache
def _shapes(cfg: EncoderConfig) -> dict[str, tuple[int, ...]]:
    """Of a reader's parameters, by their paths; the library takes long to tell them."""
    return {path: x.shape for path, x in flatten_dict(reader.abstract(cfg), sep='/').items()}


def _tensors(layers: int, modules: Modules, first: str, shapes) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = {}
    for module, theirs in modules.items():
        prefix = first if module.startswith('encoder/') else ''
        stacked = module.startswith('encoder/blocks/')
        for leaf in ('embedding', 'kernel', 'scale', 'bias'):
            path = f'{module}/{leaf}'
            if path not in shapes:
                continue
            end = 'bias' if leaf == 'bias' else 'weight'
            shape = shapes[path][1:] if stacked else shapes[path]
            for layer, name in enumerate(_names(theirs, layers if stacked else 1)):
                part = Part(path, layer if stacked else None, shape)
                found.setdefault(f'{prefix}{name}.{end}', []).append(part)
    return found


def _names(module: str | tuple[str, str], layers: int) -> list[str]:
    if isinstance(module, str):
        return [module.format(layer) for layer in range(layers)]
    first, last = module
    return [first.format(layer) for layer in range(1, layers)] + [last]


def canonical(name: str, family: Family) -> str | None:
    """A tensor's name as the family's question answering model has it; None where it has none."""
    prefix = next((each for each in family.prefixes if name.startswith(each)), '')
    name = name.removeprefix(prefix)
    ours = is_of_head(name, family)
    if family.harmless.search(name) or (name.startswith(OTHER_HEAD) and not ours):
        return None
    return of_torch(name if ours else family.prefixes[0] + name)


def of_torch(name: str) -> str:
    """A tensor's name, where a checkpoint was converted from TensorFlow with gammas and betas."""
    name = name.replace('LayerNorm.gamma', 'LayerNorm.weight')
    return name.replace('LayerNorm.beta', 'LayerNorm.bias')


def is_of_head(name: str, family: Family) -> bool:
    """Whether a tensor, by its name without prefix, is of a question answering model's head."""
    heads = [theirs for ours, theirs in family.modules.items() if not ours.startswith('encoder/')]
    return name.rpartition('.')[0] in heads
