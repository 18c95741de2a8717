"""Records to be asked: both formats, their places, and every defect in one line."""

import gzip
import io
import json
import os
import sys
import threading

import pytest

from tests.conftest import RECORDS, squad_json
from xmrc_jax.data import queries
from xmrc_jax.data.queries import Query, Source
from xmrc_jax.ground.errors import UserError

EXPECTED = [(id_, question, (passage,)) for id_, passage, question, *_ in RECORDS]


def plain(asked) -> list[tuple]:
    return [(query.id, query.question, query.passages) for query in asked]


def lines(records=EXPECTED, **more) -> str:
    return ''.join(
        json.dumps({'id': id_, 'question': question, 'context': passages[0]} | more) + '\n'
        for id_, question, passages in records
    )


def without_answers() -> dict:
    file = squad_json(RECORDS)
    for paragraph in file['data'][0]['paragraphs']:
        for record in paragraph['qas']:
            del record['answers']
    return file


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('squad.json', json.dumps(squad_json(RECORDS))),
        ('no answers.json', json.dumps(without_answers(), indent=1)),
        ('lines.jsonl', lines()),
        ('told by its content', lines()),
        ('blank lines.jsonl', lines().replace('\n', '\r\n\n  \n')),
        ('unknown fields.jsonl', lines(answers=3, title=None)),
    ],
)
@pytest.mark.parametrize('packed', [False, True])
def test_both_formats_give_the_same(name, content, packed, tmp_path):
    path = tmp_path / (name + '.gz' * packed)
    content = content.encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    source = Source(str(path))
    assert source.records == 4
    assert plain(source.read()) == EXPECTED
    assert plain(source.read()) == EXPECTED  # as often as one likes


def test_the_hash_is_of_the_content(tmp_path):
    for name, content in (
        ('a.jsonl', lines().encode()),
        ('b.jsonl.gz', gzip.compress(lines().encode(), mtime=0)),
        ('c.jsonl', lines().encode() + b' '),
    ):
        (tmp_path / name).write_bytes(content)
    a, b, c = (Source(str(path)).sha256 for path in sorted(tmp_path.iterdir()))
    assert a == b != c


def test_standard_input_is_read_once(monkeypatch):
    monkeypatch.setattr(sys, 'stdin', io.TextIOWrapper(io.BytesIO(lines().encode())))
    source = Source('-')
    assert plain(source.read()) == plain(source.read()) == EXPECTED
    assert next(source.read()).where == 'standard input:1'


