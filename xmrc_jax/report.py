"""Write what runs and sweeps showed as one page, its tables and figures as files.

    xmrc report runs/mlqa
    xmrc report runs/alpha runs/mlqa --output report --compare base two_stage
    xmrc report runs/mlqa --case 5b6a@ar --case 77c1

writes report.html (one file, no network), .md, .tex and .json, and figures/.
"""

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from xmrc_jax.ground.commands import command, documented
from xmrc_jax.ground.errors import UserError


def main(argv: Sequence[str] | None = None) -> None:
    parser = documented('xmrc report', __doc__)
    parser.add_argument('folders', type=Path, nargs='+', help='of runs and sweeps')
    parser.add_argument('--output', type=Path, help='a folder; the one given, if it is one')
    parser.add_argument(
        '--case',
        action='append',
        default=[],
        metavar='ID[@LANGUAGE]',
        help='a test question that every kept checkpoint is asked; may be repeated',
    )
    parser.add_argument(
        '--compare',
        nargs=2,
        metavar=('A', 'B'),
        help='two systems of every run, or two FOLDER[:SYSTEM]; base and two_stage by default',
    )
    args = parser.parse_args(argv)
    if args.output is None and len(args.folders) > 1:
        raise UserError('--output: several folders are given; name one for the report')
    output = args.output or args.folders[0]

    from xmrc_jax.recipe.reopen import Reopened  # after the arguments: importing JAX takes seconds
    from xmrc_jax.reporting import contents, page

    title, sections, missing = contents.build(
        args.folders, cache(Reopened), args.case, args.compare
    )
    page.write(output, title, sections, missing)
    for line in missing:
        print(f'report: {line}', file=sys.stderr)
    print(f'written: {output}/report.html, .md, .tex, .json, figures/')


if __name__ == '__main__':
    command(main)
