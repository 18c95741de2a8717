"""The table of corpora: every row can be asked for, and says how it is scored."""

import pytest

from xmrc_jax.data.families import ALIASES, CORPORA, FAMILIES

FIELDS = {'split': 'dev', 'hub_split': 'validation', 'c': 'es', 'q': 'de', 'name': 'spanish'}


@pytest.mark.parametrize('name', FAMILIES)
def test_every_template_is_filled_by_the_fields_of_a_spec(name):
    family = FAMILIES[name]
    templates = [*family.local, *(part for source in family.sources for part in source)]
    assert family.local
    for template in templates:
        assert not {'{', '}'} & set(template.format(**FIELDS))


def test_corpora_of_mlqa_s_kind_are_scored_by_its_script():
    assert {name for name, family in FAMILIES.items() if family.metric == 'mlqa'} == {
        'mlqa',
        'mlqa_translate_train',
        'encyclopedia',
    }
    assert {family.metric for family in FAMILIES.values()} == {'mlqa', 'squad', 'squad2'}


def test_what_is_fetched_has_a_place_of_its_own():
    targets = [
        source._make(part.format(**FIELDS) for part in source).target
        for family in FAMILIES.values()
        for source in family.sources
    ]
    assert len(set(targets)) == len(targets)


def test_an_alias_is_a_corpus():
    assert {alias.split('/')[0] for alias in ALIASES.values()} <= set(CORPORA)
