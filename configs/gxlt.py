"""All 49 pairs of MLQA (G-XLT): questions in one language, passages in another.

    python -m xmrc_jax.main --config configs/gxlt.py --workdir runs/gxlt

``results.md`` has a 7 x 7 matrix for each reader.
"""

from xmrc_jax.configs import paper

LANGUAGES = (*paper.LANGUAGES, 'zh')


def get_config(variant: str = 'two_stage'):
    """Training and selection are those of ``mlqa.py``."""
    config = paper.paper_config()
    config.data.tests = tuple(f'mlqa/test/{c}-{q}' for c in LANGUAGES for q in LANGUAGES)
    return paper.vary(config, variant)
