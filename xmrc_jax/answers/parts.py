"""Folders in which something is kept for every training question, one part to a block of questions.

Owns their manifest, which says what they were made from and of what size they are, and which parts
are still to be made. Refuses to know what is in a part.

A folder holds ``manifest.json`` (format, binding, sizes) and ``part-{first question}{end}``. Every
file appears whole or not at all, so whoever makes it can be killed at any time and goes on with the
parts that are missing.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import write_json

FORMAT = 1


class Binding(NamedTuple):
    """What a folder's parts were made from: ids or content hashes, compared as they are."""

    checkpoint: str
    tokenizer: str
    text: str


class Parts:
    """The parts of a folder.

    Args:
      folder: where they lie.
      size: what the manifest says of it: ``questions``, ``block`` and what else its owner wants.
      end: of the parts' file names.
    """

    def __init__(self, folder: str | Path, size: Mapping[str, int], end: str):
        self.folder, self.size, self._end = Path(folder), dict(size), end
        questions, block = size['questions'], size['block']
        self.blocks = [slice(lo, min(lo + block, questions)) for lo in range(0, questions, block)]

    @classmethod
    def begun(
        cls, folder: str | Path, binding: Binding, size: Mapping[str, int], end: str
    ) -> 'Parts':
        """Parts in the making; those of a folder that was begun before are gone on with.

        Raises:
          UserError: the folder is of another binding or size, does not say of which, is damaged or
            not writable.
        """
        folder = Path(folder)
        if (folder / 'manifest.json').exists():
            before = _size(folder, binding, size)
            if before != size:
                raise UserError(
                    f'{folder}: begun with {before}, not {size}; '
                    'go on with those values, or delete it to make it again'
                )
        elif any(folder.glob(f'part-*{end}')):
            raise UserError(f'{folder}: parts without a manifest.json; delete it to make it again')
        else:
            manifest = {'format': FORMAT, 'binding': binding._asdict(), **size}
            write_json(folder / 'manifest.json', manifest)
        return cls(folder, size, end)

    @classmethod
    def finished(
        cls, folder: str | Path, binding: Binding, names: Sequence[str], end: str
    ) -> 'Parts':
        """Parts to be read, all of them.

        Args:
          folder: where they lie.
          binding: what they must have been made from.
          names: of the sizes.
          end: of the parts' file names.

        Raises:
          UserError: absent, unfinished, damaged, or made from something else, which the line names.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise UserError(f'{folder}: not there; first run the step that makes it')
        parts = cls(folder, _size(folder, binding, names), end)
        if missing := len(parts.missing()):
            raise UserError(
                f'{folder}: {missing} of {len(parts.blocks)} parts are not made yet; '
                'let the step that makes them go on'
            )
        return parts

    def path(self, rows: slice) -> Path:
        """The file of a block."""
        return self.folder / f'part-{rows.start:08d}{self._end}'

    def missing(self) -> list[slice]:
        """The blocks of questions whose part is still to be made, in order."""
        return [rows for rows in self.blocks if not self.path(rows).exists()]


def damaged(path: Path) -> UserError:
    """What is said of a part that cannot be read."""
    return UserError(f'{path}: damaged; delete this file and go on with the step that makes it')


def _size(folder: Path, binding: Binding, names: Sequence[str] | Mapping) -> dict[str, int]:
    """What the manifest says, if it is of what the folder should have been made from."""
    try:
        manifest = json.loads((folder / 'manifest.json').read_text(encoding='utf-8'))
        found = Binding(**manifest['binding'])
        if manifest['format'] != FORMAT:
            raise ValueError('another format')
        size = {name: manifest[name] for name in names}
        if min(size[name] - (name != 'questions') for name in names) < 0:
            raise ValueError('impossible size')
    except (OSError, ValueError, KeyError, TypeError) as error:
        line = 'missing, damaged or of another version; delete the folder to make it again'
        raise UserError(f'{folder}/manifest.json: {line}') from error
    compared = zip(Binding._fields, found, binding, strict=True)
    other = [f'{field} {was}, not {now}' for field, was, now in compared if was != now]
    if other:
        raise UserError(f'{folder}: made from {"; from ".join(other)}; delete it to make it again')
    return size
