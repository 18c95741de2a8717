"""The command of the project: one configuration, one working folder, the whole recipe.

python -m xmrc_jax.main --config configs/mlqa.py --workdir runs/mlqa
"""

import errno
import re
import sys
from pathlib import Path
from typing import NoReturn

from absl import app, flags
from ml_collections import ConfigDict, config_flags

from xmrc_jax.ground.errors import UserError

CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'Configuration file, with a variant after a colon.', lock_config=True
)
WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run; continued if it exists.')
COORDINATOR = flags.DEFINE_string(
    'coordinator', '', 'host:port of process 0, where processes do not find each other.'
)
NUM_PROCESSES = flags.DEFINE_integer('num_processes', None, 'How many processes there are.')
PROCESS_ID = flags.DEFINE_integer('process_id', None, 'Which of them this is, from 0.')
LOCAL_DEVICE_IDS = flags.DEFINE_list(
    'local_device_ids', [], "Which of this machine's accelerators this process takes; all."
)
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
    """Run a command's body; whatever ends it ends in one line and a status that launchers know.

    Statuses: 0 done; 2 a mistake that the user can mend; 75 stopped by SIGTERM, everything saved;
    69 another process of the run is lost; 130 interrupted; 1 a defect of this software, which
    keeps its traceback.
    """
    try:
        run()
    except KeyboardInterrupt:
        _end(130, 'interrupted: the same command continues')
    except UserError as error:
        _end(2, str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        _end(2, f'{error.filename or "a file"}: cannot be written: {error.strerror}')


def _end(status: int, line: str) -> NoReturn:
    from xmrc_jax.processes import cluster

    cluster.end(status, line)


def _numbers(flag: flags.FlagHolder) -> list[int]:
    try:
        return [int(value) for value in flag.value]
    except ValueError:
        raise UserError(
            f'--{flag.name}={",".join(flag.value)}: name numbers, separated by commas'
        ) from None


def main(argv: list[str]) -> None:
    run(*read_flags(argv))


def run(config: ConfigDict, workdir: Path) -> None:
    """The recipe in this process, and in those that join it."""
    from xmrc_jax.processes import (  # after the flags: importing JAX takes seconds
        cluster,
        preemption,
    )

    preemption.listen()
    with cluster.joined(
        COORDINATOR.value,
        NUM_PROCESSES.value,
        PROCESS_ID.value,
        _numbers(LOCAL_DEVICE_IDS) or None,
    ):
        from xmrc_jax.recipe import experiment

        try:
            experiment.run(config, workdir)
        except preemption.Stopped as stopped:
            cluster.end(cluster.STOPPED, f'{stopped}; {cluster.CONTINUES}')


if __name__ == '__main__':
    command(lambda: main(sys.argv))
