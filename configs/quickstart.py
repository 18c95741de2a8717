"""The whole recipe in minutes on two cores, on an embedded corpus, without a network.

python -m xmrc_jax.main --config configs/quickstart.py --workdir runs/quickstart
"""

from xmrc_jax.configs import paper

ALL = tuple(f'encyclopedia/train/{language}' for language in paper.LANGUAGES)
VARIANTS = paper.VARIANTS | paper.on_parallel(ALL)


def get_config(variant: str = 'two_stage'):
    """A reader on the small encoder of the package, trained on all languages of its corpus."""
    config = paper.paper_config()
    config.model.update(name='encyclopedia', dtype='float32')
    config.model.update(dropout=0.0, attention_dropout=0.0)  # one epoch: nothing is seen twice
    config.data.update(
        train=ALL,
        dev='encyclopedia/dev/en',
        tests=tuple(f'encyclopedia/test/{language}' for language in paper.LANGUAGES),
        max_tokens=128,
        stride=32,
        max_question_tokens=32,
        encyclopedia=dict(train_passages=280, dev_passages=25, test_passages=50),
    )
    config.train.update(batch_size=16, epochs=1.0, peak_lr=7e-4, checkpoint_every=250)
    return paper.vary(config, variant, VARIANTS)
