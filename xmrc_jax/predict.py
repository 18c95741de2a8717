"""Ask a trained reader.

    xmrc predict runs/mlqa questions.json more.jsonl.gz --output answers.json
    xmrc predict exported questions.jsonl --output answers.jsonl
    xmrc predict runs/mlqa --question 'Who founded it?' --passage 'Ada did.'

READER is a run's working folder, one of the readers or checkpoints in it, an
exported folder or a hub id. Questions are in SQuAD format, with or without
answers, or rows with the columns id, question and context (JSON lines, CSV,
Parquet); - is standard input.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from xmrc_jax.data.queries import STANDARD_INPUT, Source
from xmrc_jax.ground.commands import command, documented, number, positive, share
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import utf8

SHOWN = 5  # answers to a single question


def main(argv: Sequence[str] | None = None) -> None:
    args = _arguments(argv)
    sources = [Source(name) for name in args.files]
    passages = [_piped() if text == STANDARD_INPUT else text for text in args.passage]

    from xmrc_jax.processes import accelerators  # after the arguments: importing JAX takes seconds
    from xmrc_jax.recipe import answering
    from xmrc_jax.recipe.reader import Reader
    from xmrc_jax.recipe.surroundings import keep_compiled

    keep_compiled()
    answering.check(sources, args.output)
    own = ('batch_size', 'n_best', 'null_threshold', 'max_overlap')
    reader = Reader.load(args.reader, **{name: getattr(args, name) for name in own})
    for line in (*accelerators.unused([accelerators.here()]), f'reader: {reader}'):
        print(line, file=sys.stderr, flush=True)
    if args.question is not None:
        for answer in reader.ask(args.question, passages, args.n_best or SHOWN):
            of = f' of passage {answer.passage}' if len(passages) > 1 else ''
            where = f'({answer.start}-{answer.end}{of})' if answer.text else '(there is no answer)'
            percent = f'{answer.probability:6.1%} of the n-best'
            if answer.confidence is not None:
                percent = f'{answer.confidence:6.1%} sure'
            print(f'{percent}  {answer.text}  {where}')
        return
    count = answering.answer(reader, sources, args.output)
    where = ', '.join(str(path) for path in answering.files(args.output) if path.exists())
    bad = f', {count.bad} of them cannot be asked' if count.bad else ''
    print(f'written: {where or "standard output"}; {count.records} records{bad}', file=sys.stderr)
    if args.strict and count.bad:
        raise UserError(f'--strict: {count.bad} of {count.records} records cannot be asked')


def _piped() -> str:
    """The text of standard input."""
    name = 'standard input'
    try:
        return utf8(name, sys.stdin.buffer.read()).decode()
    except UnicodeDecodeError:
        raise UserError(f'{name}: not UTF-8; save it as UTF-8') from None


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = documented('xmrc predict', __doc__)
    parser.add_argument('reader', metavar='READER', help='who is asked')
    parser.add_argument('files', nargs='*', metavar='FILE', help='questions')
    parser.add_argument(
        '--output',
        type=Path,
        metavar='FILE',
        help='answers.json ({id: text}, and answers-nbest.json beside it) or answers.jsonl (a line '
        'for each record; killed, the same command goes on); by default lines on standard output',
    )
    parser.add_argument('--question', metavar='TEXT', help='ask this one, and show the answers')
    parser.add_argument(
        '--passage',
        action='append',
        default=[],
        metavar='TEXT',
        help='what --question is asked of; - is standard input; may be repeated',
    )
    count = {'type': positive, 'default': 0, 'metavar': 'N'}
    by_default = "by default the reader's own number"
    parser.add_argument(
        '--n_best', **count, help=f'answers to each question; {by_default}, 5 to --question'
    )
    parser.add_argument('--batch_size', **count, help=f'windows computed at once; {by_default}')
    parser.add_argument(
        '--null_threshold',
        type=number,
        metavar='ODDS',
        help='null odds beyond which there is no answer; by default those that were fitted, if any',
    )
    parser.add_argument(
        '--max_overlap',
        type=share,
        default=1.0,
        metavar='SHARE',
        help='0 to 1: of two answers that share more of the shorter one, list the better; 1: both',
    )
    parser.add_argument(
        '--strict', action='store_true', help='end with status 2 where a record cannot be asked'
    )
    args = parser.parse_args(argv)
    if (args.question is None) != (not args.passage) or (args.question is None) != bool(args.files):
        raise UserError('name files of questions, or one --question with its --passage')
    if twice := [name for name, count in Counter(args.files).items() if count > 1]:
        raise UserError(f'{twice[0]}: named twice; each of its questions is answered once')
    if args.question is not None and args.output:
        raise UserError('--output: belongs to files; the answers to --question are shown')
    return args


if __name__ == '__main__':
    command(main)
