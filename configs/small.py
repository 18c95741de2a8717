"""The paper's recipe at the size of two cores, on real text: a small BERT, a slice of SQuAD.

    python -m xmrc_jax.main --config configs/small.py --workdir runs/small

The encoder has seen English only: scores in other languages say what shared names, numbers and
letters give away, no more. Of the paper's languages those are left out whose scripts its
vocabulary spells letter by letter.
"""

from xmrc_jax.configs import paper

LANGUAGES = ('en', 'es', 'de', 'vi')


def get_config(variant: str = 'two_stage'):
    """Windows, learning rate and slices of a run of minutes; the method is the paper's."""
    config = paper.paper_config()
    config.model.update(name='minilm', dtype='float32', attention_dropout=0.0)
    config.data.update(
        dev='squad_dev_minus_xquad',  # MLQA's dev sets stand in for its test sets
        tests=(
            *(f'xquad/test/{language}' for language in LANGUAGES),
            *(f'mlqa/dev/{language}' for language in LANGUAGES),
        ),
        max_train_questions=1200,
        max_test_questions=80,
        max_tokens=160,
        stride=48,
        max_question_tokens=32,
    )
    config.train.update(epochs=2.0, peak_lr=1e-4, checkpoint_every=50)
    return paper.vary(config, variant)
