"""A trained reader by the path of its folder, or of one of its checkpoints; without its data."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
from transformers import PreTrainedTokenizerFast

from xmrc_jax.data.windows import load_tokenizer
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import read_json
from xmrc_jax.model import reader
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.recipe.store import Store
from xmrc_jax.train import sharding


class Trained(NamedTuple):
    """All that is needed to ask a reader."""

    params: dict
    encoder: EncoderConfig
    tokenizer: PreTrainedTokenizerFast


def load(path: Path) -> Trained:
    """The reader of a path.

    Args:
      path: a trained reader's folder, whose reported parameters are taken, or one of the folders in
        its ``checkpoints``.

    Raises:
      UserError: there is no trained reader, or not in the working folder of a run.
    """
    path = path.absolute()
    of_checkpoint = path.parent.name == 'checkpoints' and path.name.isdigit()
    folder = path.parent.parent if of_checkpoint else path
    if not of_checkpoint and not (folder / 'selected.json').exists():
        raise UserError(
            f'{path}: no trained reader; name a folder with selected.json '
            'or one of the folders in its checkpoints'
        )
    run = next((parent for parent in folder.parents if (parent / 'encoder.json').exists()), None)
    if run is None:
        raise UserError(f'{path}: not in the working folder of a run (no encoder.json above)')
    encoder = EncoderConfig.of_json(read_json(run / 'encoder.json'))
    abstract = jax.eval_shape(partial(reader.init, encoder), jax.random.key(0))
    store = Store(folder.name, folder.parent, abstract, sharding.make_mesh())
    params = store.load([int(path.name)]) if of_checkpoint else store.reported()
    return Trained(params, encoder, load_tokenizer(run / 'tokenizer'))
