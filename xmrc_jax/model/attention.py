"""Attention between the tokens of a window, where several windows may share a row.

Three ways, which agree, chosen by the device:

* ``by_head`` computes one head after the other. Its scores stay in the cache of a CPU.
* ``plain`` computes all heads at once, for TPUs, and for GPUs where probabilities are dropped.
* ``cudnn`` is cuDNN's fused kernel for GPUs. It computes in bfloat16 and knows no dropout of our
  kind: attention probabilities that are dropped are computed by ``plain``, and so are
  disentangled positions.

None keeps the [P, M] scores or probabilities for the backward pass. Scores and softmax are float32.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from xmrc_jax.model.dropout import Draws, dropped

CHOICES = ('auto', 'by_head', 'plain', 'cudnn')


class Relative(NamedTuple):
    """What disentangled positions add to the scores.

    A query says to which distances it attends, and a key from which it is attended to.

    Attributes:
      query_EHA, key_EHA: projections of the table of relative positions.
      row_RPM: int32 row of that table for each query and key.
    """

    query_EHA: jax.Array
    key_EHA: jax.Array
    row_RPM: jax.Array


def chosen(choice: str, dtype: str, platform: str, relative: bool = False) -> str:
    """What 'auto' means for this dtype on 'cpu', 'gpu' or 'tpu', with disentangled positions or
    without."""
    if choice != 'auto':
        return choice
    if platform == 'gpu' and dtype == 'bfloat16' and not relative:
        return 'cudnn'
    return 'by_head' if platform == 'cpu' else 'plain'


def attend(
    query_RPHA: jax.Array,
    key_RMHA: jax.Array,
    value_RMHA: jax.Array,
    same_RPM: jax.Array,
    *,
    choice: str = 'auto',
    rate: float = 0.0,
    tokens: Draws | None = None,
    position_RM: jax.Array | None = None,
    relative: Relative | None = None,
) -> jax.Array:
    r"""Scaled dot-product attention, [R, P, H, A].

    With disentangled positions a score has three terms, each of the variance of one alone:

    .. math:: (q_i k_j + q_i k'_{r(i,j)} + k_j q'_{r(i,j)}) / \sqrt{3 A}

    Args:
      query_RPHA, key_RMHA, value_RMHA: of the rows, in the dtype of the products.
      same_RPM: True where a token may attend to another; one that may attend to none attends
        evenly to all.
      choice: one of ``CHOICES``.
      rate: of dropout on the probabilities.
      tokens: what the queries draw with; None = no dropout.
      position_RM: position of the keys in their windows, by which they are drawn for.
      relative: of disentangled positions, if any. Reference: He et al. 2021, DeBERTa, eq. 4.
    """
    drops = tokens is not None and rate > 0
    dtype, platform = query_RPHA.dtype.name, jax.default_backend()
    choice = chosen(choice, dtype, platform, relative is not None)
    if choice == 'cudnn' and not drops:
        return jax.nn.dot_product_attention(
            query_RPHA, key_RMHA, value_RMHA, mask=same_RPM[:, None], implementation='cudnn'
        )
    heads = query_RPHA.shape[2]
    terms = 1 if relative is None else 3
    product = partial(jnp.einsum, preferred_element_type=jnp.float32)

    @partial(jax.checkpoint, prevent_cse=False)
    def of_head(query_RPA, key_RMA, value_RMA, head, *of_distance):
        score_RPM = product('rpa,rma->rpm', query_RPA, key_RMA)
        if of_distance:
            query_EA, key_EA = of_distance
            asked_RPE = product('rpa,ea->rpe', query_RPA, key_EA)
            offered_RME = product('rma,ea->rme', key_RMA, query_EA)
            score_RPM += _at(asked_RPE, relative.row_RPM)
            score_RPM += _at(offered_RME, relative.row_RPM.swapaxes(1, 2)).swapaxes(1, 2)
        score_RPM *= (terms * query_RPA.shape[-1]) ** -0.5
        least = jnp.finfo(jnp.float32).min
        weight_RPM = jax.nn.softmax(jnp.where(same_RPM, score_RPM, least)).astype(query_RPA.dtype)
        if drops:
            entry_RPM = (heads * position_RM + head)[:, None]
            queries = tokens.reshape(*query_RPA.shape[:2], 1)
            weight_RPM = dropped(weight_RPM, rate, queries, entry_RPM)
        return jnp.einsum('rpm,rma->rpa', weight_RPM, value_RMA)

    by_head = [jnp.moveaxis(x, 2, 0) for x in (query_RPHA, key_RMHA, value_RMHA)]
    by_head.append(jnp.arange(heads))
    if relative is not None:
        by_head += [jnp.moveaxis(x, 1, 0) for x in relative[:2]]
    if choice == 'by_head':
        attended_HRPA = jax.lax.map(lambda head: of_head(*head), by_head)
    else:
        attended_HRPA = jax.vmap(of_head)(*by_head)
    return jnp.moveaxis(attended_HRPA, 0, 2)


def _at(x_RPE, row_RPM):
    """Of each token the entries that its row of indices names."""
    return jnp.take_along_axis(x_RPE, row_RPM, axis=-1, mode='clip')
