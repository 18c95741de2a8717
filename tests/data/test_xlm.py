"""XLM's tokenizer: each piece has the characters that it was made of, and each window languages."""

import json

import pytest

from xmrc_jax.data import squad
from xmrc_jax.data.audit import audit
from xmrc_jax.data.squad import Answer, Question
from xmrc_jax.data.tokenizer import load_tokenizer, passage_type, tokenizer_hash, vocabulary_of
from xmrc_jax.data.windows import WindowSize, build
from xmrc_jax.data.xlm import aligned
from xmrc_jax.ground.errors import UserError

PASSAGES = {
    'en': 'The so-called "Fenwick" bridge, built in 1884… is 12.5 m high.',
    'de': 'Die Brücke „Großer Übergang“ wurde im Jahr 1884 über die Öse gebaut.',
    'es': '¿Quién construyó el puente? Lo construyó Iñigo Núñez (en 1884).',
    'ar': 'بُنِيَ الجسرُ في عام ١٨٨٤، وصممه علي.',
    'hi': 'यह पुल १८८४ में बनाया गया था। इसे अली ने बनाया।',
    'vi': 'Cây cầu được xây dựng vào năm 1884 bởi Nguyễn Văn An.',
}
ANSWERS = {
    'en': '1884',
    'de': 'Großer Übergang',
    'es': 'Iñigo Núñez',
    'ar': 'علي',
    'hi': 'अली',
    'vi': 'Nguyễn Văn An',
}


@pytest.mark.parametrize(
    ('word', 'pieces', 'said'),
    [
        ('bridge,', ['bri', 'dge', ','], ['bri', 'dge', ',']),
        ('Übergang', ['uber', 'gang'], ['Über', 'gang']),
        ('1884…', ['1884', '...'], ['1884', '…']),
        ('„Öse“', ['"', 'ose', '"'], ['„', 'Öse', '“']),
        ('"so",', ['"', 'so', ',', '"'], ['"', 'so', '', '"']),  # Moses swaps the last two
        ('e\u0301te\u0301', ['e', 'te'], ['e\u0301', 'te\u0301']),
        ('बनाया', ['बन', 'ाया'], ['बन', 'ाया']),
        ('में', ['म'], ['में']),  # its signs are dropped, and go with it
        ('\u200bx\u200b', ['x'], ['x\u200b']),
        ('“”', ['"', '"'], ['“', '”']),
        ('\u0301', ['a', 'b'], ['\u0301', '\u0301']),
        ('', [], []),
    ],
)
def test_pieces_are_found_again_in_their_word(word, pieces, said):
    spans = aligned(word, pieces)
    assert [word[start:end] for start, end in spans] == said
    starts = [start for start, _ in spans]
    assert starts == sorted(starts)


def test_where_case_and_accents_stay_they_are_matched_as_they_are():
    assert aligned('ÜBER', ['Ü', 'BER'], lowered=False) == [(0, 1), (1, 4)]


def written(folder, texts):
    """As on the hub, of pieces that are characters, but for one; 'x' is unknown."""
    pytest.importorskip('sacremoses')
    from transformers import XLMTokenizer

    letters = {c for text in texts for c in text.lower()} - {'x'}
    letters |= set('abcdefghijklmnopqrstuvw')
    words = {'<s>': 0, '</s>': 1, '<pad>': 2, '<unk>': 3, '<special0>': 4, '<special1>': 5}
    pieces = sorted(letters | {f'{letter}</w>' for letter in letters}) + ['th', 'the</w>']
    words |= {piece: number for number, piece in enumerate(pieces, len(words))}
    (folder / 'vocab.json').write_text(json.dumps(words))
    (folder / 'merges.txt').write_text('t h\nth e</w>\n')
    ids = {language: number for number, language in enumerate(PASSAGES)}
    numbers = {number: language for language, number in ids.items()}
    files = str(folder / 'vocab.json'), str(folder / 'merges.txt')
    XLMTokenizer(*files, lang2id=ids, id2lang=numbers).save_pretrained(folder)
    return folder


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return written(tmp_path_factory.mktemp('xlm'), PASSAGES.values())


def test_it_is_asked_as_a_fast_one(folder, tmp_path):
    tokenizer = load_tokenizer(folder)
    from transformers import XLMTokenizer

    library = XLMTokenizer.from_pretrained(folder)
    both = 'the bridge is high', 'he built the bridge'
    pair = tokenizer.encode(*both)
    assert pair.ids == library(*both)['input_ids']
    assert pair.sequence_ids.count(None) == 3
    assert tokenizer.encode('Thé x', add_special_tokens=False).offsets == [(0, 3), (4, 5)]
    assert passage_type(tokenizer) == 0
    assert tokenizer.pad_token_id == 2
    assert vocabulary_of(tokenizer) >= len(library.encoder)
    assert tokenizer.decode(pair.ids[1:2], skip_special_tokens=False) == 'the'
    tokenizer.model_max_length = 77
    tokenizer.save_pretrained(tmp_path)
    again = load_tokenizer(tmp_path)
    assert again.model_max_length == 77
    assert tokenizer_hash(again) == tokenizer_hash(tokenizer)
    assert again.languages == {language: n for n, language in enumerate(PASSAGES)}


def questions(language='en'):
    return [
        Question(
            each,
            'Who built it?',
            text,
            (Answer(text.index(ANSWERS[each]), ANSWERS[each]),),
            context_language=each,
            question_language=language,
        )
        for each, text in PASSAGES.items()
    ]


def test_every_answer_is_said_whole_and_windows_have_languages(folder):
    tokenizer, size = load_tokenizer(folder), WindowSize(60, 8, 16)
    windows = build(questions(), tokenizer, size)
    for window, gold in enumerate(windows.gold_W2):
        question = questions()[windows.question_W[window]]
        start, end = windows.gold_chars_W2[window]
        if gold[0] > 0:
            assert question.passage[start:end] == ANSWERS[question.id]
    assert {int(q) for q in windows.question_W[windows.gold_W2[:, 0] > 0]} == set(range(6))
    assert windows.language_W2.tolist() == [[0, int(q)] for q in windows.question_W]
    report = audit(questions(), windows, tokenizer, size, 30)
    assert (report['golds'], report['exact']) == (6, 6)


def test_answers_of_real_text_are_found(real_data, folder):
    """At most one of a language is missed, where Moses swaps a quotation mark and a full stop."""
    tokenizer, size = load_tokenizer(folder), WindowSize(2000, 100, 300)
    for language in PASSAGES:
        corpus = squad.read(real_data / 'xquad' / f'xquad.{language}.json')
        first = corpus.questions[:120]
        report = audit(first, build(first, tokenizer, size), tokenizer, size, 500)
        assert report['golds'] - report['exact'] <= 1, (language, report['misses'])


def test_a_language_that_the_encoder_does_not_know_is_refused(folder):
    tokenizer, size = load_tokenizer(folder), WindowSize(60, 8, 16)
    with pytest.raises(
        UserError, match="question 'en': language 'fi' is none of the 6 of .*: ar, "
    ):
        build(questions('fi'), tokenizer, size)


def test_without_sacremoses_it_says_what_to_install(tmp_path, monkeypatch):
    from transformers import AutoTokenizer

    def lacks(*_, **__):
        raise ImportError('You need to install sacremoses to use XLMTokenizer. See https://pypi')

    monkeypatch.setattr(AutoTokenizer, 'from_pretrained', lacks)
    with pytest.raises(UserError, match=f'{tmp_path}: .*pip install sacremoses'):
        load_tokenizer(tmp_path)
