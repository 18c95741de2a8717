"""The rules of the house that a reader relies on: floors, libraries, short files and functions."""

import ast
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pytest

import xmrc_jax

ROOT = Path(xmrc_jax.__file__).parent
TESTS = Path(__file__).parent
CONFIGS = [(f'configs/{path.name}', path) for path in sorted((ROOT / 'configs').glob('**/*.py'))]
FILES = dict(CONFIGS) | {
    str(path.relative_to(ROOT)): path
    for path in sorted(ROOT.rglob('*.py'))
    if path != ROOT / '__init__.py'
}
TREES = {file: ast.parse(path.read_text('utf-8')) for file, path in FILES.items()}

# From the ground up; a room knows only rooms of the floors below its own.
FLOORS = (
    {'ground', 'configs'},
    {'processes', 'data', 'model', 'answers'},
    {'train', 'evaluate'},
    {'reporting'},
    {'recipe'},
    {'main', 'report', 'score', 'export', 'audit', 'predict', 'serve'},
    {'sweep', 'plan', 'evaluate_reader'},
    {'__main__'},
)
BELOW = {
    room: below - rooms
    for rooms, below in zip(FLOORS, accumulate(FLOORS, set.union), strict=True)
    for room in rooms
}
# When the house was rebuilt there were 26 rooms and 103 arrows. A new command is a room, and three
# arrows at most.
MOST_ROOMS, MOST_ARROWS = 21, 76


def room_of(file: str) -> str:
    return Path(file).parts[0].removesuffix('.py')


def imports(tree: ast.AST) -> Iterator[str]:
    """Everything that is imported, at the head or in a function: 'xmrc_jax.data.squad.read'."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'line {node.lineno}: relative import'
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def arrows() -> set[tuple[str, str]]:
    """(room, room that it knows), the room itself left out."""
    return {
        (room_of(file), name.split('.')[1])
        for file, tree in TREES.items()
        for name in imports(tree)
        if name.startswith('xmrc_jax.') and name.split('.')[1] in set(BELOW) - {room_of(file)}
    }


def test_every_room_has_its_floor_and_knows_only_what_lies_below():
    assert set(map(room_of, FILES)) == set(BELOW)
    assert sorted((room, known) for room, known in arrows() if known not in BELOW[room]) == []


def test_there_are_few_rooms_and_few_arrows():
    assert len(BELOW) <= MOST_ROOMS
    assert len(arrows()) <= MOST_ARROWS


def test_the_readme_draws_every_room():
    drawing = (TESTS.parent / 'README.md').read_text('utf-8').split('## Where things are')[1]
    assert [room for room in BELOW if room not in drawing] == []


@pytest.mark.parametrize(
    ('library', 'users'),
    [
        # Text is read without an accelerator, and a score needs no model.
        ('jax', {'processes', 'model', 'answers', 'train', 'evaluate', 'recipe', 'plan'}),
        ('flax', {'model'}),
        ('optax', {'train'}),
        ('orbax', {'train'}),
        ('matplotlib', {'reporting'}),
        ('jinja2', {'reporting'}),
        ('starlette', {'serve'}),
        ('uvicorn', {'serve'}),
    ],
)
def test_libraries_stay_in_their_rooms(library, users):
    assert {room_of(file) for file in files_with(library)} <= users


def files_with(library: str) -> set[str]:
    return {
        file
        for file, tree in TREES.items()
        if library in {name.split('.')[0] for name in imports(tree)}
    }


def test_nobody_but_settings_and_the_flags_knows_a_configdict():
    outside = {file for file in files_with('ml_collections') if room_of(file) != 'configs'}
    assert outside == {'recipe/settings.py', 'main.py'}


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


# -- short -----------------------------------------------------------------------------------------

LONGEST_FILE, LONGEST_FUNCTION = 300, 60  # lines; of a function without its docstring
REASON = 'Long because'  # how the reason begins that a longer one gives at its head


def test_files_are_short():
    lines = {file: path.read_text('utf-8').splitlines() for file, path in FILES.items()}
    long = {file: len(own) for file, own in lines.items() if len(own) > LONGEST_FILE}
    assert {f: n for f, n in long.items() if REASON not in '\n'.join(lines[f][:40])} == {}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def code_lines(function: ast.FunctionDef, source: list[str]) -> int:
    """Lines of a function that are neither blank, nor comment, nor docstring."""
    first = function.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = range(first.lineno, first.end_lineno + 1) if is_docstring else ()
    return sum(
        bool(line.strip()) and not line.strip().startswith('#') and number not in docstring
        for number, line in enumerate(source[function.lineno - 1 :], function.lineno)
        if number <= function.end_lineno
    )


def test_functions_are_short():
    long = {
        f'{file}: {function.name}': lines
        for file, tree in TREES.items()
        for function in functions(tree)
        if REASON not in (ast.get_docstring(function) or '')
        if (lines := code_lines(function, FILES[file].read_text('utf-8').splitlines()))
        > LONGEST_FUNCTION
    }
    assert long == {}


def is_private(name: str) -> bool:
    of_named_tuples = ('_asdict', '_fields', '_make', '_replace')
    return name.startswith('_') and not name.startswith('__') and name not in of_named_tuples


def test_no_test_reaches_for_a_private_name():
    reached = [
        f'{path.relative_to(TESTS)}:{node.lineno}: {node.attr}'
        for path in sorted(TESTS.rglob('*.py'))
        for node in ast.walk(ast.parse(path.read_text('utf-8')))
        if isinstance(node, ast.Attribute) and is_private(node.attr)
        if ast.unparse(node.value) not in ('self', 'cls')
    ]
    reached += [
        f'{path.relative_to(TESTS)}: {name}'
        for path in sorted(TESTS.rglob('*.py'))
        for name in imports(ast.parse(path.read_text('utf-8')))
        if name.startswith('xmrc_jax.') and is_private(name.rpartition('.')[2])
    ]
    assert reached == []


OWN = {path.relative_to(ROOT).with_suffix('') for path in ROOT.rglob('*.py')}


def test_the_tests_mirror_the_package():
    """Every module has a test file of its name, in a folder of its room's."""
    tests = {path.relative_to(TESTS).as_posix() for path in TESTS.rglob('test_*.py')}
    modules = (path for path in sorted(OWN) if path.name != '__init__')
    expected = {path.with_name(f'test_{path.name.strip("_")}.py').as_posix() for path in modules}
    assert sorted(expected - tests) == []
