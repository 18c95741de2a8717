"""Two-stage training for cross-lingual extractive question answering, in JAX.

Data walks through the rooms of this package in one direction::

    data       question-answer files -> questions -> windows -> batches
    model      batches -> hidden vectors and span logits
    answers    span logits -> top-k spans, losses, mined candidates
    train      losses -> updated parameters, checkpoints
    evaluate   span logits -> n-best answers -> scores -> records
    reporting  records -> tables, figures, the page

``recipe`` leads it through them as the paper does, and ``main`` is its command.

Arrays of known rank end in their axes, and this is the legend that all rooms share; a room says
in its own ``__init__`` what other letters mean there:

    B windows in a batch      L tokens of a window      M tokens again (attention keys)
    D width                   F width of the MLP        H heads          A width of a head
    N layers                  V vocabulary rows         K candidate spans
    S span lengths            J contrast partners       W windows of a split (host)
    G groups of windows       R rows that windows may share (GRP: of a group)
    P places of a row
    Q questions (host)        T tokens of a split, all windows end to end (host)

Literals stand for fixed sizes: ``spans_BK2`` holds inclusive (start, end) token positions.

A trained reader is asked without any of them::

    from xmrc_jax import Reader

    reader = Reader.load('runs/mlqa')
    best, *others = reader.ask('Who founded it?', 'It was founded by Ada Fenwick.')

``docs/library.md`` has a training loop of one's own. Importing the package loads no JAX.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xmrc_jax.recipe.reader import Answer, Reader

__version__ = '0.1.0'
__all__ = ['Answer', 'Reader']


def __getattr__(name: str):
    """The public names, each loaded when first asked for."""
    if name in __all__:
        from xmrc_jax.recipe import reader

        return getattr(reader, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