def test_a_pipe_is_read_once(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    writer = threading.Thread(target=(tmp_path / 'pipe').write_bytes, args=[lines().encode()])
    writer.start()
    source = Source(str(tmp_path / 'pipe'))
    writer.join()
    assert plain(source.read()) == plain(source.read()) == EXPECTED


GOOD = {'id': 'a', 'question': 'Who?', 'context': 'Ada.'}


@pytest.mark.parametrize(
    ('change', 'fault', 'id_'),
    [
        ({'id': None}, 'id missing or not text', ''),
        ({'id': ''}, 'id missing or not text', ''),
        ({'id': 1.5}, 'id missing or not text', ''),
        ({'id': True}, 'id missing or not text', ''),
        ({'id': 'a\ud800'}, 'unpaired surrogates in its id', ''),
        ({'id': 7}, '', '7'),
        ({'question': None}, 'question missing or not text', 'a'),
        ({'question': ['Who?']}, 'question missing or not text', 'a'),
        ({'question': ' \n'}, 'empty question', 'a'),
        ({'question': 'Who\udfff?'}, 'unpaired surrogates in its question', 'a'),
        ({'context': None}, 'passage missing or not text', 'a'),
        ({'context': 3}, 'passage missing or not text', 'a'),
        ({'context': '\t'}, 'empty passage', 'a'),
        ({'context': 'Ada\ud83d'}, 'unpaired surrogates in its passage', 'a'),
        ({'context': None, 'contexts': 'Ada.'}, 'contexts not a list', 'a'),
        ({'context': None, 'contexts': []}, 'no passage', 'a'),
        ({'context': None, 'contexts': ['Ada.', None]}, 'passage missing or not text', 'a'),
        ({'context': None, 'contexts': ['', ' ']}, 'empty passage', 'a'),
        ({'context': None, 'contexts': ['', 'Ada.']}, '', 'a'),
        ({'contexts': None}, '', 'a'),
        ({'contexts': ['Bea.']}, queries.EITHER, 'a'),
        ({'question': '\u200b\ufeff'}, 'empty question', 'a'),
        ({'context': '\u200b'}, 'empty passage', 'a'),
    ],
)
def test_a_bad_record_says_why_and_keeps_its_place(change, fault, id_, tmp_path):
    path = tmp_path / 'one.jsonl'
    path.write_text(f'{json.dumps(GOOD | {"id": "z"})}\n{json.dumps(GOOD | change)}\n')
    first, second = Source(str(path)).read()
    assert (first.fault, second.fault) == ('', fault)
    assert (second.where, second.id) == (f'{path}:2', id_)
    assert second.key == (id_ or f'{path}:2')
    assert bool(second.passages) != bool(fault)


@pytest.mark.parametrize(
    ('line', 'fault'),
    [
        (b'{"id": "a", ', 'not JSON'),
        (b'"text"', 'not a JSON object'),
        (b'[]', 'not a JSON object'),
        (b'{"id": "a", "question": "\xff"}', 'not UTF-8; save it as UTF-8'),
        (b'[' * 100_000, 'not JSON'),
    ],
)
def test_a_line_that_is_no_record_is_one(line, fault, tmp_path):
    path = tmp_path / 'one.jsonl'
    path.write_bytes(line + b'\n' + lines(EXPECTED[:1]).encode())
    source = Source(str(path))
    assert source.records == 2
    assert [query.fault for query in source.read()] == [fault, '']


def test_defects_of_a_squad_file_keep_their_places(tmp_path):
    file = squad_json(RECORDS)
    paragraphs = file['data'][0]['paragraphs']
    del paragraphs[0]['qas'], paragraphs[1]['context']
    paragraphs[2]['qas'][0] = 'no record'
    file['data'].append({'title': 'no paragraphs'})
    path = tmp_path / 'file.json'
    path.write_text(json.dumps(file))
    source = Source(str(path))
    places = {query.where.removeprefix(f'{path}: '): query.fault for query in source.read()}
    assert places == {
        'data[0].paragraphs[0]': "no list 'qas'",
        'data[0].paragraphs[1].qas[0]': 'passage missing or not text',
        'data[0].paragraphs[2].qas[0]': 'not a JSON object',
        'data[0].paragraphs[3].qas[0]': '',
        'data[1]': "no list 'paragraphs'",
    }
    assert source.records == 5


@pytest.mark.parametrize('apart', [0, 70_000])
def test_an_id_is_unique_in_all_files_however_far_apart(apart, tmp_path):
    between = [(f'q{number}', 'Who?', ('Ada.',)) for number in range(apart)]
    for name, records in (('a', EXPECTED[:2]), ('b', [*between, EXPECTED[1], EXPECTED[2]])):
        (tmp_path / f'{name}.jsonl').write_text(lines(records))
    sources = [Source(str(tmp_path / f'{name}.jsonl')) for name in 'ab']
    bad = [query for query in queries.read(sources) if query.fault]
    where = f'{tmp_path}/b.jsonl:{apart + 1}'
    assert bad == [Query(where, '', fault="duplicate id 'arabic'")]
    assert bad[0].key == where


def test_json_lines_are_read_as_they_are_asked_for(tmp_path):
    """One record at a time: a line further on may not even be readable yet."""
    path = tmp_path / 'many.jsonl'
    path.write_text(lines() * 10_000)
    source = Source(str(path))
    reading = source.read()
    next(reading)
    path.write_text(lines().replace('latin', 'other') * 10_000)  # what was not read yet
    assert 'other' in {query.id for query in reading}


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'cannot be read: No such file'),
        (b'{"data": [', 'broken JSON'),
        (b'{"data": {}}', 'neither in SQuAD format'),
        (b'[1]', 'neither in SQuAD format'),
        (b'', 'broken JSON'),
        (
            b'version https://git-lfs.github.com/spec/v1\noid sha256:0f',
            'a pointer of Git LFS in its',
        ),
        (gzip.compress(lines().encode(), mtime=0)[:-9], 'broken gzip file'),
        (gzip.compress(lines().encode() * 99, mtime=0)[:60] + bytes(9), 'broken gzip file'),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(content, message, tmp_path):
    path = tmp_path / 'file.json'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        Source(str(path))
    assert str(error.value).startswith(f'{path}: ')
    assert '\n' not in str(error.value)


def test_a_file_of_another_kind_is_refused_with_those_that_are_known(tmp_path):
    path = tmp_path / 'questions.txt'
    path.write_text('Who founded it?')
    with pytest.raises(UserError, match=r'broken JSON: .*; other kinds: .*\.csv .*, \.parquet'):
        Source(str(path))


@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_whatever_ends_its_lines_a_file_has_the_same_records(end, tmp_path):
    path = tmp_path / 'own.jsonl'
    rows = [{'id': str(at), 'question': 'Who?', 'context': 'Ada.'} for at in range(3)]
    path.write_bytes(end.join([json.dumps(rows[0]), '', *map(json.dumps, rows[1:])]).encode())
    source = Source(str(path))
    found = list(source.read())
    assert source.records == 3
    assert [(query.where, query.fault) for query in found] == [
        (f'{path}:{number}', '') for number in (1, 3, 4)
    ]
