"""Options of the paper's configuration, at the size of the tests' readers."""

from xmrc_jax.configs.paper import paper_config
from xmrc_jax.recipe import settings
from xmrc_jax.train.loop import LoopConfig
from xmrc_jax.train.optimizer import OptimizerConfig
from xmrc_jax.train.two_stage import Method

CANDIDATES, MAX_ANSWER_TOKENS = 3, 8  # |Z| of the mined fixture, and the longest span of A


def paper(**changes) -> settings.Run:
    """The paper's run with other leaves, whose dots are written as ``__``."""
    leaves = {name.replace('__', '.'): value for name, value in changes.items()}
    return settings.vary(settings.read(paper_config()), leaves)


def optimizer(**changes) -> OptimizerConfig:
    return paper(**{f'train.{name}': value for name, value in changes.items()}).train.optimizer


def loop(**changes) -> LoopConfig:
    return paper(**{f'train.{name}': value for name, value in changes.items()}).train.loop


def method(**changes) -> Method:
    small = {'spans': 8} | changes
    leaves = {f'two_stage.{name}': value for name, value in small.items()}
    return paper(mine__candidates=CANDIDATES, **leaves).method.reading
