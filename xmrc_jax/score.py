"""Score a file of predictions as the official scripts do.

    xmrc score DATA.json PREDICTIONS.json --metric mlqa --language es
    xmrc score DATA.json PREDICTIONS.json --metric squad2 --null_odds ODDS.json

The scripts are those of MLQA, SQuAD v1.1 and SQuAD 2.0. What is printed is what
they print, {"exact_match": .., "f1": ..}, and of SQuAD 2.0 both kinds of
questions apart and the best threshold of the null odds. Gold answers are in
SQuAD format or in rows, as a run reads them. It needs no JAX. Unlike a run it
drops nothing: a gold answer that is not in its passage counts all the same.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from xmrc_jax.data import squad, tables
from xmrc_jax.data.mending import read_id
from xmrc_jax.data.squad import Answer, Question
from xmrc_jax.evaluate import metrics, no_answer
from xmrc_jax.ground.choices import require
from xmrc_jax.ground.commands import command, documented, number
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import read_json


def main(argv: Sequence[str] | None = None) -> None:
    parser = documented('xmrc score', __doc__)
    parser.add_argument('data', type=Path, help='SQuAD format, or rows, with the gold answers')
    parser.add_argument(
        'predictions', type=Path, help='JSON object: question id -> answer text; null is unanswered'
    )
    parser.add_argument('--metric', required=True, help=' or '.join(metrics.METRICS))
    parser.add_argument('--language', default='', help='of the passages; metric mlqa needs it')
    parser.add_argument('--null_odds', type=Path, help='metric squad2: question id -> number')
    parser.add_argument(
        '--threshold',
        type=number,
        default=no_answer.OFFICIAL,
        help="null odds beyond which there is no answer (by default the official script's 1.0)",
    )
    args = parser.parse_args(argv)
    require(metrics.METRICS, args.metric, '--metric')
    if args.null_odds and args.metric != metrics.SQUAD2:
        raise UserError(f'--null_odds: belongs to --metric {metrics.SQUAD2}')
    questions, predictions = _questions(args.data), _predictions(args.predictions)
    if strays := predictions.keys() - {question.id for question in questions}:
        print(
            f'{args.predictions}: {len(strays)} of {len(predictions)} answers are to questions '
            f'that {args.data} does not have, such as {min(strays)!r}',
            file=sys.stderr,
        )
    if args.metric == metrics.SQUAD2:
        odds = _odds(args.null_odds) if args.null_odds else None
        scored = no_answer.score(questions, predictions, odds, args.threshold)
        print(json.dumps(scored, indent=2))
        return
    if lacking := [question.id for question in questions if not question.answers]:
        raise UserError(
            f'question {lacking[0]!r}: no gold answer to score against; --metric '
            f'{metrics.SQUAD2} counts questions that have none'
        )
    print(json.dumps(metrics.score(questions, predictions, args.metric, args.language)))


def _questions(path: Path) -> list[Question]:
    """Ids and gold texts of a file of any kind: all that the official scripts read of it."""
    articles, places, _ = tables.articles(path)
    found, numbers = [], 0
    for where, _, _, record, fault in squad.records(articles, places):
        try:
            if fault:
                raise ValueError(fault)
            id_, causes = read_id(record.get('id'))
            golds = tuple(Answer(-1, text) for text in _golds(record))
        except ValueError as error:
            raise UserError(f'{path}: not in SQuAD format: {where}: {error}') from None
        found.append(Question(id_, '', '', golds))
        numbers += bool(causes)
    if numbers:
        print(f'{path}: of {len(found)} ids {numbers} are numbers, read as text', file=sys.stderr)
    return found


def _golds(record: dict) -> list[str]:
    """The texts of its answers; ValueError where there is no list of them."""
    answers = record.get('answers')
    if not isinstance(answers, list):
        raise ValueError('no list of answers')
    texts = [each.get('text') if isinstance(each, dict) else each for each in answers]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f'an answer is not text: {texts}')
    return texts


def _predictions(path: Path) -> dict[str, str]:
    if tables.is_a(str(path), *tables.LINES):
        raise UserError(f'{path}: JSON lines; name what predict --output NAME.json writes')
    predictions = read_json(path)
    if not isinstance(predictions, dict):
        raise UserError(f'{path}: not a JSON object of question id -> answer text')
    for id_, text in predictions.items():
        if not isinstance(text, str | None):
            raise UserError(f'{path}: the answer to question {id_!r} is not text')
    return {id_: text for id_, text in predictions.items() if text is not None}


def _odds(path: Path) -> dict[str, float]:
    odds = read_json(path)
    if not isinstance(odds, dict):
        raise UserError(f'{path}: not a JSON object of question id -> null odds')
    for id_, each in odds.items():
        if type(each) not in (int, float) or each != each:
            raise UserError(f'{path}: the null odds of question {id_!r} are no number')
    return odds


if __name__ == '__main__':
    command(main)
