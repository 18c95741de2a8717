"""Batches are a pure function of (seed, step), and every process can build its own rows."""

from dataclasses import replace

import numpy as np
import pytest

from xmrc_jax.data.batches import Batches
from xmrc_jax.data.windows import Windows
from xmrc_jax.ground.errors import UserError

PAD = 99


def make_windows(lengths, golds=None, repeats=()):
    """Window w: tokens 0 = start, 1 = question, 2.. = passage, last = end; ids count up over T."""
    past_W = np.cumsum(lengths)
    count = len(lengths)
    chars_T2 = np.full((past_W[-1], 2), -1, np.int32)
    passage_W2 = np.array([[2, length - 1] for length in lengths], np.int32)
    for past, length in zip(past_W, lengths, strict=True):
        for token in range(2, length - 1):
            chars_T2[past - length + token] = (2 * token, 2 * token + 1)
    golds = [(2, 3)] * count if golds is None else golds
    gold_rows = [(w, *gold) for w, gold in enumerate(golds) if gold[0] >= 0]
    return Windows(
        ids_T=np.arange(past_W[-1], dtype=np.int32) + 1000,
        chars_T2=chars_T2,
        bounds_W2=np.stack([past_W - lengths, past_W], axis=1),
        question_W2=np.tile(np.int32([1, 2]), (count, 1)),
        passage_W2=passage_W2,
        gold_W2=np.array(golds, np.int32),
        question_W=np.arange(count, dtype=np.int32) // 2,  # two windows to a question
        repeats_C3=np.array(sorted({*gold_rows, *repeats}), np.int32),
        pad_id=PAD,
        key='key',
    )


@pytest.fixture
def windows():
    return make_windows([6, 9, 7, 8, 6, 10, 7])


def batches(windows, **changes):
    return Batches(windows, **({'batch_size': 3, 'max_tokens': 12, 'seed': 7} | changes))


def seen(batch, windows):
    """The windows of a batch's real rows, told by their first token."""
    starts = (windows.bounds_W2[:, 0] + 1000).tolist()
    return [starts.index(id_) for id_ in batch.ids_BL[batch.real_B, 0]]


def test_an_epoch_sees_every_window_once_in_another_order(windows):
    drawn = batches(windows)
    assert drawn.steps(1) == 3  # 7 windows by 3
    epochs = [
        [w for step in range(3) for w in seen(drawn.batch_at(3 * epoch + step), windows)]
        for epoch in range(3)
    ]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in [*epochs, range(7)]}) == 4
    last = drawn.batch_at(2)
    assert last.real_B.tolist() == [True, False, False]
    assert last.ids_BL.shape == (3, 12)


# Eight windows of questions 0 to 3 in one language and two of question 4 in another.
LANGUAGE_Q = np.array([0, 0, 0, 0, 1])


def of_languages(temperature, seed=7):
    return batches(
        make_windows([6] * 10),
        batch_size=4,
        language_Q=LANGUAGE_Q,
        temperature=temperature,
        seed=seed,
    )


def epoch(drawn, number):
    steps = range(number * drawn.steps(1), (number + 1) * drawn.steps(1))
    return [window for step in steps for window in drawn.windows_at(step).tolist()]


@pytest.mark.parametrize(
    ('temperature', 'draws'),
    [
        (1.0, [10]),  # nothing to balance: all windows once
        # Shares of 10 draws: sqrt(8) : sqrt(2) = 2 : 1, so 6.67 and 3.33.
        (2.0, [7, 3]),
        (np.inf, [5, 5]),
        (0.5, [9, 1]),  # 64 : 4, so 9.41 and 0.59: the larger remainder gets the tenth
    ],
)
def test_languages_share_an_epoch_by_temperature(temperature, draws):
    drawn = of_languages(temperature)
    assert drawn.draws == draws
    assert drawn.steps(1) == 3  # 10 draws by 4, whatever the shares
    for number in range(4):
        windows = epoch(drawn, number)
        assert len(windows) == 10
        if temperature != 1:
            assert sum(window < 8 for window in windows) == draws[0]


@pytest.mark.parametrize('temperature', [1.0, 2.0, np.inf, 0.5])
def test_no_window_is_drawn_again_before_the_others_of_its_language(temperature):
    drawn = of_languages(temperature)
    for own in (set(range(8)), {8, 9}):
        drawn_own = [w for number in range(9) for w in epoch(drawn, number) if w in own]
        passes = len(drawn_own) // len(own)
        assert passes >= 3
        for number in range(passes):
            assert set(drawn_own[number * len(own) :][: len(own)]) == own
    assert of_languages(temperature, seed=8).windows_at(0).tolist() != drawn.windows_at(0).tolist()


def test_any_step_of_sampled_languages_is_reached_without_those_before_it():
    # What a resumed run and every process rely on.
    drawn = of_languages(2.0)
    before = [drawn.windows_at(step).tolist() for step in range(12)]
    for step in reversed(range(12)):
        assert of_languages(2.0).windows_at(step).tolist() == before[step]
    rows = [of_languages(2.0).batch_at(4, np.arange(lo, lo + 2)).ids_BL for lo in (0, 2)]
    assert np.array_equal(np.concatenate(rows), drawn.batch_at(4).ids_BL)


