"""Which of a reader's parameters a stage trains: all, those from a layer on, or adapters.

Parameters are parted into what is trained, which alone has a gradient and moments, and what is
fixed. The encoder that is trained knows of it (``Tuning.encoder``), so that neither gradients nor
activations of its frozen layers are kept. Outside of training a reader is whole.
"""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp

from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.values import leaf
from xmrc_jax.model import lora, reader
from xmrc_jax.model.architectures import EncoderConfig


@dataclasses.dataclass(frozen=True)
class Tuning:
    """What is frozen. Heads are trained in any case.

    Attributes:
      freeze: -1: nothing; 0: embeddings, relative positions among them; n: and the first n layers.
      lora_rank: of the adapters that are trained in place of what ``freeze`` leaves of the encoder;
        0: no adapters.
    """

    freeze: int = leaf(before=-1, at_least=0, also=-1)
    lora_rank: int = leaf(before=0, at_least=0)

    def encoder(self, encoder: EncoderConfig) -> EncoderConfig:
        """The encoder as it is trained.

        Raises:
          UserError: no layer is left to train, or adapters as large as what they stand beside.
        """
        if self.freeze >= encoder.layers:
            raise UserError(
                f'train.freeze={self.freeze}: the encoder has {encoder.layers} layers, '
                'one of which must be trained'
            )
        if self.lora_rank >= encoder.width:
            raise UserError(
                f'train.lora_rank={self.lora_rank}: must be below the width, {encoder.width}'
            )
        frozen = max(self.freeze, 0)
        return dataclasses.replace(encoder, frozen=frozen, lora_rank=self.lora_rank)

    def adapters(self, encoder: EncoderConfig, seed: int) -> dict:
        """Parameters that a stage has besides those of a whole reader: ``{'adapters': ..}``, or
        none. Traceable."""
        if not self.lora_rank:
            return {}
        fresh = jax.jit(partial(reader.init, self.encoder(encoder)))(jax.random.key(seed))
        return {'adapters': lora.of_blocks(fresh['encoder']['blocks'])}

    def parted(self, params: dict) -> tuple[dict, dict]:
        """The parameters of a stage, with a whole reader, as what is trained and what of the
        encoder is fixed. Traceable."""
        encoder = dict(params['reader']['encoder'])
        if self.freeze > 0:
            lower, upper = slice(self.freeze), slice(self.freeze, None)
            encoder['frozen'], encoder['blocks'] = (
                jax.tree.map(lambda leaf, part=part: leaf[part], encoder['blocks'])
                for part in (lower, upper)
            )
        names = encoder.keys() if self.freeze < 0 else {'blocks'}
        trained = {name: encoder.pop(name) for name in names & encoder.keys() if not self.lora_rank}
        return params | {'reader': params['reader'] | {'encoder': trained}}, encoder


ALL = Tuning(freeze=-1, lora_rank=0)


def joined(trained: dict, fixed: dict) -> dict:
    """The parameters that an objective takes: with the reader of ``Tuning.encoder``. Traceable."""
    encoder = fixed | trained['reader']['encoder']
    others = dict(trained)
    if adapters := others.pop('adapters', None):
        encoder['blocks'] = lora.beside(encoder['blocks'], adapters)
    return others | {'reader': trained['reader'] | {'encoder': encoder}}


def whole(trained: dict, fixed: dict) -> dict:
    """The inverse of ``Tuning.parted``. Traceable."""
    encoder = fixed | trained['reader']['encoder']
    if lower := encoder.pop('frozen', None):
        encoder['blocks'] = jax.tree.map(
            lambda *parts: jnp.concatenate(parts), lower, encoder['blocks']
        )
    return trained | {'reader': trained['reader'] | {'encoder': encoder}}


def merged(reader: dict, adapters: dict) -> dict:
    """A whole reader, or some of its parameters, in which adapters are added up."""
    encoder = reader.get('encoder', {})
    if not adapters or 'blocks' not in encoder:
        return reader
    return reader | {'encoder': encoder | {'blocks': lora.merged(encoder['blocks'], adapters)}}
