"""What a configuration says of sizes and methods, told without reading any data."""

import dataclasses

from ml_collections import ConfigDict

from xmrc_jax.ground.choices import choose
from xmrc_jax.model.encoder import ENCODERS, HUB_IDS, Computation, EncoderConfig
from xmrc_jax.model.weights import architecture_of
from xmrc_jax.train.objective import TwoStage
from xmrc_jax.train.optimizer import OptimizerConfig


def weights(model: ConfigDict) -> str:
    """Hub id or folder of the pretrained weights; '' for a random start."""
    return HUB_IDS.get(model.name, '') if model.weights == 'hub' else model.weights


def encoder(model: ConfigDict) -> EncoderConfig:
    """The encoder; its vocabulary is the table's, whatever the tokenizer.

    Raises:
      UserError: no such row, impossible values; without a name, a folder that cannot be read.
    """
    if model.name:
        architecture = choose(ENCODERS, model.name, 'model.name')
    else:
        architecture = architecture_of(weights(model))
    return EncoderConfig.of(architecture, chosen(Computation, model))


def global_batch(train: ConfigDict, devices: int) -> int:
    """Windows of the global batch on that many devices."""
    sizes = {'run': train.batch_size, 'device': train.batch_size * devices}
    return choose(sizes, train.batch_size_per, 'train.batch_size_per')


def optimizer(train: ConfigDict) -> OptimizerConfig:
    """AdamW's hyper-parameters."""
    return chosen(OptimizerConfig, train)


def two_stage(config: ConfigDict) -> TwoStage:
    """The readings of the method."""
    return chosen(
        TwoStage,
        dict(config.two_stage)
        | {
            'candidates': config.mine.candidates,
            'max_answer_tokens': config.evaluate.max_answer_tokens,
        },
    )


def chosen(kind: type, options):
    """A dataclass from the options that it has fields for."""
    return kind(**{f.name: options[f.name] for f in dataclasses.fields(kind) if f.name in options})
