"""The rules of the house that a reader relies on: rooms, the parts of Flax we use, short files."""

import ast
from pathlib import Path

import pytest

import xmrc_jax

ROOT = Path(xmrc_jax.__file__).parent
FILES = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.rglob('*.py'))}

# Each room and all that it may import; commands are what nothing else imports.
BASE = {'errors', 'files'}
RUN = BASE | {'cluster', 'preemption'}  # of one run on one or several machines
LIBRARY = RUN | {'data', 'model', 'answers', 'train', 'evaluate', 'workdir'}
MAY_IMPORT = {
    'errors': set(),
    'files': {'errors'},
    'cluster': {'errors'},
    'preemption': {'cluster'},
    'workdir': RUN,
    'data': BASE,
    'model': BASE,
    'answers': BASE,
    'train': RUN | {'data', 'model', 'answers'},
    'evaluate': RUN | {'data', 'model', 'answers'},
    'planning': BASE | {'data', 'model', 'train'},
    'settings': BASE | {'model', 'answers', 'train'},
    'inputs': LIBRARY - {'train', 'evaluate'} | {'settings'},
    'readers': LIBRARY | {'settings', 'inputs'},
    'mining': LIBRARY | {'inputs', 'readers'},
    'experiment': LIBRARY | {'settings', 'inputs', 'readers', 'mining'},
    'grid': BASE | {'workdir'},
    'sweep': BASE | {'cluster', 'main', 'grid', 'evaluate'},
    'plan': {'errors', 'settings', 'planning', 'main'},
    'reopen': LIBRARY | {'inputs', 'readers'},
    'reporting': BASE | {'data', 'evaluate'},
    'report': {'errors', 'reopen', 'reporting'},
}
COMMAND = LIBRARY | {'inputs', 'experiment'}


def imports(path: Path) -> set[str]:
    """Everything a file imports, at its head or inside a function: 'xmrc_jax.data.squad.read'."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text('utf-8'))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}:{node.lineno}: relative import'
            names |= {f'{node.module}.{alias.name}' for alias in node.names}
    return names


@pytest.mark.parametrize('file', FILES)
def test_imports_go_downward_only(file):
    room = Path(file).parts[0].removesuffix('.py')
    ours = {name.split('.')[1] for name in imports(FILES[file]) if name.startswith('xmrc_jax.')}
    assert ours <= MAY_IMPORT.get(room, COMMAND) | {room}


@pytest.mark.parametrize(
    ('library', 'rooms'),
    [
        # Text is read without an accelerator, and a score needs no model.
        (
            'jax',
            {'model', 'answers', 'train', 'evaluate', 'cluster', 'inputs', 'readers'}
            | {'experiment', 'export', 'planning', 'plan', 'reopen'},
        ),
        ('flax', {'model'}),
        ('optax', {'train'}),
        ('orbax', {'train'}),
        # A ConfigDict never passes below the rooms that turn names into things.
        (
            'ml_collections',
            {
                *('settings', 'inputs', 'readers', 'mining', 'experiment'),
                *('main', 'plan', 'grid', 'reopen'),
            },
        ),
        ('matplotlib', {'reporting'}),
    ],
)
def test_libraries_stay_in_their_rooms(library, rooms):
    users = {
        Path(file).parts[0].removesuffix('.py')
        for file, path in FILES.items()
        if library in {name.split('.')[0] for name in imports(path)}
    }
    assert users <= rooms


FORBIDDEN = (  # Flax is about to rename or change the first seven; the others are unsafe or gone
    *(f'nnx.{name}' for name in ('jit', 'grad', 'scan', 'remat', 'Optimizer', 'update', 'Metric')),
    'nnx.with_partitioning',
    'pickle.load',
    'trust_remote_code=True',
    'jax.experimental.pjit',
)


@pytest.mark.parametrize('name', FORBIDDEN)
def test_forbidden_names_do_not_occur(name):
    assert [file for file, path in FILES.items() if name in path.read_text('utf-8')] == []


def test_files_stay_short():
    lines = {file: len(path.read_text('utf-8').splitlines()) for file, path in FILES.items()}
    assert {file: count for file, count in lines.items() if count > 450} == {}
