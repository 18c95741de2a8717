"""What a tag behind a file's name means, and when it has to be asked."""

import pytest

from xmrc_jax.data import languages

KNOWN = frozenset({'en', 'es', 'de', 'ar'})


@pytest.mark.parametrize(
    ('written', 'expected'),
    [
        ('es', ('es', 'es')),
        ('yue', ('yue', 'yue')),
        ('pt-BR', ('pt-BR', 'pt-BR')),
        ('zh-Hant', ('zh-Hant', 'zh-Hant')),
        ('zh-Hant-TW', ('zh-Hant-TW', 'zh-Hant-TW')),
        ('es-419', ('es-419', 'es-419')),
        ('es-AR', ('es-AR', 'es-AR')),
        ('es-ar', ('es', 'ar')),  # a region, too; but the corpora's own pairs are written so
        ('fr-en', ('fr', 'en')),
        ('fr-fr', ('fr', 'fr')),
        ('de-gsw', ('de', 'gsw')),  # no region has three letters
        ('pt:br', ('pt', 'br')),
        ('pt-BR:en', ('pt-BR', 'en')),
        ('en:zh-TW', ('en', 'zh-TW')),
    ],
)
def test_a_tag_is_a_language_or_two(written, expected):
    assert languages.pair(written, KNOWN) == expected


@pytest.mark.parametrize(
    ('written', 'message'),
    [
        ('pt-br', '@pt-BR for the region, @pt:br for passages in pt and questions in br'),
        ('zh-tw', '@zh-TW for the region, @zh:tw for'),
        ('', "no language ''"),
        ('spanish', "no language 'spanish'"),
        ('es:', "no language 'es:'"),
        ('es:en:de', "no language 'es:en:de'"),
        ('ES', "no language 'ES'"),
        ('zh-hant', "no language 'zh-hant'; end in one such as @es or @pt-BR"),
    ],
)
def test_what_may_be_either_is_asked_and_what_is_neither_refused(written, message):
    with pytest.raises(ValueError, match=message):
        languages.pair(written, KNOWN)


def test_the_language_is_what_a_tag_begins_with():
    assert [languages.primary(tag) for tag in ('es', 'pt-BR', 'zh-Hant-TW')] == ['es', 'pt', 'zh']
