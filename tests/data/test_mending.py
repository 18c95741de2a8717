"""What of a record can be read without a guess; what becomes of it is in test_squad."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmrc_jax.data import mending
from xmrc_jax.data.cutting import backend_of
from xmrc_jax.data.mending import CHARACTERS, UNITS, Claim, place, unit_of
from xmrc_jax.data.tokenizer import load_tokenizer

TEXT = st.text('ab 🚢é\u0301\r\n', min_size=1, max_size=12)


@given(TEXT, TEXT, TEXT, st.sampled_from(list(UNITS)))
def test_an_offset_in_a_unit_is_found(before, answer, after, unit):
    # A passage of which the parts are whole: no mark or line feed of one belongs to another.
    before, answer = f'{before}.', f'x{answer}'
    claim = Claim(before + answer + after, answer, UNITS[unit](before))
    assert place(claim, unit).start == len(before)


def brute_force(passage, text, measure, start):
    """Every place of a text that has so many units before it."""
    places = (at for at in range(len(passage)) if passage.startswith(text, at))
    return [at for at in places if measure(passage[:at]) == start]


@given(TEXT, st.data())
def test_no_answer_is_placed_where_it_is_not(passage, data):
    text = data.draw(st.text('ab🚢', min_size=1, max_size=2))
    start, unit = data.draw(st.integers(-2, 15)), data.draw(st.sampled_from(list(UNITS)))
    at_offset = brute_force(passage, text, UNITS[unit], start)
    everywhere = brute_force(passage, text, lambda before: 0, 0)
    claim = Claim(passage, text, start)
    if at_offset or len(everywhere) == 1:
        assert place(claim, unit).start in (at_offset or everywhere)
        return
    message = mending.AMBIGUOUS if everywhere else mending.NOT_THERE
    with pytest.raises(ValueError, match=message):
        place(claim, unit)


def test_most_answers_decide_and_equals_are_characters():
    passage = '🚢 a b c'
    characters = [Claim(passage, text, passage.index(text)) for text in 'abc']
    units = [Claim(passage, text, passage.index(text) + 1) for text in 'abc']
    for number in range(4):
        found = unit_of([*characters[number:], *units[:number]])
        assert found == (CHARACTERS if number < 2 else 'UTF-16 units')
    assert unit_of([characters[0], units[1]]) == CHARACTERS
    assert unit_of([]) == CHARACTERS
    # That an answer stands nowhere says nothing of the unit.
    assert unit_of([Claim(passage, 'nowhere', 2)]) == CHARACTERS


@pytest.mark.parametrize(
    ('value', 'expected'),
    [('34', 34), (' 34\n', 34), ('34.0', 34), ('٣٤', 34), (34.0, 34)],
)
def test_a_number_is_read_from_text(value, expected):
    claim, causes = mending.read_claim('', {'text': 'x', 'answer_start': value})
    assert (claim.start, causes) == (expected, (mending.TEXT_AS_START,))


@pytest.mark.parametrize(
    'value', ['', '3 4', '3.5', '9' * 5000, 'x', None, True, 3.5, float('inf'), float('nan'), [3]]
)
def test_no_number_is_guessed(value):
    with pytest.raises(ValueError, match='answer_start missing or not a whole number'):
        mending.read_claim('', {'text': 'x', 'answer_start': value})


def test_a_text_that_is_visible_has_tokens(real_data):
    backend = backend_of(load_tokenizer(real_data / 'tokenizer' / 'xlm-roberta'))
    signs = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    # Private, unassigned and Han characters are alike.
    seen = [sign for sign in signs if mending.is_visible(sign) and not '\u4e00' < sign < '\u9f00']
    seen = [sign for sign in seen if unicodedata.category(sign) != 'Lo' or ord(sign) < 0x10000]
    codes = backend.encode_batch(seen, add_special_tokens=False)
    assert len(seen) > 20_000
    assert [hex(ord(sign)) for sign, code in zip(seen, codes, strict=True) if not code.ids] == []
