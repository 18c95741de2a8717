"""Which encoder a run trains, where weights and tokenizer come from, what the tokenizer decides."""

import dataclasses
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from xmrc_jax.data.tokenizer import passage_type, vocabulary_of
from xmrc_jax.ground.choices import choose
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.values import part
from xmrc_jax.model.architectures import (
    ENCODERS,
    HUB_IDS,
    RATES,
    TOKENIZERS,
    Computation,
    EncoderConfig,
)
from xmrc_jax.model.config_json import pretrained


@dataclass(frozen=True)
class ModelOptions:
    """Which encoder, from which weights and with which tokenizer, and how it computes."""

    name: str
    weights: str
    tokenizer: str
    computation: Computation = part()

    @property
    def source(self) -> str:
        """Hub id or folder of the pretrained weights; '' for a random start."""
        return HUB_IDS.get(self.name, '') if self.weights == 'hub' else self.weights

    @property
    def tokenizer_source(self) -> str:
        """Folder or hub id of the tokenizer, or 'train'; '' where none is named."""
        beside = TOKENIZERS.get(self.name) if self.weights == 'hub' else None
        return self.tokenizer or beside or self.source

    @property
    def encoder(self) -> EncoderConfig:
        """The encoder, before its tokenizer is known; see ``fed_by``.

        Raises:
          UserError: no such row; without a name, a folder or hub id that cannot be read, or none.
        """
        if self.name:
            architecture = choose(ENCODERS, self.name, 'model.name')
            rates = RATES[architecture.family]
        elif self.source:
            architecture, rates = pretrained(self.source)
        else:
            raise UserError(
                'model.name is empty: model.weights must name the folder or hub id of an encoder'
            )
        return EncoderConfig.of(architecture, self.computation.with_own(rates))


def fed_by(tokenizer: PreTrainedTokenizerFast, encoder: EncoderConfig) -> EncoderConfig:
    """The encoder with the padding id and the token types that its tokenizer writes.

    Raises:
      UserError: the tokenizer is of another encoder.
    """
    tokens, pad_id = vocabulary_of(tokenizer), tokenizer.pad_token_id
    problem = ''
    if tokens > encoder.vocabulary:
        problem = f'{tokens} tokens, more than the {encoder.vocabulary} rows of the token table'
    elif encoder.first_position not in (0, pad_id + 1):
        padding = f'positions begin behind padding id {encoder.first_position - 1}'
        problem = f'padding id {pad_id}, where {padding}'
    languages = getattr(tokenizer, 'languages', None) or {}
    if encoder.family == 'xlm' and encoder.types and len(languages) != encoder.types:
        problem = f'{len(languages)} languages, where the encoder is told {encoder.types}'
    if problem:
        raise UserError(
            f'{tokenizer.name_or_path}: a tokenizer of {problem}; '
            'name the one that belongs to the weights with model.tokenizer'
        )
    types = min(passage_type(tokenizer), max(encoder.types - 1, 0))
    return dataclasses.replace(encoder, pad_id=pad_id, passage_type=types)
