"""Whole-phrase masking: the share, whole phrases, three fates, and the same batch for all."""

import numpy as np
import pytest

from xmrc_jax.data.masking import Masking, chosen, maskable
from xmrc_jax.data.recovery import PROMPT
from xmrc_jax.data.squad import Answer, Question
from xmrc_jax.data.windows import WindowSize, build

MASK, SHARE = 2, 0.15  # a token that no passage has
WORDS = ['Ada', 'Fenwick', 'founded', 'Lantern', 'Society', 'September', '1876', 'Lisbon', 'by']


@pytest.fixture(scope='module')
def texts():
    """40 texts of 50 words and the phrases of one to three words that they are made of."""
    random, made = np.random.default_rng(0), []
    for _ in range(40):
        text, spans = '', []
        while text.count(' ') < 50:
            phrase = ' '.join(random.choice(WORDS, random.integers(1, 4)))
            spans.append((len(text), len(text) + len(phrase)))
            text += phrase + ' '
        made.append((text.strip(), np.array(spans)))
    return made


@pytest.fixture(scope='module')
def windows(texts, tokenizer):
    questions = [
        Question(str(number), PROMPT, text, (Answer(0, text[: spans[0, 1]]),))
        for number, (text, spans) in enumerate(texts)
    ]
    return build(questions, tokenizer, WindowSize(300, 8, 8))


def masking(windows, texts, **changes):
    shape = {'share': SHARE, 'mask_id': MASK, 'batch_size': 8, 'max_tokens': 300, 'seed': 1}
    return Masking(windows, [spans for _, spans in texts], **shape | changes)


def test_phrases_are_masked_whole_and_come_to_the_share(windows, texts):
    drawn = masking(windows, texts)
    chosen_tokens = all_tokens = 0
    fates = {'mask': 0, 'same': 0, 'other': 0}
    for step in range(10):  # two epochs
        batch, windows_B = drawn.batch_at(step), drawn.questions_at(step)
        assert batch.real_B.all()
        for row, window in enumerate(windows_B):
            first, past = windows.bounds_W2[window]
            before_L, after_L = windows.ids_T[first:past], batch.ids_BL[row, : past - first]
            places = batch.masked_BZ[row][batch.masked_BZ[row] >= 0]
            assert len(set(places.tolist())) == len(places)
            targets = batch.target_BZ[row, : len(places)]
            assert targets.tolist() == before_L[places].tolist()
            untouched = np.setdiff1d(np.arange(past - first), places)
            assert (after_L[untouched] == before_L[untouched]).all()
            # The places are those of whole phrases, each of which has one fate.
            spans_K2 = windows.locate(window, texts[window][1])
            whole = [range(lo, hi + 1) for lo, hi in spans_K2 if lo in places]
            assert sorted(place for own in whole for place in own) == sorted(places)
            for own in map(list, whole):
                masked, same = after_L[own] == MASK, after_L[own] == before_L[own]
                assert masked.all() or not masked.any()
                fates['mask' if masked.all() else 'same' if same.all() else 'other'] += 1
            chosen_tokens += len(places)
            all_tokens += np.diff(windows.passage_W2[window])[0]
    assert chosen_tokens / all_tokens == pytest.approx(SHARE, abs=0.01)
    shares = {fate: count / sum(fates.values()) for fate, count in fates.items()}
    assert shares == pytest.approx({'mask': 0.8, 'same': 0.1, 'other': 0.1}, abs=0.05)


def test_a_batch_is_a_function_of_seed_and_step_and_each_process_builds_its_rows(windows, texts):
    whole, again, other = (masking(windows, texts, seed=seed).batch_at(3) for seed in (1, 1, 2))
    for name, values in whole._asdict().items():
        if values is not None:
            np.testing.assert_array_equal(getattr(again, name), values)
    assert (other.masked_BZ != whole.masked_BZ).any()
    part = masking(windows, texts).batch_at(3, np.array([2, 5]))
    for name, values in whole._asdict().items():
        if values is not None:
            np.testing.assert_array_equal(getattr(part, name), values[[2, 5]], name)
    assert (masking(windows, texts).batch_at(4).masked_BZ != whole.masked_BZ).any()


def test_rows_that_fill_a_batch_up_are_not_masked(windows, texts):
    last = masking(windows, texts, batch_size=16).batch_at(2)  # 40 windows by 16
    assert last.real_B.tolist() == [True] * 8 + [False] * 8
    assert (last.masked_BZ[8:] == -1).all()
    assert (last.masked_BZ[:8, 0] >= 0).all()


@pytest.mark.parametrize('share', [0.01, 0.15, 0.9])
def test_windows_are_drawn_in_which_something_is_masked_and_no_others(share, windows, texts):
    drawn = masking(windows, texts, share=share)
    seen = []
    for step in range(drawn.steps(1)):
        batch = drawn.batch_at(step)
        np.testing.assert_array_equal((batch.masked_BZ >= 0).any(axis=1), batch.real_B)
        seen += drawn.questions_at(step).tolist()  # a window each
    maskable_W = maskable(windows, [spans for _, spans in texts], share, 300)
    assert sorted(seen) == np.flatnonzero(maskable_W).tolist()
    assert not maskable(windows, [spans for _, spans in texts], 0.001, 300).any()


@pytest.mark.parametrize(
    ('spans', 'budget', 'most', 'tokens'),
    [
        ([(0, 1), (2, 3), (4, 5)], 4, 9, 4),
        ([(0, 9)], 4, 20, 0),  # ten tokens are further from four than none
        ([(0, 5)], 4, 20, 6),
        ([(0, 5)], 4, 5, 0),  # no more places than that
        ([(0, 3), (3, 6)], 8, 9, 4),  # phrases that share a token
        ([(-1, -1)], 4, 9, 0),
        ([(0, 0)], 0.4, 9, 0),
        ([(0, 0)], 0.6, 9, 1),
    ],
)
def test_whole_phrases_come_as_near_as_they_can(spans, budget, most, tokens):
    for seed in range(5):
        found = chosen(np.array(spans), budget, most, np.random.default_rng(seed))
        assert set(found) <= set(spans)
        assert sum(end + 1 - start for start, end in found) == tokens
