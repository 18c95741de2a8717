"""Phrases: read from a file, found in passages, and never those of a test set."""

import gzip
import json

import pytest

from xmrc_jax.data import phrases
from xmrc_jax.data.phrases import Phrased
from xmrc_jax.data.squad import Answer, Question
from xmrc_jax.ground.errors import UserError

GOOD = {'text': 'Ada Fenwick founded it.', 'language': 'en', 'spans': [[0, 11]]}


def written(path, *records):
    lines = [r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records]
    content = '\n'.join(lines).encode('utf-8', 'surrogateescape')
    path.write_bytes(gzip.compress(content) if path.suffix == '.gz' else content)
    return path


@pytest.mark.parametrize('name', ['phrases.jsonl', 'phrases.jsonl.gz'])
def test_a_file_is_read_and_what_is_broken_is_counted_and_named(name, tmp_path):
    hindi = {'text': 'एडा फेनविक ने की थी।', 'language': 'hi', 'spans': [[11, 13], [0, 10]]}
    parted = {'text': 'Ada\u2028Fenwick', 'language': 'en', 'spans': [[0, 3]]}
    records = [
        GOOD,
        '',
        '{"text": ',
        GOOD | {'spans': [[0, 99]]},
        GOOD | {'spans': [[5, 5]]},
        GOOD | {'spans': [[0, 5], [4, 11]]},
        GOOD | {'spans': []},
        GOOD | {'language': 3},
        GOOD | {'spans': [[0.5, 11.9]]},
        GOOD | {'spans': {'01': 'a'}},
        GOOD | {'spans': [[True, 11]]},
        '{"text": "Ada \\ud800", "language": "en", "spans": [[0, 3]]}',
        '{"text": "Ada", "language": "\\ud800", "spans": [[0, 3]]}',
        GOOD | {'text': ' \u200b\ufeff', 'spans': [[1, 2]]},
        GOOD | {'spans': [[0, 3], [3, 4]]},
        hindi,
        parted,
        '{"text": "n\udce9", "language": "fr", "spans": [[0, 2]]}',  # é of Latin-1
        '[["Ada", "en", [[0, 3]]]]',
    ]
    found = phrases.read(written(tmp_path / name, *records))
    assert found.texts == (
        Phrased(GOOD['text'], 'en', ((0, 11),)),
        Phrased(hindi['text'], 'hi', ((0, 10), (11, 13))),
        Phrased(parted['text'], 'en', ((0, 3),)),
    )
    assert found.dropped == {
        'not JSON': {'count': 1, 'first': ['line 3']},
        'not UTF-8; save it as UTF-8': {'count': 1, 'first': ['line 18']},
        'no object with text, language and spans': {'count': 1, 'first': ['line 19']},
        'phrase outside its text': {'count': 2, 'first': ['line 4', 'line 5']},
        'phrases overlap': {'count': 1, 'first': ['line 6']},
        'no phrase': {'count': 1, 'first': ['line 7']},
        'text or language missing or not text': {
            'count': 3,
            'first': ['line 8', 'line 12', 'line 13'],
        },
        'text without a visible character': {'count': 1, 'first': ['line 14']},
        'phrase without a visible character': {'count': 1, 'first': ['line 15']},
        'spans that are no pairs of whole numbers': {
            'count': 3,
            'first': ['line 9', 'line 10', 'line 11'],
        },
    }
    summary = found.summary
    assert (summary['texts'], summary['phrases']) == ({'en': 2, 'hi': 1}, {'en': 2, 'hi': 2})
    assert summary['samples']['en'] == ['Ada Fenwick', 'Ada']


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
@pytest.mark.parametrize('packed', [bytes, gzip.compress])
@pytest.mark.parametrize('end', ['\r\n', '\r'])
def test_a_file_s_encoding_costs_no_text(end, encoding, packed, tmp_path):
    lines = 2 * (json.dumps(GOOD | {'text': 'Ada Fenwick, né Đặng'}, ensure_ascii=False) + end)
    (tmp_path / 'phrases.jsonl').write_bytes(packed(lines.encode(encoding)))
    found = phrases.read(tmp_path / 'phrases.jsonl')
    assert found.texts == 2 * (Phrased('Ada Fenwick, né Đặng', 'en', ((0, 11),)),)
    assert found.dropped == {}