def test_temperature_1_is_what_no_languages_are(windows):
    languages = np.arange(4) % 2  # of the questions of seven windows
    plain, same = batches(windows), batches(windows, language_Q=languages)
    for step in range(7):
        assert np.array_equal(plain.windows_at(step), same.windows_at(step))
    # And what every epoch was before there were languages: default_rng([seed, epoch]).
    expected = np.random.default_rng([7, 2]).permutation(7)
    assert np.array_equal(epoch(plain, 2), expected)


def test_a_batch_is_a_function_of_seed_and_step(windows):
    drawn, again = batches(windows), batches(windows)
    backwards = [again.batch_at(step) for step in reversed(range(8))][::-1]
    for step, batch in enumerate(backwards):
        for name, value in drawn.batch_at(step)._asdict().items():
            np.testing.assert_array_equal(value, getattr(batch, name), name)
    other = batches(windows, seed=8)
    assert any(
        not np.array_equal(other.batch_at(step).ids_BL, backwards[step].ids_BL) for step in range(3)
    )


@pytest.mark.parametrize('step', [0, 1])  # the second is padded: 7 windows by 4
def test_rows_are_rows_of_the_global_batch(windows, step):
    spans_WK2 = np.arange(7 * 4 * 2).reshape(7, 4, 2)
    valid_WK = np.arange(28).reshape(7, 4) % 3 > 0
    targets = [np.arange(4 * n, dtype=np.float16).reshape(n, 2, 2) for n in windows.length_W]
    mined = {'candidates': (spans_WK2, valid_WK), 'targets': targets}
    of_windows = np.arange(14).reshape(7, 2)
    marked = replace(windows, mark_W2=of_windows, language_W2=of_windows)
    drawn = batches(marked, batch_size=4, **mined)
    whole = drawn.batch_at(step)
    for rows in (slice(0, 2), slice(2, 4), slice(1, 2), slice(0, 4)):
        part = drawn.batch_at(step, rows)
        for name, values in whole._asdict().items():
            if name != 'token_GRP':
                np.testing.assert_array_equal(getattr(part, name), values[rows], name)


