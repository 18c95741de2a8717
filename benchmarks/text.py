"""Real text for the benchmarks of the host's work; the embedded corpus where there is none."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from xmrc_jax.data import corpora, encyclopedia
from xmrc_jax.data.squad import Question
from xmrc_jax.data.tokenizer import load_tokenizer

MLQA_DEV = tuple(f'mlqa/dev/{language}' for language in ('en', 'ar', 'de', 'es', 'hi', 'vi', 'zh'))
PASSAGES = 200  # of each split of the embedded corpus, in each of its languages


def read(
    names: Sequence[str], split: str, folder: Path
) -> tuple[str, list[Question], PreTrainedTokenizerFast]:
    """Questions and a tokenizer.

    Args:
      names: corpora to read below ``XMRC_DATA``, where that is set.
      split: of the embedded corpus, which is read in all its languages where it is not.
      folder: receives what is made on the spot.

    Returns:
      What was read, in words; the questions, with ids of their own in every corpus; XLM-R's
      tokenizer from ``XMRC_DATA/tokenizer/xlm-roberta``, or one trained on these questions.
    """
    root = os.environ.get('XMRC_DATA')
    source = ', '.join(names)
    if not root:
        sizes = {f'{each}_passages': PASSAGES for each in encyclopedia.SPLITS}
        encyclopedia.write(folder, encyclopedia.Passages(**sizes), seed=0)
        names = [f'encyclopedia/{split}/{language}' for language in encyclopedia.LANGUAGES]
        root, source = folder, f'the embedded corpus ({split}), as XMRC_DATA is not set'
    questions = [
        dataclasses.replace(question, id=f'{name}/{question.id}')
        for name in names
        for question in corpora.load(name, root=Path(root), cache=folder / 'fetched').questions
    ]
    tokenizer = Path(root) / 'tokenizer' / 'xlm-roberta'
    if not tokenizer.exists():
        tokenizer = encyclopedia.train_tokenizer(questions, folder / 'tokenizer')
    return source, questions, load_tokenizer(tokenizer)
