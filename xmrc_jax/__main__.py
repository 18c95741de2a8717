"""All commands under one name, each with a --help of its own.

    xmrc train --config mlqa --workdir runs/mlqa
    xmrc predict runs/mlqa questions.json --output answers.json

xmrc train is python -m xmrc_jax.main, xmrc evaluate is python -m
xmrc_jax.evaluate_reader; the others have one name: python -m xmrc_jax.predict.
"""

import difflib
import runpy
import sys

from xmrc_jax.ground.commands import command
from xmrc_jax.ground.errors import UserError

COMMANDS = {
    'train': ('main', 'train the readers of a configuration and score them'),
    'sweep': ('sweep', 'run a table or figure of the paper, with several seeds'),
    'plan': ('plan', 'what a configuration needs on machines that are not there'),
    'predict': ('predict', 'ask a trained reader'),
    'serve': ('serve', 'serve a trained reader over HTTP, with a page'),
    'evaluate': ('evaluate_reader', 'score trained readers on any corpora'),
    'report': ('report', 'what runs and sweeps showed, as one page'),
    'export': ('export', "write a trained reader in Hugging Face's layout"),
    'score': ('score', 'score a file of predictions as the official scripts do'),
    'audit': ('audit', 'which gold answers of a corpus survive the way to tokens'),
}


def main() -> None:
    """The command that the first word names, as ``python -m`` runs its module."""
    command(_choose)


def _choose() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else '--help'
    if name in ('--help', '-h', 'help'):
        print(__doc__)
        print(*(f'{each:9} {does}' for each, (_, does) in COMMANDS.items()), sep='\n')
        return
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f'did you mean {close[0]}? ' if close else ''
        raise UserError(f'{name}: no such command; {hint}choose from {", ".join(COMMANDS)}')
    sys.argv = [f'xmrc {name}', *sys.argv[2:]]
    runpy.run_module(f'xmrc_jax.{COMMANDS[name][0]}', run_name='__main__', alter_sys=True)


if __name__ == '__main__':
    main()
