"""The command of the project: one configuration, one working folder, the whole recipe.

python -m xmrc_jax.main --config configs/mlqa.py --workdir runs/mlqa
"""

import re
import sys
from pathlib import Path

from absl import app, flags
from ml_collections import ConfigDict, config_flags

from xmrc_jax.errors import UserError

CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'Configuration file, with a variant after a colon.', lock_config=True
)
WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run; continued if it exists.')
flags.mark_flag_as_required('config')


def read_flags(argv: list[str]) -> tuple[ConfigDict, Path]:
    """Configuration and working folder; every mistake in them is a UserError."""
    config = read_config(argv)
    if WORKDIR.value is None:
        raise UserError('flag --workdir must name the folder of the run')
    return config, Path(WORKDIR.value)


def read_config(argv: list[str]) -> ConfigDict:
    """The configuration, for commands that have flags of their own."""
    app.define_help_flags()
    try:
        _, *stray = flags.FLAGS(argv)
        if stray:
            raise UserError(f'what is {" ".join(stray)}? every option is a --flag')
        return CONFIG.value.lock()
    except Exception as error:  # whatever a configuration file raises is its author's to mend
        raise UserError(_told(error)) from error


def _told(error: Exception) -> str:
    """What went wrong, on one line; absl hands on whole tracebacks of configuration files."""
    while error.args and isinstance(error.args[0], Exception):
        error = error.args[0]
    text = f'unknown field {error.args[0]}' if isinstance(error, KeyError) else str(error)
    if 'Traceback' in text:
        text = re.split(r'\b\w+(?:Error|Exception): ', text)[-1]
    text = text.replace('\nDid you mean', ': did you mean').rpartition('earlier failure to load: ')[
        2
    ]
    return ' '.join(text.split())


def command(run) -> None:
    """Run a command's body; a UserError becomes one line on stderr and exit status 2."""
    try:
        run()
    except UserError as error:
        sys.exit(_one_line(error))
    except KeyboardInterrupt:
        sys.exit('interrupted: the same command continues')


def _one_line(error: UserError) -> int:
    print(f'xmrc_jax: {error}', file=sys.stderr)
    return 2


def main(argv: list[str]) -> None:
    config, workdir = read_flags(argv)
    from xmrc_jax import experiment  # after the flags: importing JAX takes seconds

    experiment.run(config, workdir)


if __name__ == '__main__':
    command(lambda: main(sys.argv))
