"""A reader as StableHLO, which JAX alone runs: on CPU, CUDA and TPU, for any batch and length.

Owns the folder's layout; docs/export.md has the program that loads it.

    reader.stablehlo   ``jax.export``'s file of ``evaluate.predict_step``
    params.npz         the reader's parameters by their paths
    xmrc.json and the tokenizer's files, as beside other exported readers
"""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from xmrc_jax.data.prediction import PredictionBatch
from xmrc_jax.evaluate.predict import predict_step
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import new_folder
from xmrc_jax.recipe.trained import Trained
from xmrc_jax.train.sharding import path_of

PLATFORMS = ('cpu', 'cuda', 'tpu')


def save(folder: Path, own: Trained) -> None:
    """Writes the folder, whole or not at all.

    The function in it takes the parameters by their paths, ids_BL, length_B, passage_B2 and edge_BL
    as ``PredictionBatch`` has them, and gives what ``predict_step`` gives, in float32. L is at
    least the number of answers.

    Raises:
      UserError: an XLM; or the folder is not empty or cannot be written.
    """
    if own.encoder.family == 'xlm':
        raise UserError('this format has no input for the languages that XLM is told; use another')
    leaves, tree = jax.tree_util.tree_flatten_with_path(own.params)
    named = {path_of(path): np.asarray(leaf) for path, leaf in leaves}  # sorted as JAX sorts them
    # The one way of attention that every platform has.
    encoder = dataclasses.replace(own.encoder, attention='plain', dtype='float32')
    k, longest = own.asking.options.n_best, own.asking.options.max_answer_tokens
    most = encoder.positions - encoder.first_position

    def answer(named, ids_BL, length_B, passage_B2, edge_BL):
        params = jax.tree.unflatten(tree, named.values())
        batch = PredictionBatch(ids_BL, length_B, passage_B2, edge_BL, real_B=None)
        return predict_step(params, encoder, batch, k, longest)

    B, L = export.symbolic_shape('B, L', constraints=[f'L >= {k}', f'L <= {most}'])
    of_type = jax.ShapeDtypeStruct
    windows = of_type((B, L), jnp.int32), of_type((B,), jnp.int32), of_type((B, 2), jnp.int32)
    abstract = {path: of_type(array.shape, array.dtype) for path, array in named.items()}
    exported = export.export(jax.jit(answer), platforms=PLATFORMS)(
        abstract, *windows, of_type((B, L), jnp.bool_)
    )
    with new_folder(folder) as part:
        (part / 'reader.stablehlo').write_bytes(exported.serialize())
        np.savez(part / 'params.npz', **named)
        own.tokenizer.save_pretrained(part)
        own.asking.save_pretrained(part)
