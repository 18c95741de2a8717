"""The paper's experiment on XQuAD: train on SQuAD, test in six languages.

    python -m xmrc_jax.main --config configs/xquad.py --workdir runs/xquad

XQuAD's questions lie inside SQuAD dev, so the reader is selected on the rest of it.
"""

from xmrc_jax.configs import paper


def get_config(variant: str = 'two_stage'):
    """Zero-shot XQuAD (table 6); ``variant`` names one or more of ``paper.VARIANTS``."""
    config = paper.paper_config()
    config.data.dev = 'squad_dev_minus_xquad'
    config.data.tests = tuple(f'xquad/test/{language}' for language in paper.LANGUAGES)
    return paper.vary(config, variant)
