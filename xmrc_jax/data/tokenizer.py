"""The tokenizer of a reader: how it is loaded, and what of it an encoder and a cache must know."""

import hashlib
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerFast

from xmrc_jax.data.cutting import backend_of
from xmrc_jax.data.xlm import XlmTokenizer
from xmrc_jax.ground.errors import UserError, first_line
from xmrc_jax.ground.files import check_fetched

SENTENCEPIECE = 'pip install sentencepiece protobuf'
NO_TOKENIZER = 'it has no tokenizer.json; name one that has with model.tokenizer'


def load_tokenizer(name_or_folder: str | Path) -> PreTrainedTokenizerFast:
    """A fast tokenizer from a local folder or a hub id; code from the hub is never run.

    Raises:
      UserError: there is none, it cannot be reached, or it has no fast form.
    """
    if Path(name_or_folder).is_file():
        raise UserError(f'{name_or_folder}: a file; name the folder of a tokenizer, or a hub id')
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(name_or_folder), trust_remote_code=False)
        if len(tokenizer) == len(tokenizer.all_special_ids):  # what the library makes of nothing
            raise ValueError(NO_TOKENIZER)
        tokenizer('a', 'a')  # only now it looks at some of what its files say
    except Exception as error:  # the tokenizers library raises bare Exception for a broken file
        if (file := Path(name_or_folder, 'tokenizer.json')).is_file():
            check_fetched(file)
        reason = _reason(error, Path(name_or_folder))
        raise UserError(f'{name_or_folder}: no tokenizer could be loaded ({reason})') from error
    if type(tokenizer).__name__ == 'XLMTokenizer':
        return XlmTokenizer(tokenizer)
    if not tokenizer.is_fast:
        raise UserError(
            f'{name_or_folder}: only a slow tokenizer, without character offsets; '
            'name a folder or hub id that has a tokenizer.json'
        )
    if tokenizer.pad_token_id is None:
        raise UserError(f'{name_or_folder}: no padding token; set pad_token in its configuration')
    return tokenizer


def _lack(folder: Path) -> str:
    """What a local folder lacks, where the library would say something else; else ''."""
    pieces = sorted(folder.glob('*.model'))
    if (folder / 'tokenizer.json').is_file():
        return ''
    if pieces:
        return (
            f'{pieces[0].name} alone, without tokenizer.json: {SENTENCEPIECE}, or name a '
            'tokenizer with model.tokenizer; FacebookAI/xlm-roberta-base has that of XLM-R'
        )
    return NO_TOKENIZER if folder.is_dir() else ''


def _reason(error: Exception, folder: Path) -> str:
    """Why the library has made none: in its words where it names what is missing.

    Of a SentencePiece model it does not: without the package it tries one of another kind last, and
    asks for that one's.
    """
    message = first_line(error)
    if 'sacremoses' in message:
        return "XLM's tokenizer needs one package more: pip install sacremoses"
    if lack := _lack(folder):
        return lack
    alone = f'a SentencePiece model alone, without tokenizer.json: {SENTENCEPIECE}'
    return alone if 'tiktoken' in message or 'sentencepiece' in message.lower() else message


def vocabulary_of(tokenizer: PreTrainedTokenizerFast) -> int:
    """How many rows a table of its tokens needs: one more than its largest id."""
    return max(tokenizer.get_vocab().values()) + 1


def passage_type(tokenizer: PreTrainedTokenizerFast) -> int:
    """The token type that the tokenizer gives to a passage, 0 where it gives none.

    Raises:
      UserError: its types do more than tell a passage, and all behind it, from a question.
    """
    pair = tokenizer('a', 'a')
    if 'token_type_ids' not in pair:
        return 0
    types = pair['token_type_ids']
    first = pair.sequence_ids().index(1)  # token of the passage
    if types != [0] * first + types[first : first + 1] * (len(types) - first):
        raise UserError(
            f'{tokenizer.name_or_path}: the tokenizer gives a pair the token types {types}; only '
            'the passage and what is behind it may have another than 0: name another tokenizer'
        )
    return types[first]


def tokenizer_hash(tokenizer: PreTrainedTokenizerFast) -> str:
    """sha256 of all that the tokenizer does to a text, whatever it was last used for."""
    return hashlib.sha256(backend_of(tokenizer).to_str().encode()).hexdigest()
