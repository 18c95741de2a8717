"""Arrays end in their axes: every letter stands in a legend, and means one thing in its room."""

import ast
import re
from pathlib import Path

import pytest

import xmrc_jax

ROOT = Path(xmrc_jax.__file__).parent
ROOMS = sorted(
    path.parent.name for path in ROOT.glob('*/__init__.py') if path.parent.name != 'configs'
)
LETTER = re.compile(r'(?:^|(?<=\s))([A-Z])\s+\w')  # of a legend's lines
SUFFIX = re.compile(r'[a-z]\w*?_((?=\d*[A-Z])[A-Z0-9]+)')


def shared() -> dict[str, str]:
    """Letters of the legend that all rooms share, with the line each stands in."""
    text = xmrc_jax.__doc__.split('mean there:')[1].split('Literals')[0]
    return {letter: line for line in text.splitlines() for letter in LETTER.findall(line)}


def of_room(room: str) -> dict[str, str]:
    """Those that a room explains itself."""
    docstring = ast.get_docstring(ast.parse((ROOT / room / '__init__.py').read_text('utf-8'))) or ''
    lines = docstring.partition('Axes of this room:')[2].splitlines()
    return {line.split()[0]: line for line in lines if line.strip()}


def suffixes(room: str) -> dict[str, str]:
    """Letters at the ends of a room's names, with the last place each was seen."""
    found = {}
    for path in sorted((ROOT / room).glob('*.py')):
        for node in ast.walk(ast.parse(path.read_text('utf-8'))):
            name = getattr(node, 'id', getattr(node, 'arg', getattr(node, 'attr', None)))
            match = SUFFIX.fullmatch(name or '')
            if match:
                letters = re.sub(r'\d', '', match[1])
                found |= dict.fromkeys(letters, f'{path.name}:{node.lineno}: {name}')
    return found


@pytest.mark.parametrize('room', ROOMS)
def test_every_letter_stands_in_a_legend(room):
    known = shared() | of_room(room)
    assert {letter: at for letter, at in suffixes(room).items() if letter not in known} == {}


@pytest.mark.parametrize('room', ROOMS)
def test_no_letter_means_two_things_and_none_is_explained_in_vain(room):
    assert of_room(room).keys() & shared().keys() == set()
    assert of_room(room).keys() - suffixes(room).keys() == set()


def test_the_shared_legend_is_read_whole():
    # What style and method have fixed for all rooms; each letter is explained once.
    assert set('BLMDFHANVKSJWGRPQT') == set(shared())


def test_suffixes_are_found():
    assert {'B', 'L', 'K'} <= suffixes('answers').keys()
    assert SUFFIX.fullmatch('spans_BK2')[1] == 'BK2'
    assert SUFFIX.fullmatch('numbers_5QK')[1] == '5QK'
    for name in ('FIELDS', 'SQUAD_DEV', 'max_tokens', '_HEAD', 'length'):
        assert not SUFFIX.fullmatch(name)
