"""The page of encoders: every row of the table stands in it, with its hub id."""

import re
from pathlib import Path

from xmrc_jax.configs.paper import VARIANTS
from xmrc_jax.model.architectures import HUB_IDS

PAGE = (Path(__file__).parents[2] / 'docs' / 'encoders.md').read_text('utf-8')
TABLE, BEHIND = PAGE.split('\nEach ', 1)
ROWS = [line.split('|')[1:3] for line in TABLE.splitlines() if line.startswith('| `')][1:]


def named(cell):
    return re.findall('`([^`]+)`', cell)


def test_every_encoder_of_the_hub_is_there():
    on_the_hub = {name: hub_id for name, hub_id in HUB_IDS.items() if re.match(r'[\w-]+/', hub_id)}
    found = {name: ids for names, ids in ROWS for name in named(names)}
    assert found.keys() == on_the_hub.keys()
    for name, ids in found.items():
        first, *ends = named(ids)  # 'FacebookAI/xlm-roberta-base', '-large'
        known = {first, *(first.rpartition('-')[0] + end for end in ends)}
        assert on_the_hub[name] in known


def test_each_has_the_variant_that_is_said():
    without = {'xlmr_base', 'minilm', 'xlm_mlm_tlm_xnli15', 'xlm_mlm_100'}
    names = {name for names, _ in ROWS for name in named(names)}
    assert names - VARIANTS.keys() == without
    said = BEHIND.split('(')[0]
    assert {'xlmr_base', 'minilm', 'xlm', 'xlm_100'} == set(named(said))
