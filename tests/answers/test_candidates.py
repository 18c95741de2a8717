import json
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmrc_jax.answers import candidates
from xmrc_jax.answers.candidates import Mining
from xmrc_jax.answers.parts import Binding
from xmrc_jax.ground.errors import UserError

BINDING = Binding(checkpoint='base-7', tokenizer='t1', text='x1')


def mined(questions=10, k=3, seed=0) -> np.ndarray:
    start_QK = np.random.default_rng(seed).integers(0, 90, (questions, k)).astype(np.int32)
    return np.stack([start_QK, start_QK + 5], axis=-1)


def write(folder, chars_QK2):
    """A whole mined set at once."""
    questions, k, _ = chars_QK2.shape
    mining = Mining(folder, BINDING, questions=questions, k=k, block=questions)
    mining.write(slice(0, questions), chars_QK2)


def assert_equal(one: np.ndarray, other: np.ndarray):
    np.testing.assert_array_equal(one, other)
    assert one.dtype == other.dtype


def test_what_was_written_is_read(tmp_path):
    write(tmp_path / 'z', mined())
    assert_equal(candidates.read(tmp_path / 'z', BINDING), mined())


def test_mining_goes_on_where_it_was_killed(tmp_path):
    size = {'questions': 10, 'k': 3, 'block': 4}
    first = Mining(tmp_path / 'z', BINDING, **size)
    assert first.missing() == [slice(0, 4), slice(4, 8), slice(8, 10)]
    first.write(slice(4, 8), mined()[4:8])
    second = Mining(tmp_path / 'z', BINDING, **size)
    assert second.missing() == [slice(0, 4), slice(8, 10)]
    with pytest.raises(UserError, match='2 of 3 parts are not made yet'):
        candidates.read(tmp_path / 'z', BINDING)
    for rows in second.missing():
        second.write(rows, mined()[rows])
    assert second.missing() == []
    assert_equal(candidates.read(tmp_path / 'z', BINDING), mined())


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    mining = Mining(tmp_path / 'z', BINDING, questions=4, k=3, block=10)

    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('os.replace', full)
    with pytest.raises(UserError, match='cannot be written: No space left on device'):
        mining.write(slice(0, 4), mined(4))
    assert [path.name for path in (tmp_path / 'z').iterdir()] == ['manifest.json']


@pytest.mark.parametrize(
    ('field', 'line'),
    [
        ('checkpoint', 'made from checkpoint base-7, not other; delete'),
        ('tokenizer', 'made from tokenizer t1, not other; delete'),
        ('text', 'made from text x1, not other; delete'),
    ],
)
def test_a_set_mined_from_something_else_is_refused_by_name(tmp_path, field, line):
    write(tmp_path / 'z', mined())
    other = BINDING._replace(**{field: 'other'})
    with pytest.raises(UserError, match=line):
        candidates.read(tmp_path / 'z', other)
    with pytest.raises(UserError, match=line):
        Mining(tmp_path / 'z', other, questions=10, k=3, block=10)


def test_mining_on_with_another_size_is_refused(tmp_path):
    Mining(tmp_path / 'z', BINDING, questions=10, k=3, block=10)
    with pytest.raises(UserError, match=r"'k': 3.* not .*'k': 20"):
        Mining(tmp_path / 'z', BINDING, questions=10, k=20, block=10)


def test_no_folder_is_one_line(tmp_path):
    with pytest.raises(UserError, match='z: not there; first run the step'):
        candidates.read(tmp_path / 'z', BINDING)


