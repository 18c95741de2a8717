"""What commands that ask a reader have in common: the reader's folder, questions, the machine."""

import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import jax

from xmrc_jax.data import corpora
from xmrc_jax.data.squad import Question
from xmrc_jax.data.tokenizer import load_tokenizer
from xmrc_jax.model import reader, weights
from xmrc_jax.model.architectures import PLAIN, EncoderConfig
from xmrc_jax.recipe.encoders import fed_by
from xmrc_jax.recipe.surroundings import commit


def with_head(source: Path, folder: Path) -> Path:
    """The folder of a reader; an encoder's is written anew, with a random span head."""
    cfg = EncoderConfig.of(weights.architecture_of(source), PLAIN)
    if 'span' in weights.load(source, cfg, {}):
        return source
    tokenizer = load_tokenizer(source)
    cfg = fed_by(tokenizer, cfg)
    params = weights.load(source, cfg, reader.head(cfg, jax.random.key(0)))
    weights.save(folder, params, cfg, tokenizer)
    return folder


def questions_of(name: str, count: int) -> Sequence[Question]:
    """About so many of a corpus, evenly spaced; 0: all."""
    root = os.environ.get('XMRC_DATA', '')
    cache = Path(corpora.CACHE).expanduser()
    questions = corpora.load(name, root=Path(root) if root else None, cache=cache).questions
    return spread(questions, count) if count else questions


def spread(questions: Sequence[Question], count: int) -> Sequence[Question]:
    """So many of them, evenly spaced."""
    return questions[:: max(1, len(questions) // count)][:count]


def machine() -> str:
    """Processor, cores that may be used, versions and commit, in a line."""
    with open('/proc/cpuinfo') as file:
        names = [line.partition(': ')[2].strip() for line in file if line.startswith('model name')]
    cores = len(os.sched_getaffinity(0))
    versions = ', '.join(f'{name} {version(name)}' for name in ('jax', 'torch', 'transformers'))
    return f'{names[0]}, {cores} cores, {jax.default_backend()}, {versions}, commit {commit()}'
