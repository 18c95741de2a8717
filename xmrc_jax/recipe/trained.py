"""A trained reader by its path, without its data: one of a run, or one in Hugging Face's layout."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from jax.sharding import Mesh
from transformers import PreTrainedTokenizerFast

from xmrc_jax.configs.paper import paper_config
from xmrc_jax.data.tokenizer import load_tokenizer
from xmrc_jax.data.windows import WindowSize
from xmrc_jax.evaluate.calibration import UNCALIBRATED, Calibration
from xmrc_jax.ground import values
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import read_json, write_json
from xmrc_jax.ground.values import part
from xmrc_jax.model import reader, weights
from xmrc_jax.model.architectures import PLAIN, EncoderConfig
from xmrc_jax.recipe import settings
from xmrc_jax.recipe.ask import AskOptions
from xmrc_jax.recipe.calibrenet import MARKED
from xmrc_jax.recipe.encoders import fed_by
from xmrc_jax.recipe.store import Store
from xmrc_jax.train import sharding

ASKING = 'xmrc.json'  # beside the weights of an exported reader
READERS = ('two_stage', 'distil', 'lakm', 'base')  # the first that is finished is a folder's


@dataclass(frozen=True)
class Asking:
    """How a reader is asked, as the run that trained it asks it."""

    size: WindowSize = part()
    options: AskOptions = part()
    calibration: Calibration

    @classmethod
    def of(cls, run: settings.Run, calibration: Calibration = UNCALIBRATED) -> 'Asking':
        return cls(run.data.size, run.evaluate.ask, calibration)

    def save_pretrained(self, folder: Path) -> None:
        """Into the folder of an exported reader."""
        write_json(folder / ASKING, values.plain(self))


class Origin(NamedTuple):
    """Where a reader of a run comes from: the run's folder, the system that its records name, the
    checkpoints whose mean it is, and how they were selected; '' where one was named."""

    run: Path
    system: str
    steps: tuple[int, ...]
    selection: str


@dataclass(frozen=True)
class Trained:
    """All that is needed to ask a reader.

    Attributes:
      name: where it was found: a reader's folder, one of its checkpoints, or a hub id.
      params: on the devices of the mesh.
      mesh: of all devices, each with rows of its own.
      asking: how it is asked.
      says_how: whether that is its own; others' readers do not say, and are asked as the paper's.
      origin: of a run's reader; None of another.
    """

    name: str
    params: dict
    encoder: EncoderConfig
    tokenizer: PreTrainedTokenizerFast
    mesh: Mesh
    asking: Asking
    says_how: bool
    origin: Origin | None = None


def named(word: str) -> tuple[str, str]:
    """A reader's name and its source, of NAME=READER; by default the last part of its path.

    Raises:
      UserError: the name has other characters than letters, digits, dots, hyphens, underscores.
    """
    name, equals, source = word.partition('=')
    source = source if equals else word
    name = name if equals else Path(source).name
    if not source or not re.fullmatch(r'\w[\w.-]*', name):
        raise UserError(f'{word}: write NAME=READER, with letters, digits, dots and hyphens')
    return name, source


def offered(words: Sequence[str]) -> dict[str, str]:
    """Sources of readers by their names; a run's working folder stands for all its readers.

    Args:
      words: READER or NAME=READER each, see ``named``.

    Raises:
      UserError: two have the same name, or as ``named``.
    """
    pairs = []
    for word in words:
        finished = _finished(Path(word).expanduser())
        pairs += [(own, str(Path(word) / own)) for own in finished] or [named(word)]
    return by_name(pairs)


def by_name(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Sources by their names; UserError where two have the same."""
    if len(found := dict(pairs)) < len(pairs):
        raise UserError('two readers have the same name; write NAME=READER')
    return found


def _finished(run: Path) -> list[str]:
    """The finished readers of a run's working folder, the one that stands for it first."""
    return [name for name in READERS if (run / name / 'selected.json').exists()]