def cut(data):
    return data[: len(data) // 2]


def flip(data):  # one bit of the last array's last number, before the zip's directory
    at = data.rindex(b'PK\x03\x04') + 400
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def saying(**fields):
    return lambda data: json.dumps(json.loads(data) | fields).encode()


@pytest.mark.parametrize(
    ('name', 'damage'),
    [
        ('manifest.json', cut),
        ('manifest.json', lambda data: b'[]'),
        ('manifest.json', lambda data: b'\xff'),
        ('manifest.json', saying(k='three')),
        ('manifest.json', saying(k=0)),
        ('manifest.json', saying(format=2)),
        ('part-00000000.npz', cut),
        ('part-00000000.npz', flip),
        ('part-00000000.npz', lambda data: b''),
    ],
)
def test_damage_is_one_line_that_names_the_file(tmp_path, name, damage):
    write(tmp_path / 'z', mined(100))
    path = tmp_path / 'z' / name
    data = path.read_bytes()
    path.write_bytes(damage(data))
    with pytest.raises(UserError, match=rf'{name}: .*damaged') as error:
        candidates.read(tmp_path / 'z', BINDING)
    assert '\n' not in str(error.value)


def test_parts_of_another_size_are_damage(tmp_path):
    write(tmp_path / 'z', mined(10))
    write(tmp_path / 'y', mined(9))
    (tmp_path / 'y' / 'part-00000000.npz').replace(tmp_path / 'z' / 'part-00000000.npz')
    with pytest.raises(UserError, match='damaged'):
        candidates.read(tmp_path / 'z', BINDING)


@given(st.data())
def test_membership_is_footnote_1(data):
    spans = st.tuples(st.integers(0, 5), st.integers(6, 9))
    z = data.draw(st.lists(spans, min_size=1, max_size=8, unique=True))
    gold = data.draw(spans)
    k = data.draw(st.integers(1, len(z)))
    by_rank = z[:k] if gold in z[:k] else [*z[: k - 1], gold]
    last = [span for span in by_rank if span != gold] + [gold]
    for place, expected in (('by_rank', by_rank), ('last', last)):
        found = candidates.membership(np.array([z]), np.array([gold]), k=k, place=place)
        assert [tuple(span) for span in found[0]] == expected


def test_membership_leaves_the_mined_set_as_it_was():
    chars_QK2 = mined()
    before = chars_QK2.copy()
    candidates.membership(chars_QK2, np.full((10, 2), 7), place='by_rank')
    np.testing.assert_array_equal(chars_QK2, before)


@pytest.mark.parametrize('k', [0, 4])
def test_a_z_larger_than_what_was_mined_is_refused(k):
    with pytest.raises(UserError, match=rf'\|Z\| = {k}: .* 3 mined'):
        candidates.membership(mined(), np.zeros((10, 2)), k=k)


def test_join_maps_z_into_every_window_of_its_question():
    # Two windows of question 1 and one of question 0 over one-character tokens: window w sees
    # characters [first, first + 6) as tokens 10, 11, ...
    first_W = [4, 0, 2]

    def locate(window, chars_K2):
        lo, hi = chars_K2[:, 0] - first_W[window], chars_K2[:, 1] - first_W[window]
        inside_K1 = ((chars_K2[:, 0] >= 0) & (lo >= 0) & (hi <= 6))[:, None]
        return np.where(inside_K1, np.stack([lo, hi - 1], axis=-1) + 10, -1)

    windows = types.SimpleNamespace(question_W=np.array([1, 0, 1]), locate=locate)
    chars_QK2 = np.array([[[0, 2], [5, 7], [-1, -1]], [[2, 3], [4, 6], [7, 10]]])
    spans_WK2, valid_WK = candidates.join(chars_QK2, windows)
    none = [-1, -1]
    assert spans_WK2.tolist() == [
        [none, [10, 11], [13, 15]],
        [[10, 11], none, none],
        [[10, 10], [12, 13], none],
    ]
    np.testing.assert_array_equal(valid_WK, spans_WK2[..., 0] >= 0)


def test_join_keeps_the_last_of_candidates_on_the_same_tokens():
    windows = types.SimpleNamespace(
        question_W=np.array([0]),
        locate=lambda window, chars_K2: chars_K2 // 4,  # tokens of four characters
    )
    spans_WK2, valid_WK = candidates.join(np.array([[[0, 7], [4, 7], [0, 6]]]), windows)
    assert valid_WK.tolist() == [[False, True, True]]
    assert spans_WK2.tolist() == [[[-1, -1], [1, 1], [0, 1]]]


def test_folds_keep_a_passage_together_and_are_even():
    passage_Q = [f'passage {number // 3}' for number in range(30)]
    fold_Q = candidates.folds(30, 4, seed=1, group_Q=passage_Q)
    fold_P3 = fold_Q.reshape(10, 3)
    assert (fold_P3 == fold_P3[:, :1]).all()
    assert sorted(np.bincount(fold_P3[:, 0])) == [2, 2, 3, 3]
    np.testing.assert_array_equal(fold_Q, candidates.folds(30, 4, seed=1, group_Q=passage_Q))
    assert (fold_Q != candidates.folds(30, 4, seed=2, group_Q=passage_Q)).any()


def test_more_folds_than_groups_are_refused():
    with pytest.raises(UserError, match=r'mine\.folds=3: questions are of 2 passages'):
        candidates.folds(4, 3, seed=0, group_Q=['a', 'a', 'b', 'b'])


def test_merged_folds_are_in_the_order_of_the_questions():
    fold_Q = candidates.folds(10, 3, seed=0)
    parts = [mined()[fold_Q == fold] for fold in range(3)]
    assert_equal(candidates.merge(parts, fold_Q), mined())
