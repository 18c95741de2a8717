"""XQuAD as parallel text in miniature: 190 of its 240 paragraphs train, 50 test, in six languages.

    python -m benchmarks.xquad_split --data DATA --output xquad_split
    python -m xmrc_jax.main --config configs/xquad_split.py:lbmrc --workdir runs/xquad_lbmrc

The first command writes the files, the second reads them where it is given. A method's run on real
sentences that are translations of each other; not the paper's experiment, which trains on SQuAD.
"""

from xmrc_jax.configs import paper, small

FOLDER = 'xquad_split'
ALL = tuple(f'{FOLDER}/train/{language}.json@{language}' for language in paper.LANGUAGES)
VARIANTS = paper.VARIANTS | paper.on_parallel(ALL)


def get_config(variant: str = 'two_stage'):
    """The sizes are those of ``small.py``; no paragraph is left to choose a checkpoint on."""
    config = small.get_config()
    with config.unlocked():
        config.data.update(
            train=ALL,
            dev='',
            tests=tuple(f'{FOLDER}/test/{each}.json@{each}' for each in paper.LANGUAGES),
            max_train_questions=0,
            max_test_questions=0,
        )
        config.train.selection = 'last'
        config.evaluate.metric = 'squad'  # XQuAD's
    return paper.vary(config, variant, VARIANTS)