def load(source: str | Path, selection: str = '') -> Trained:
    """The reader of a path.

    Args:
      source: a run's working folder, of whose readers the first of ``READERS`` is taken; a
        reader's folder in it, whose reported parameters are taken; one of the folders in its
        ``checkpoints``; a folder in Hugging Face's layout, exported from here or not; a hub id.
      selection: of a run's reader: one of ``loop.SELECTIONS`` instead of what it reports.

    Raises:
      UserError: there is no trained reader, it cannot be read, or it has no span head.
    """
    if not str(source):
        raise UserError('no reader is named: the name is empty')
    path = Path(source).expanduser().absolute()
    if (path / 'encoder.json').exists():
        if finished := _finished(path):
            return _of_run(path / finished[0], selection)
        raise UserError(f'{source}: no reader is trained to the end here; let the run go on')
    if (path / 'selected.json').exists():
        return _of_run(path, selection)
    if selection:
        raise UserError(f'{source}: no reader of a run, which has a selection; name one, or none')
    if _is_checkpoint(path):
        return _of_run(path)
    if (path / 'config.json').exists() or _is_hub_id(str(source), path):
        return _of_hugging_face(str(source))
    raise UserError(
        f'{source}: no trained reader; name the working folder of a run, a reader in it '
        '(with selected.json), one of the folders in its checkpoints, or a Hugging Face folder'
    )


def _is_checkpoint(path: Path) -> bool:
    return path.parent.name == 'checkpoints' and path.name.isdigit()


def _is_hub_id(source: str, path: Path) -> bool:
    return not path.exists() and re.fullmatch(r'[\w.-]+(/[\w.-]+)?', source) is not None


def _of_run(path: Path, selection: str = '') -> Trained:
    folder = path.parent.parent if _is_checkpoint(path) else path
    run = next((parent for parent in folder.parents if (parent / 'encoder.json').exists()), None)
    if run is None:
        raise UserError(f'{path}: not in the working folder of a run (no encoder.json above)')
    if folder.name in MARKED:
        raise UserError(f"{path}: a second pass, which needs the base reader's answers; name base")
    encoder = EncoderConfig.of_json(read_json(run / 'encoder.json'))
    mesh = sharding.make_mesh()
    store = Store(folder.name, folder.parent, reader.abstract(encoder), mesh)
    if _is_checkpoint(path):
        selection, system, steps = '', f'{store.name}@{path.name}', [int(path.name)]
    else:
        selection = selection or store.selected.selection
        system, steps = store.chosen(selection)
    asking = Asking.of(settings.read_folder(run), store.calibration(steps))
    tokenizer = load_tokenizer(run / 'tokenizer')
    return Trained(
        str(path),
        store.load(steps),
        encoder,
        tokenizer,
        mesh,
        asking,
        says_how=True,
        origin=Origin(run, system, tuple(steps), selection),
    )


def _of_hugging_face(source: str) -> Trained:
    encoder = EncoderConfig.of(weights.architecture_of(source), PLAIN)
    params = weights.load(source, encoder, {})
    if 'span' not in params:
        raise UserError(
            f'{source}: an encoder without a span head, which answers no questions; train it with '
            'python -m xmrc_jax.main --config.model.name= --config.model.weights=' + source
        )
    tokenizer = load_tokenizer(source)
    asking = _kept(Path(source) / ASKING)
    mesh = sharding.make_mesh()
    return Trained(
        source,
        sharding.spread(params, sharding.of(params, mesh)),
        fed_by(tokenizer, encoder),
        tokenizer,
        mesh,
        asking or _as_the_paper(encoder),
        says_how=asking is not None,
    )


def _kept(path: Path) -> Asking | None:
    """What an exported reader says of itself."""
    if not path.exists():
        return None
    says = read_json(path)
    try:
        return values.build(Asking, says, stored=True)
    except (UserError, AttributeError) as error:
        raise UserError(f'{path}: does not say how the reader is asked: {error}') from None


def _as_the_paper(encoder: EncoderConfig) -> Asking:
    """The paper's lengths, or their like for an encoder that has fewer positions."""
    asking = Asking.of(settings.read(paper_config()))
    own, most = asking.size, encoder.positions - encoder.first_position
    if most >= own.max_tokens:
        return asking
    share = most / own.max_tokens
    size = WindowSize(most, int(own.stride * share), int(own.max_question_tokens * share) or 1)
    return Asking(size, asking.options, UNCALIBRATED)
