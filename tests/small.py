"""The whole recipe, small enough for a test: quickstart's configuration with less of everything,
and a random start.

Also a configuration file of its own, for tests that run the command.
"""

from xmrc_jax.configs import quickstart
from xmrc_jax.recipe import settings


def get_config(variant: str = 'two_stage'):
    """72 questions in two languages: 6 steps of 16 windows in each stage, saved every 3.

    Every batch holds a window of 64 tokens, so that a stage trains, and a reader answers, in one
    shape: compiling is nearly all that these runs do.
    """
    config = quickstart.get_config(variant)
    with config.unlocked():
        config.model.update(name='tiny', weights='', tokenizer='train')
        config.train.peak_lr = 2e-3
        config.data.update(
            train=('encyclopedia/train/en', 'encyclopedia/train/hi'),
            tests=('encyclopedia/test/en', 'encyclopedia/test/hi'),
            max_tokens=64,
            stride=16,
            encyclopedia=dict(train_passages=9, dev_passages=2, test_passages=2),
        )
        config.train.update(batch_size=16, epochs=1.0, checkpoint_every=3, log_every=1)
        config.mine.update(candidates=5, block=40)
        config.two_stage.update(spans=10)
        config.evaluate.update(batch_size=16)
    return config


def small(**changes) -> settings.Run:
    """The same as a value, with some leaves changed."""
    return settings.vary(settings.read(get_config()), changes)
