"""Score trained readers on any corpora, with a run's tables and its report.

    xmrc evaluate runs/own exported --on xquad/test/{en,es} --workdir scores
    xmrc evaluate someone/reader --on tydiqa/dev/fi own.json@de --workdir scores

READER is what xmrc predict takes, or NAME=READER; corpora are named as for a
run. Every reader is asked with the window and the longest answer of its own.
The same command continues.
"""

from collections.abc import Sequence

from xmrc_jax import report
from xmrc_jax.configs.paper import paper_config
from xmrc_jax.ground.commands import command, documented, named, positive


def main(argv: Sequence[str] | None = None) -> None:
    own = paper_config()
    parser = documented('xmrc evaluate', __doc__)
    parser.add_argument('readers', nargs='+', metavar='[NAME=]READER', help='a path or a hub id')
    parser.add_argument('--on', nargs='+', required=True, metavar='CORPUS', help='xquad/test/es')
    parser.add_argument('--workdir', type=named, required=True, help='of answers, tables, report')
    parser.add_argument('--root', default='', help='local data folder; else XMRC_DATA')
    parser.add_argument('--metric', default=own.evaluate.metric, help='mlqa, squad, or auto')
    parser.add_argument(
        '--max_test_questions', type=int, default=0, help='of each corpus, drawn by chance; 0: all'
    )
    parser.add_argument('--batch_size', type=positive, default=own.evaluate.batch_size)
    args = parser.parse_args(argv)

    from xmrc_jax.recipe import evaluation  # after the arguments: importing JAX takes seconds

    changes = {
        'data.tests': tuple(args.on),
        'data.root': args.root,
        'data.max_test_questions': args.max_test_questions,
        'evaluate.metric': args.metric,
        'evaluate.batch_size': args.batch_size,
    }
    print(evaluation.evaluate(args.readers, changes, args.workdir))
    report.main([str(args.workdir)])


if __name__ == '__main__':
    command(main)