def test_windows_share_rows():
    windows = make_windows([6, 9, 7, 8, 16, 10, 7, 5])
    drawn = batches(windows, batch_size=8, max_tokens=16)
    # 68 tokens, 8.5 a window, so 8 windows fill 4.25 rows of 16, and 4 fill 2.1: four rows of 24
    # places have more than five of 16.
    for groups, size, rows in ((1, 8, 5), (2, 4, 2), (8, 1, 1)):
        (layout,) = drawn.layouts(1, groups)
        batch = drawn.batch_at(0, layout=layout)
        token_GRP = batch.token_GRP
        assert token_GRP.dtype == np.int32
        assert token_GRP.shape[:2] == (groups, rows)
        fullest = (token_GRP < size * 16).sum(axis=2).max()
        assert token_GRP.shape == layout
        assert token_GRP.shape[2] == -(-fullest // 8) * 8
        for group in range(groups):
            own = slice(group * size, (group + 1) * size)
            ids_N = batch.ids_BL[own].ravel()
            seen = []
            for token_P in token_GRP[group]:
                filled = token_P < size * 16
                assert (np.diff(filled.astype(int)) <= 0).all()  # empty places are behind
                token_P = token_P[filled]
                window_P, position_P = np.divmod(token_P, 16)
                # Whole windows, each from its first token on, one after the other.
                begins = np.flatnonzero(position_P == 0)
                for begin, end in zip(begins, [*begins[1:], len(token_P)], strict=True):
                    assert (window_P[begin:end] == window_P[begin]).all()
                    assert position_P[begin:end].tolist() == list(range(end - begin))
                    assert batch.length_B[own][window_P[begin]] == end - begin
                    assert (ids_N[token_P[begin:end]] != windows.pad_id).all()
                    seen.append(int(window_P[begin]))
            assert sorted(seen) == list(range(size))
        others, apart = batch._replace(token_GRP=None), drawn.batch_at(0)
        for name, values in apart._asdict().items():  # windows stay where they are
            np.testing.assert_array_equal(values, getattr(others, name), name)
    # A process that holds the second group alone packs it as the one that holds all.
    (layout,) = drawn.layouts(1, 2)
    own = drawn.batch_at(0, np.arange(4, 8), layout).token_GRP
    np.testing.assert_array_equal(own, drawn.batch_at(0, layout=layout).token_GRP[1:])


def test_rows_are_filled_evenly():
    """Longest first into the emptiest of three rows: 90+20+10, 60+50, 50+40+20 places."""
    windows = make_windows([20, 50, 90, 10, 60, 40, 50, 20])  # 340 tokens of 8 x 110
    drawn = batches(windows, batch_size=8, max_tokens=110)
    assert drawn.layouts(1, 1) == [(1, 3, 120)]
    token_GRP = drawn.batch_at(0, layout=(1, 3, 120)).token_GRP
    assert sorted((token_GRP[0] < 880).sum(axis=1).tolist()) == [110, 110, 120]


def test_only_the_own_rows_are_read(windows):
    class Counting:
        read = 0

        def __getitem__(self, item):
            Counting.read += 1
            return windows.ids_T[item]

    drawn = batches(replace(windows, ids_T=Counting()))
    drawn.batch_at(0, slice(1, 2))
    assert Counting.read == 1


def test_every_field_of_a_row(windows):
    # Window 3 has 8 tokens: its passage is [2, 7); the gold text stands at (2, 3) and (5, 6).
    windows = make_windows([6, 9, 7, 8], repeats=[(3, 5, 6), (1, 4, 4)])
    windows.chars_T2[22 + 4] = (9, 8)  # token 4 of window 3 is a blank piece
    spans_WK2 = np.arange(8).reshape(4, 1, 2)
    drawn = batches(
        windows,
        batch_size=4,
        max_tokens=10,
        group_Q=np.array([11, 12]),
        candidates=(spans_WK2, np.array([[0], [0], [0], [1]])),
    )
    batch = drawn.batch_at(0)
    row = seen(batch, windows).index(3)
    expected = {
        'ids_BL': [*range(1022, 1030), PAD, PAD],
        'length_B': 8,
        'question_B2': [1, 2],
        'passage_B2': [2, 7],
        'edge_BL': [token in (2, 3, 5, 6) for token in range(10)],
        'gold_B2': [2, 3],
        'repeat_end_BL': [-1, -1, 3, -1, -1, 6, -1, -1, -1, -1],
        'group_B': 12,
        'real_B': True,
        'candidates_BK2': [[6, 7]],
        'candidate_BK': [True],
    }
    arrays = batch._asdict()
    assert arrays.pop('token_GRP') is None
    assert arrays.pop('teacher_BLY2') is None
    assert arrays.pop('mark_B2') is None
    assert arrays.pop('language_B2') is None
    assert {key: value[row].tolist() for key, value in arrays.items()} == expected
    for key, value in arrays.items():
        assert value.dtype == (bool if key in ('edge_BL', 'real_B', 'candidate_BK') else np.int32)


def test_questions_are_groups_unless_others_are_given(windows):
    batch = batches(windows, batch_size=7).batch_at(0)
    assert batch.group_B.tolist() == [w // 2 for w in seen(batch, windows)]


def test_the_gold_wins_where_a_repeat_starts_alike():
    # An inexact gold (2, 3) and an exact repeat (2, 2) share their first token.
    windows = make_windows([7], repeats=[(0, 2, 2), (0, 2, 4)])
    assert batches(windows, batch_size=1).batch_at(0).repeat_end_BL[0, 2] == 3


NONE = (-1, -1)


def test_windows_without_the_gold_are_dropped():
    windows = make_windows([6, 6, 6, 6], golds=[NONE, (2, 3), NONE, (3, 3)])
    drawn = batches(windows)
    assert drawn.steps(1) == 1
    assert sorted(seen(drawn.batch_at(0), windows)) == [1, 3]


def test_windows_without_the_gold_are_trained_on_the_first_token():
    windows = make_windows([6, 6, 6], golds=[NONE, (2, 3), NONE], repeats=[(2, 4, 4)])
    batch = batches(windows, without_gold='first_token').batch_at(0)
    order = seen(batch, windows)
    assert sorted(order) == [0, 1, 2]
    by_window = dict(zip(order, batch.gold_B2.tolist(), strict=True))
    assert by_window == {0: [0, 0], 1: [2, 3], 2: [0, 0]}
    assert batch.repeat_end_BL[order.index(0)].tolist() == [0] + [-1] * 11
    assert batch.repeat_end_BL[order.index(2)].tolist() == [0, -1, -1, -1, 4] + [-1] * 7


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'max_tokens': 9}, 'longest window'),
        ({'without_gold': 'keep'}, 'first_token'),
        ({'temperature': 0.0}, 'data.sampling_temperature: above 0, not 0.0'),
        ({'windows': make_windows([6, 6], golds=[NONE, NONE])}, 'no window to train on'),
    ],
)
def test_mistakes_are_named(windows, changes, words):
    with pytest.raises(UserError, match=words):
        batches(**({'windows': windows} | changes))


def test_what_teachers_say_lies_where_the_tokens_do(windows):
    random = np.random.default_rng(0)
    targets = [random.normal(size=(n, 2, 2)).astype(np.float16) for n in windows.length_W]
    drawn = batches(windows, batch_size=4, targets=targets)
    for said_LY2, window in zip(drawn.batch_at(0).teacher_BLY2, drawn.windows_at(0), strict=True):
        length = windows.length_W[window]
        np.testing.assert_array_equal(said_LY2[:length], targets[window])
        assert not said_LY2[length:].any()
