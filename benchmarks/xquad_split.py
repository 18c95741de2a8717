"""XQuAD's paragraphs parted into a training and a test set, as parallel text in miniature.

    python -m benchmarks.xquad_split --data DATA --output xquad_split

writes ``train/{language}.json`` and ``test/{language}.json`` for ``configs/xquad_split.py``. A
paragraph and its translations lie on one side, told by the ids of their questions. XQuAD is a test
set: what was trained on a part of it is compared with nothing but its like.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xmrc_jax.configs.paper import LANGUAGES
from xmrc_jax.data import corpora, squad
from xmrc_jax.ground.commands import command
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import new_folder

TRAIN = 190  # of 240 paragraphs


def training_ids(questions: Sequence[squad.Question], paragraphs: int, seed: int) -> set[str]:
    """Ids of the questions on so many paragraphs, drawn with the seed.

    Raises:
      UserError: no paragraph would be left to test on.
    """
    passages = list(dict.fromkeys(question.passage for question in questions))
    if not 0 < paragraphs < len(passages):
        raise UserError(f'--train={paragraphs}: of {len(passages)} paragraphs some must be left')
    chosen = np.random.default_rng(seed).permutation(len(passages))[:paragraphs]
    kept = {passages[number] for number in chosen}
    return {question.id for question in questions if question.passage in kept}


def write(data: Path, output: Path, paragraphs: int, seed: int) -> list[str]:
    """Write both parts in each language, whole or not at all; a line on each language.

    Questions that English does not have are left out, and counted.

    Raises:
      UserError: a language is not there, none of its ids is English's, or as ``new_folder``.
    """
    places = {'root': data, 'cache': Path(corpora.CACHE).expanduser()}
    read = {each: corpora.load(f'xquad/test/{each}', **places) for each in LANGUAGES}
    english, lines = read[LANGUAGES[0]], []
    train = training_ids(english.questions, paragraphs, seed)
    with new_folder(output) as part:
        for language, corpus in read.items():
            known = corpora.joined(corpus, english)
            parts = {'train': [], 'test': []}
            for question in known.questions:
                parts['train' if question.id in train else 'test'].append(question)
            for name, questions in parts.items():
                squad.write(part / name / f'{language}.json', questions)
            counts = ', '.join(f'{len(own)} {name}' for name, own in parts.items())
            strays = len(corpus.questions) - len(known.questions)
            lines.append(f'{language}: {counts} questions, {strays} without an English one')
    return lines


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog='benchmarks.xquad_split')
    parser.add_argument('--data', type=Path, required=True, help='with xquad/xquad.en.json ..')
    parser.add_argument('--output', type=Path, required=True, help='a new folder')
    parser.add_argument('--train', type=int, default=TRAIN, help='paragraphs to train on')
    parser.add_argument('--seed', type=int, default=42)
    args = parser.parse_args(argv)
    print(*write(args.data, args.output, args.train, args.seed), sep='\n')


if __name__ == '__main__':
    command(main)
