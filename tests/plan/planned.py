"""What the tests of plans share: small configurations, simulated devices."""

import dataclasses

import jax

from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig
from xmrc_jax.plan import topologies
from xmrc_jax.train.chips import CHIPS

SMOKE = 'configs/mlqa.py:smoke'


SMALL = (
    '--config.data.max_tokens=32',
    '--config.two_stage.spans=8',
    '--config.mine.candidates=4',
    "--config.recipe=('base','score')",
)


def of(name):
    return EncoderConfig.of(ENCODERS[name], PLAIN)


def simulated(chip=None, name='cpu:8'):
    return topologies.Topology(name, jax.devices(), chip)


def printed_bytes(text, label):
    line = next(line for line in text.splitlines() if line.strip().startswith(label))
    number, unit = line.strip().removeprefix(label).split()[:2]
    return float(number) * {'kB': 1e3, 'MB': 1e6, 'GB': 1e9}[unit]


def tight(memory):
    return dataclasses.replace(CHIPS['v5e'], memory=memory)
