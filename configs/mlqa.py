"""The paper's experiment on MLQA: train on SQuAD, select on English dev, test in six languages.

python -m xmrc_jax.main --config configs/mlqa.py --workdir runs/mlqa
python -m xmrc_jax.main --config configs/mlqa.py:infoxlm_base,no_contrast --workdir runs/ablation
"""

from xmrc_jax.configs import paper


def get_config(variant: str = 'two_stage'):
    """Zero-shot MLQA (table 5); ``variant`` names one or more of ``paper.VARIANTS``."""
    config = paper.paper_config()
    config.data.tests = tuple(f'mlqa/test/{language}' for language in paper.LANGUAGES)
    return paper.vary(config, variant)
