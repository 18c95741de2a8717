"""Train the readers of one configuration in one working folder, and score them.

    python -m xmrc_jax.main --config configs/mlqa.py --workdir runs/mlqa
    xmrc train --config mlqa --workdir runs/mlqa        # the same, installed

A configuration is a file, or the name of one that comes with the package:
``--config mlqa`` works from any folder. The same command continues a run.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from absl import flags
from ml_collections import ConfigDict, config_flags

from xmrc_jax import configs
from xmrc_jax.configs.paper import VARIANTS, paper_config
from xmrc_jax.ground import values
from xmrc_jax.ground.commands import command
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
    'local_device_ids', [], "Which of this machine's accelerators this process takes; its share."
)
HELP, QUOTES = {'--help', '-help', '-h', '--helpfull', '--helpshort'}, '"\''
WIDTH = 80  # columns of a help
CONFIGS = Path(configs.__file__).parent


def main(argv: list[str]) -> None:
    """The recipe in this process, and in those that join it."""
    config, workdir = read_flags(argv)
    with together():
        from xmrc_jax.recipe import experiment, settings

        experiment.run(settings.read(config), workdir)


def read_flags(argv: list[str]) -> tuple[ConfigDict, Path]:
    """Configuration and working folder; every mistake in them is a UserError."""
    config = read_config(argv)
    if not WORKDIR.value:
        raise UserError('flag --workdir must name the folder of the run')
    return config, Path(WORKDIR.value)


def read_config(argv: list[str]) -> ConfigDict:
    """The configuration, for commands that have flags of their own; ``--help`` ends them."""
    if HELP & set(argv):
        print(*_help(), sep='\n')
        sys.exit()
    named = [word for word in argv if re.match('--?config(=.|$)', word)]
    if not named:  # its leaves are unknown then
        raise UserError('flag --config must name a configuration, such as mlqa; see --help')
    if len(named) > 1:
        raise UserError('flag --config: name one configuration; variants follow a colon')
    _check_tuples(argv)
    try:
        _, *stray = flags.FLAGS(located(argv))
        if stray:
            raise UserError(f'what is {" ".join(stray)}? every option is a --flag')
        return CONFIG.value.lock()
    except Exception as error:  # whatever a configuration file raises is its author's to mend
        raise UserError(_unknown(argv, error) or _one_line(error)) from error


def _help() -> Iterator[str]:
    """The command, its flags, the configurations, their variants and their leaves."""
    yield sys.modules['__main__'].__doc__
    for module, own in flags.FLAGS.flags_by_module_dict().items():
        if not module.startswith('absl'):
            yield from (_row(f'--{flag.name}', flag.help) for flag in own)
    yield f'\nConfigurations, in {CONFIGS}:'
    yield from (_row(name, first.strip(QUOTES)) for name, first in _configurations().items())
    yield '\nVariants, behind a colon, several with commas:\n'
    yield textwrap.fill(', '.join(VARIANTS), WIDTH, initial_indent='  ', subsequent_indent='  ')
    _, leaves = inspect.getsource(paper_config).split('ConfigDict()\n')
    yield '\nLeaves, which --config.SECTION.NAME=VALUE overrides:\n'
    yield textwrap.indent(textwrap.dedent(leaves.rpartition('    return')[0]), '  ').rstrip()


def _configurations() -> dict[str, str]:
    """The first lines of the configurations that come with the package, by their names."""
    texts = {path: path.read_text('utf-8') for path in sorted(CONFIGS.glob('**/*.py'))}
    return {
        path.relative_to(CONFIGS).with_suffix('').as_posix(): text.splitlines()[0]
        for path, text in texts.items()
        if 'def get_config' in text
    }


def _row(name: str, text: str) -> str:
    return textwrap.fill(f'  {name:19} {text}', WIDTH, subsequent_indent=' ' * 22)


def located(argv: list[str]) -> list[str]:
    """The words of a command line, with a path for the name of a configuration of the package."""
    words = list(argv)
    for place, word in enumerate(words):
        flag, equals, value = word.partition('=')
        if flag not in ('--config', '-config'):
            continue
        if equals:
            words[place] = f'{flag}={_path(value)}'
        elif place + 1 < len(words):
            words[place + 1] = _path(words[place + 1])
    return words


def _path(value: str) -> str:
    """'configs/mlqa.py:base' or 'mlqa:base' with a path that exists; UserError where none does."""
    name, colon, variant = value.partition(':')
    if Path(name).is_file():
        return value
    short, known = name.removeprefix('configs/').removesuffix('.py'), _configurations()
    if short not in known:
        raise UserError(
            f'--config {name}: no such file; name one, or choose from {", ".join(known)}'
            f'{values.nearest(short, known)}'
        )
    return f'{CONFIGS / short}.py{colon}{variant}'


def _overridden(argv: list[str]) -> Iterator[tuple[str, str]]:
    """Every leaf that the words of a command line name, and what they say it is."""
    for word, following in zip(argv, (*argv[1:], ''), strict=True):
        flag, equals, value = word.partition('=')
        dashes, _, path = flag.partition('config.')
        if dashes in ('-', '--'):
            yield path, value if equals else following


def _leaves() -> dict:
    """Every leaf that a configuration has, with its default."""
    return dict(values.flat(paper_config().to_dict()))


def _check_tuples(argv: list[str]) -> None:
    """Refuse what the library would take for a tuple of one odd name."""
    known = _leaves()
    for path, value in _overridden(argv):
        if isinstance(known.get(path), tuple) and not _says_a_tuple(value):
            raise UserError(
                f'--config.{path}={value}: no tuple; write \'("one", "two")\', numbers as '
                "'(1, 2)', '()' for none, or a single one as it is"
            )


def _says_a_tuple(value: str) -> bool:
    """Whether it is one, or a list, or stands for the only one in it."""
    try:
        return isinstance(ast.literal_eval(value), tuple | list | str | int | float)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return re.fullmatch(r"""[^\s,()[\]{}'"][^\s,]*""", value) is not None


def _unknown(argv: list[str], error: Exception) -> str:
    """Which --config.LEAF brought an error, where it did as no configuration has that leaf."""
    if not isinstance(_first(error), KeyError):
        return ''
    known = _leaves()
    for path, _ in _overridden(argv):
        if path not in known:
            return f'--config.{path}: no such leaf{values.nearest(path, known)}'
    return ''


def _first(error: Exception) -> Exception:
    """The error that others were made of."""
    while error.args and isinstance(error.args[0], Exception):
        error = error.args[0]
    return error


def _one_line(error: Exception) -> str:
    """What went wrong, on one line; absl hands on whole tracebacks of configuration files."""
    error = _first(error)
    text = f'unknown field {error.args[0]}' if isinstance(error, KeyError) else str(error)
    if 'Traceback' in text:
        text = re.split(r'\b\w+(?:Error|Exception): ', text)[-1]
    text = text.replace('\nDid you mean', ': did you mean')
    return ' '.join(text.rpartition('earlier failure to load: ')[2].split())


@contextmanager
def together() -> Iterator[None]:
    """This process and those that join it as one run, which SIGTERM stops where nothing is lost."""
    from xmrc_jax.processes import ending, joining, sigterm

    sigterm.listen()
    try:
        devices = [int(value) for value in LOCAL_DEVICE_IDS.value] or None
    except ValueError:
        given = ','.join(LOCAL_DEVICE_IDS.value)
        raise UserError(f'--local_device_ids={given}: name numbers, between commas') from None
    with joining.joined(COORDINATOR.value, NUM_PROCESSES.value, PROCESS_ID.value, devices):
        try:
            yield
        except sigterm.Stopped as stopped:
            ending.end(sigterm.status(), f'{stopped}; {ending.CONTINUES}')


def end(status: int, line: str) -> NoReturn:
    """End this process, and with it the others of its run."""
    from xmrc_jax.processes import ending

    ending.end(status, line)


if __name__ == '__main__':
    command(lambda: main(sys.argv), end)