def test_no_file_and_a_file_without_phrases_are_one_line(tmp_path):
    with pytest.raises(UserError, match=r'none\.jsonl: cannot be read: No such file'):
        phrases.read(tmp_path / 'none.jsonl')
    path = written(tmp_path / 'empty.jsonl', GOOD | {'spans': [[0, 99]]})
    with pytest.raises(UserError, match='no text with phrases .1 phrase outside its text.'):
        phrases.read(path)


def asked(passage, language='en', title=''):
    return Question('q', 'Who?', passage, (Answer(0, passage[:1]),), title, language, language)


def texts_of(found):
    return [[text[lo:hi] for lo, hi in spans] for text, _, spans in found.texts]


def test_phrases_are_titles_and_what_is_capitalised_in_several_passages():
    found = phrases.found(
        [
            asked('In 1876 Ada Fenwick left, by the sea, for the Lantern Society.'),
            asked('The Lantern Society was of the use to Ada Fenwick that the sea was.'),
            asked('Nothing of the sort.'),
            asked('To the Grand Canal, and the Grand Canals.', title='Grand_Canal'),
        ]
    )
    assert texts_of(found) == [
        ['Ada Fenwick', 'Lantern Society'],
        ['Lantern Society', 'Ada Fenwick'],
        ['Grand Canal'],  # not within a word
    ]
    assert found.dropped['no phrase found'] == {'count': 1, 'first': ['Nothing of the sort.']}


def test_a_title_stands_where_it_is_no_part_of_a_word():
    asked_in = {
        'hi': ('भारत, भारतीय और भारत', 'भारत'),  # what follows in the second is a mark
        'zh': ('中国的首都是北京。北京在北方', '北京'),  # no spaces part words
        'th': ('กรุงเทพเป็นเมืองหลวง', 'กรุงเทพ'),
        'en': ('Art is no Artwork, nor \u200b', 'Art'),
    }
    found = phrases.found([asked(text, name, title) for name, (text, title) in asked_in.items()])
    assert texts_of(found) == [['भारत', 'भारत'], ['北京', '北京'], ['กรุงเทพ'], ['Art']]
    assert not phrases.found([asked('a \u200b b', title='\u200b')]).texts


def test_a_script_without_capitals_has_runs_of_several_words_none_of_them_frequent_at_an_end():
    passages = ['लालटेन समाज की स्थापना', 'वहाँ लालटेन समाज की', 'और एक लालटेन था']
    passages += [f'की की {n} की' for n in range(20)]  # more than 20 words, one of them frequent
    found = phrases.found([asked(passage, 'hi') for passage in passages])
    assert texts_of(found) == [['लालटेन समाज'], ['लालटेन समाज']]


def test_a_frequent_word_begins_no_phrase():
    passages = [f'The Quay of the {n} The Quay' for n in range(20)]
    found = phrases.found([asked(passage) for passage in passages])
    assert texts_of(found) == [['Quay', 'Quay']] * 20


def test_passages_of_test_sets_are_left_out_and_counted(tmp_path):
    other = {'text': 'Lisbon lies by the sea.', 'language': 'en', 'spans': [[0, 6]]}
    read = phrases.read(written(tmp_path / 'p.jsonl', GOOD, other))
    kept = phrases.without(read, [asked(GOOD['text'])])
    assert [each.text for each in kept.texts] == [other['text']]
    named = {'count': 1, 'first': [GOOD['text'][:40]]}
    assert kept.dropped == {'passage of a test set': named}
    assert read.dropped == {}
    for copied in (' Ada Fenwick\u00a0founded  it.\n', GOOD['text'].replace(' ', '\r\n')):
        assert phrases.without(read, [asked(copied)]) == kept
    with pytest.raises(UserError, match=r'\(2 passage of a test set\); name a file'):
        phrases.without(read, [asked(GOOD['text']), asked(other['text'])])
    with pytest.raises(UserError, match=r'training sets: no text .* \(1 no phrase found\); name a'):
        phrases.without(phrases.found([asked('Nothing of the sort.')]), [])
