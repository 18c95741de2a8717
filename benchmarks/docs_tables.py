"""The tables of docs/plan.md, docs/scale.md and docs/speed.md once more, from the present code.

    make docs-tables
    python -m benchmarks.docs_tables docs/scale.md --only 'scale processes'

runs the benchmark commands that the pages name, in their order, and prints behind each what it
prints, under the commit that it is of. It takes hours; a command that fails says so and the next
is run. What needs another machine or another checkout is left out.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from xmrc_jax.ground.commands import documented

PAGES = ('docs/plan.md', 'docs/scale.md', 'docs/speed.md')
ELSEWHERE = ('benchmarks.slurm', 'benchmarks.same')


def commands(page: Path) -> list[list[str]]:
    """The words behind ``python -m`` of each benchmark that a page names, each once."""
    lines = re.findall(r'^ *python -m (benchmarks\..*)$', page.read_text('utf-8'), re.MULTILINE)
    found = dict.fromkeys(tuple(shlex.split(line, comments=True)) for line in lines)
    return [[*words] for words in found if words[0] not in ELSEWHERE]


def commit() -> str:
    """The checkout's, with '-dirty' where files differ from it."""
    command = ['git', 'describe', '--always', '--dirty', '--exclude', '*']
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main(argv: Sequence[str] | None = None) -> None:
    """Prints what every command prints; status 1 where one failed."""
    parser = documented('benchmarks.docs_tables', __doc__)
    parser.add_argument('pages', nargs='*', type=Path, default=[*map(Path, PAGES)])
    parser.add_argument('--only', default='', help='commands with these words in them')
    args = parser.parse_args(argv)
    failed = []
    for page in args.pages:
        print(f'# {page}, at {commit()}', flush=True)
        for words in commands(page):
            line = shlex.join(words)
            if args.only not in line:
                continue
            print(f'\n    python -m {line}\n', flush=True)
            status = subprocess.run([sys.executable, '-m', *words], check=False).returncode
            if status:
                failed.append(line)
                print(f'\nfailed with status {status}', flush=True)
        print()
    if failed:
        sys.exit('failed: ' + '; '.join(failed))


if __name__ == '__main__':
    main()
