"""Audit corpora: windows, and which gold answers survive the way to tokens.

    xmrc audit --tokenizer FacebookAI/xlm-roberta-base squad/dev mlqa/dev/de-en
    xmrc audit --tokenizer exported 'my data.json@es' xquad/test/{en,es,de}

prints a Markdown table with a row for each corpus, named as for a run (the
braces are bash's), and below it what every kind of miss means, with examples. A
gold answer is exact when the characters of its token span are the answer and
nothing else. The last columns count what lengths and the choice of one answer
leave out. What was dropped or mended of a corpus is counted there; --records
lists each such record with its reason, for its owner to mend the file. It needs
no JAX.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from xmrc_jax.configs.paper import paper_config
from xmrc_jax.data import corpora, defects, squad
from xmrc_jax.data.audit import audit
from xmrc_jax.data.tokenizer import load_tokenizer
from xmrc_jax.data.windows import WindowSize, build
from xmrc_jax.ground import values
from xmrc_jax.ground.commands import command, documented, positive
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import write_json
from xmrc_jax.reporting.tables import pipes

MEANINGS = {
    'word_inside_token': 'a token reaches over an edge of the answer into a word or number',
    'punctuation_inside_token': 'a token reaches over an edge, but only into punctuation',
    'dropped_at_edge': 'the tokenizer drops the first or last character of the answer (U+200B)',
    'not_in_any_window': 'no window holds the whole answer',
    'long_answer': 'longer than any answer of a reader (evaluate.max_answer_tokens)',
    'cut_question': 'its end is not read (data.max_question_tokens)',
    'several_answers': 'training uses the first of them (data.golds=all: each in its turn)',
    'no_answer': 'the file says so; trained on the first token or not (data.without_gold)',
}
EXAMPLES = 2


def measure(
    corpus: squad.Corpus, tokenizer, size: WindowSize, max_answer_tokens: int, cache: Path | None
) -> dict:
    """Sizes and alignment of one corpus, whose windows are built as ``data.windows.build`` does.

    Returns:
      ``questions``, ``dropped`` and ``mended`` (records that could not be used, or not as they
      stand), ``windows``, ``tokens_per_window`` (the mean, special tokens included),
      ``real_positions`` (its share of ``max_tokens``), and the counts of ``data.audit.audit``.
    """
    windows = build(corpus.questions, tokenizer, size, cache=cache)
    tokens = float(windows.length_W.mean())
    return {
        'questions': len(corpus.questions),
        'dropped': len(corpus.drops),
        'mended': len({mend.id for mend in corpus.mends}),
        'windows': len(windows),
        'tokens_per_window': tokens,
        'real_positions': tokens / size.max_tokens,
        **audit(corpus.questions, windows, tokenizer, size, max_answer_tokens),
    }


def report(measured: dict[str, dict]) -> str:
    """The table of all corpora, and the meaning of each kind of miss with a few question ids."""
    lines = [
        [
            name,
            f'{row["questions"]:,}',
            f'{row["windows"]:,}',
            f'{row["tokens_per_window"]:.1f}',
            f'{row["real_positions"]:.1%}',
            f'{row["exact"]:,}',
            f'{row["exact"] / max(row["golds"], 1):.2%}',
            *(f'{_kinds(row)[kind]["count"]:,}' for kind in MEANINGS),
        ]
        for name, row in measured.items()
    ]
    header = ['corpus', 'questions', 'windows', 'tokens/window', 'real', 'exact', '% exact']
    notes = []
    for kind, meaning in MEANINGS.items():
        examples = [
            f'{name} {id_}'
            for name, row in measured.items()
            for id_ in _kinds(row)[kind]['examples'][:1]
        ]
        such = f'; such as {", ".join(examples[:EXAMPLES])}' if examples else ''
        notes.append(f'- {_words(kind)}: {meaning}{such}')
    return '\n'.join([pipes(header + [_words(kind) for kind in MEANINGS], lines), '', *notes])


def _kinds(row: dict) -> dict[str, dict]:
    return row['misses'] | row['limits']


def listing(corpus: squad.Corpus) -> str:
    """A table of the records of a corpus that were dropped or mended."""
    rows = [[drop.id, 'dropped', drop.reason] for drop in corpus.drops]
    rows += [[mend.id, 'mended', mend.reason] for mend in corpus.mends]
    return pipes([f'record of {corpus.name}', '', 'reason'], rows)


def _words(kind: str) -> str:
    return kind.replace('_', ' ')


def main(argv: Sequence[str] | None = None) -> None:
    data, evaluate = paper_config().data, paper_config().evaluate
    parser = documented('xmrc audit', __doc__)
    parser.add_argument('corpora', nargs='+', metavar='SPEC', help='mlqa/dev/es, file.json@de, ...')
    parser.add_argument('--tokenizer', required=True, help='folder or hub id')
    parser.add_argument('--max_tokens', type=int, default=data.max_tokens)
    parser.add_argument('--stride', type=int, default=data.stride, help='overlap, in tokens')
    parser.add_argument('--max_question_tokens', type=int, default=data.max_question_tokens)
    parser.add_argument('--max_answer_tokens', type=positive, default=evaluate.max_answer_tokens)
    parser.add_argument('--root', default=os.environ.get('XMRC_DATA'), help='local data folder')
    parser.add_argument('--records', action='store_true', help='list what was dropped or mended')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write all counts here too')
    args = parser.parse_args(argv)
    root = Path(args.root).expanduser() if args.root else None
    cache = corpora.CACHE.expanduser()
    own = 'max_tokens', 'stride', 'max_question_tokens'
    size = values.build(WindowSize, {name: getattr(args, name) for name in own})
    tokenizer = load_tokenizer(args.tokenizer)
    read = [corpora.load(spec, root=root, cache=cache) for spec in args.corpora]
    if args.json and args.json.resolve() in {Path(corpus.source).resolve() for corpus in read}:
        raise UserError(f'{args.json}: holds a corpus; name another file with --json')
    own = tokenizer, size, args.max_answer_tokens, cache
    measured = {corpus.name: measure(corpus, *own) for corpus in read}
    if args.json:
        write_json(args.json, measured)
    print(report(measured))
    for corpus in read:
        c, q = corpus.context_language, corpus.question_language
        if c != q:
            print(f'- {corpus.name}: questions in {q} on passages in {c}')
        for line in defects.lines(corpus):
            print(f'- {line}')
        if args.records and (corpus.drops or corpus.mends):
            print(f'\n{listing(corpus)}\n')


if __name__ == '__main__':
    command(main)
