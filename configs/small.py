"""The paper's recipe at the size of two cores: real text, a small encoder, a slice of SQuAD.

    python -m xmrc_jax.main --config configs/small.py --workdir runs/small

Without the hub: docs/encoders.md makes the encoder, ``--config.model.weights=FOLDER`` takes it.
"""

from xmrc_jax.configs import paper


def get_config(variant: str = 'two_stage'):
    """Windows, learning rate and slices of a run of an hour or two; the method is the paper's."""
    config = paper.paper_config()
    config.model.update(name='e5_small', dtype='float32')
    config.data.update(
        dev='squad_dev_minus_xquad',  # MLQA's dev sets stand in for its test sets
        tests=(
            *(f'xquad/test/{language}' for language in paper.LANGUAGES),
            *(f'mlqa/dev/{language}' for language in paper.LANGUAGES),
        ),
        max_train_questions=2000,
        max_test_questions=150,
        max_tokens=192,
        stride=64,
        max_question_tokens=32,
    )
    config.train.update(batch_size=16, epochs=2.0, peak_lr=1e-4, checkpoint_every=100)
    return paper.vary(config, variant)
