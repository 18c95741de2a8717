"""What is set off in a passage is whole, and marks add up."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmrc_jax.reporting.passages import direction, excerpt, shaded, whole


@pytest.mark.parametrize(
    ('text', 'span', 'grown'),
    [
        ('कि', (0, 1), (0, 2)),  # ka + vowel sign
        ('क्षमा', (0, 1), (0, 3)),  # ka + virama + ssa: one conjunct
        ('بَيت', (0, 1), (0, 2)),  # ba + fatha
        ('بَيت', (1, 3), (0, 3)),
        ('nào', (0, 3), (0, 3)),
        ('a\u0300b', (1, 3), (0, 3)),
    ],
)
def test_letters_stay_whole(text, span, grown):
    assert whole(text, *span) == grown


@given(st.text('कि्षََبab \u200d', max_size=20), st.data())
def test_no_edge_is_before_a_mark(text, data):
    end = data.draw(st.integers(0, len(text)))
    start = data.draw(st.integers(0, end))
    first, last = whole(text, start, end)
    assert first <= start <= end <= last
    for edge in (first, last):
        if 0 < edge < len(text):
            assert unicodedata.category(text[edge])[0] != 'M'


def test_a_region_changes_no_direction():
    tags = ('ar', 'ar-EG', 'fa', 'de-AT', 'arn')
    assert [direction(tag) for tag in tags] == ['rtl', 'rtl', 'rtl', 'ltr', 'ltr']


def test_overlapping_shades_add_up():
    assert shaded('a<b&c', [(0, 3, 0.25), (2, 5, 0.5)], [(2, 3)]) == [
        ('a<', 0.25, False),
        ('b', 0.75, True),
        ('&c', 0.5, False),
    ]
    assert shaded('ab', [(0, 2, 0.75), (0, 2, 0.5)], [])[0].strength == 1.0


def test_gold_is_found_behind_what_was_cut_off():
    passage = 'word ' * 100 + 'gold' + ' word' * 100
    text, low, high = excerpt(passage, (500, 504), [])
    assert text.startswith('… word')
    assert text.endswith('word …')
    assert text[low:high] == 'gold'


@given(st.text('abc dé हि', min_size=1, max_size=900), st.data())
def test_excerpts_hold_the_gold_answer(passage, data):
    start = data.draw(st.integers(0, len(passage) - 1))
    end = data.draw(st.integers(start + 1, min(len(passage), start + 200)))
    first, last = whole(passage, start, end)
    text, low, high = excerpt(passage, (start, end), [(0, 3), (len(passage) - 1, len(passage))])
    assert text[low:high] == passage[first:last]
    assert len(text) <= 380
