"""AdamW as torch computes it, with linear warm-up and linear decay."""

import math
from dataclasses import dataclass

import jax
import numpy as np
import optax

from xmrc_jax.ground.values import leaf
from xmrc_jax.train.sharding import path_of


@dataclass(frozen=True)
class OptimizerConfig:
    """Hyper-parameters of section 4 of the paper; those it leaves out are common practice."""

    peak_lr: float = leaf(above=0)
    warmup: float = leaf(at_least=0, at_most=1)  # share of all steps
    weight_decay: float = leaf(at_least=0)
    decay_biases_and_norms: bool  # False: as run_qa does
    beta1: float = leaf(at_least=0, below=1)
    beta2: float = leaf(at_least=0, below=1)
    eps: float = leaf(above=0)  # at 0 a parameter without gradient moves by 0 / 0
    clip_norm: float = leaf(at_least=0)  # global L2 norm of the gradient; 0 = no clipping
    slot_lr_multiplier: float = leaf(late=True, at_least=0)  # of the learned weights of eq. 5


def schedule(cfg: OptimizerConfig, steps: int) -> optax.Schedule:
    """Linear from 0 to the peak over the warm-up, then linear to 0 at the last step."""
    warmup = math.ceil(cfg.warmup * steps)
    return optax.join_schedules(
        [
            optax.linear_schedule(0.0, cfg.peak_lr, max(warmup, 1)),
            optax.linear_schedule(cfg.peak_lr, 0.0, max(steps - warmup, 1)),
        ],
        [warmup],
    )


def decay(cfg: OptimizerConfig, steps: int, step: int) -> float:
    r"""What the first ``step`` of ``steps`` updates make of a decayed parameter without gradient.

    .. math:: \prod_{s < step} (1 - \eta_s \lambda)

    Such a parameter's moments stay zero, and with them Adam's direction. The product is taken in
    float64; updates in float32 round each time, on average to the same.
    """
    rates = np.asarray(schedule(cfg, steps)(np.arange(step)), np.float64)
    return float(np.prod(1 - rates * cfg.weight_decay))


def _is_slot(path: str) -> bool:
    return path.endswith('slot_logits')


def _where(predicate):
    """A mask over parameters from a predicate on their paths."""
    return lambda params: jax.tree_util.tree_map_with_path(
        lambda key_path, _: predicate(path_of(key_path)), params
    )


def build(cfg: OptimizerConfig, steps: int) -> optax.GradientTransformation:
    """AdamW (Loshchilov and Hutter 2017), decoupled decay, equal to ``torch.optim.AdamW``.

    The learned weights of eq. 5 take no decay and their own learning rate. The row of the padding
    token takes no gradient (the reader sees to it) but, as in torch, the same decay as its table.
    """

    def decayed(path):
        bias_or_norm = path.endswith(('/bias', '/scale'))
        return not _is_slot(path) and (cfg.decay_biases_and_norms or not bias_or_norm)

    return optax.chain(
        optax.clip_by_global_norm(cfg.clip_norm) if cfg.clip_norm else optax.identity(),
        optax.scale_by_adam(cfg.beta1, cfg.beta2, cfg.eps),
        optax.add_decayed_weights(cfg.weight_decay, mask=_where(decayed)),
        optax.masked(optax.scale(cfg.slot_lr_multiplier), _where(_is_slot)),
        optax.scale_by_learning_rate(schedule(cfg, steps)),
    )
