"""Questions in whatever people keep them in are the same questions."""

import csv
import gzip
import json

import datasets
import pytest

from tests.conftest import RECORDS, squad_json
from xmrc_jax.data import corpora, squad
from xmrc_jax.data.queries import Source
from xmrc_jax.ground.errors import UserError


@pytest.fixture(autouse=True)
def library(tmp_path, monkeypatch):
    """The real library, with a cache of its own."""
    monkeypatch.setattr(datasets.config, 'HF_DATASETS_CACHE', tmp_path / 'library')


def rows(listed=False) -> list[dict]:
    """The records as rows; the last one's passage spells what others take for nothing."""
    found = []
    for id_, passage, question, answer, _ in RECORDS:
        texts, starts = [answer], [passage.index(answer)]
        answers = {'text': texts, 'answer_start': starts}
        if listed:
            answers = [{'text': answer, 'answer_start': starts[0]}]
        found.append({'id': id_, 'question': question, 'context': passage, 'answers': answers})
    return found


def lines(path):
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows()), 'utf-8')


def packed_lines(path):
    path.write_bytes(gzip.compress('\n'.join(map(json.dumps, rows(listed=True))).encode()))


def lines_in(encoding):
    def written(path):
        lines = (json.dumps(row, ensure_ascii=False) + '\n' for row in rows())
        path.write_text(''.join(lines), encoding)

    return written


def flat(path):
    path.write_text(json.dumps({'version': '1', 'data': rows()}), 'utf-8')


def bare_list(path):
    path.write_text(json.dumps(rows(listed=True), indent=1), 'utf-8')


def columns(path):
    fields = ['id', 'question', 'context', 'answer', 'answer_start']
    with path.open('w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(fields)
        for id_, passage, question, answer, _ in RECORDS:
            writer.writerow([id_, question, passage, answer, passage.index(answer)])


def columns_of_a_data_frame(path):
    columns(path)
    index, *others = path.read_text('utf-8').splitlines(keepends=True)
    path.write_text(f',{index}' + ''.join(f'{n},{row}' for n, row in enumerate(others)), 'utf-8')


def columns_in(encoding):
    def written(path):
        columns(path)
        path.write_bytes(path.read_bytes().decode().encode(encoding))

    return written


def packed_columns(path):
    columns_in('utf-16')(path)
    path.write_bytes(gzip.compress(path.read_bytes()))


def articles_with_lists(path):
    file = squad_json(RECORDS)
    for paragraph in file['data'][0]['paragraphs']:
        for record in paragraph['qas']:
            (answer,) = record['answers']
            record['answers'] = {name: [value] for name, value in answer.items()}
    path.write_text(json.dumps(file), 'utf-8')


def columns_of_json(path):
    with gzip.open(path, 'wt', encoding='utf-8', newline='') as file:
        writer = csv.DictWriter(file, rows()[0])
        writer.writeheader()
        writer.writerows(row | {'answers': json.dumps(row['answers'])} for row in rows())


def parquet(path):
    datasets.Dataset.from_list(rows()).to_parquet(path)


def saved(path):
    datasets.Dataset.from_list(rows(listed=True)).save_to_disk(path)


def saved_splits(path):
    one = datasets.Dataset.from_list(rows())
    datasets.DatasetDict({'train': one, 'other': one.select([0])}).save_to_disk(
        str(path).removesuffix(':train')
    )


POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:0f4e\nsize 470641600\n'
KINDS = {
    'own.jsonl': lines,
    'own.ndjson.gz': packed_lines,
    'marked.jsonl': lines_in('utf-8-sig'),
    'utf16.jsonl': lines_in('utf-16'),
    'utf16le.jsonl': lines_in('utf-16-le'),
    'utf16be.jsonl': lines_in('utf-16-be'),
    'utf32.jsonl': lines_in('utf-32'),
    'lines.json': lines,
    'articles.json': articles_with_lists,
    'flat.json': flat,
    'list.json': bare_list,
    'own.csv': columns,
    'own.csv.gz': columns_of_json,
    'frame.csv': columns_of_a_data_frame,
    'marked.csv': columns_in('utf-8-sig'),
    'OWN.CSV': columns,
    'OWN.JSONL': lines,
    'Own.Parquet': parquet,
    'OWN.CSV.GZ': columns_of_json,
    'utf16.csv': columns_in('utf-16'),
    'utf16le.csv': columns_in('utf-16-le'),
    'utf16be.csv': columns_in('utf-16-be'),
    'utf32.csv': columns_in('utf-32'),
    'packed.csv.gz': packed_columns,
    'own.parquet': parquet,
    'saved': saved,
    'splits:train': saved_splits,
}


@pytest.mark.parametrize('name', KINDS)
def test_every_kind_gives_the_same_questions(name, tmp_path, squad_file):
    KINDS[name](tmp_path / name)
    expected = squad.read(squad_file).questions
    for spec in (f'{tmp_path / name}', f'{tmp_path / name}@en'):
        corpus = corpora.load(spec, root=None, cache=tmp_path / 'cache', strict=True)
        assert [(each.id, each.text, each.passage, each.answers) for each in corpus.questions] == [
            (each.id, each.text, each.passage, each.answers) for each in expected
        ]
        assert len(corpus.sha256) == 64
    named = f'{tmp_path / name}@hi-en'
    corpus = corpora.load(named, root=None, cache=tmp_path / 'cache')
    assert (corpus.context_language, corpus.question_language) == ('hi', 'en')


@pytest.mark.parametrize('name', KINDS)
def test_every_kind_can_be_asked(name, tmp_path):
    KINDS[name](tmp_path / name)
    source = Source(str(tmp_path / name))
    assert source.records == 4
    for _ in range(2):  # as often as one likes
        assert [(each.id, each.question, each.passages) for each in source.read()] == [
            (id_, question, (passage,)) for id_, passage, question, *_ in RECORDS
        ]
    assert len(source.sha256) == 64


def test_nothing_in_csv_is_taken_for_a_number_or_for_nothing(tmp_path):
    path = tmp_path / 'own.csv'
    path.write_text('id,question,context,answer,answer_start\n007,NA,None or 12,None,0\n')
    (question,) = squad.read(path, strict=True).questions
    assert (question.id, question.text, question.answers) == ('007', 'NA', ((0, 'None'),))


@pytest.mark.parametrize('name', ['own.csv.gz', 'OWN.CSV.GZ'])
def test_a_file_that_was_written_anew_is_read_anew(name, tmp_path):
    for answer in ('Ada', 'Bea', 'Cy'):
        row = f'1,Who?,It was {answer}.,{answer},7\n'
        text = 'id,question,context,answer,answer_start\n' + row * len(answer)
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
        assert squad.read(tmp_path / name).questions[0].answers == ((7, answer),)


@pytest.mark.parametrize('end', ['\n', '\r\n'])
@pytest.mark.parametrize('packed', [bytes, gzip.compress])
def test_no_character_of_a_passage_ends_its_row(end, packed, tmp_path):
    passages = ['\rAda\r came', 'by\r\nAda', 'to\n"Ada",\tthen', '\u2028Ada\x0b\x85\x1c']
    with (tmp_path / 'plain').open('w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file, lineterminator=end)  # quotes no return where rows end otherwise
        writer.writerow(['id', 'context', 'question', 'answer', 'answer_start'])
        for id_, each in enumerate(passages):
            writer.writerow([id_, each, 'Who?', 'Ada', each.index('Ada')])
    path = tmp_path / ('own.csv' if packed is bytes else 'own.csv.gz')
    path.write_bytes(packed((tmp_path / 'plain').read_bytes()))
    assert [each.passage for each in squad.read(path).questions] == passages
    assert [each.passages for each in Source(str(path)).read()] == [(each,) for each in passages]


def test_a_bad_row_is_dropped_and_named(tmp_path):
    path = tmp_path / 'own.jsonl'
    good, bad = rows()[0], rows()[1] | {'answers': {'text': ['x'], 'answer_start': [0]}}
    others = [{'id': 'q9'}, bad, [1]]
    path.write_text('\n'.join([*map(json.dumps, [good, *others]), '{broken']))
    corpus = squad.read(path)
    assert [question.id for question in corpus.questions] == [good['id']]
    assert [(drop.id, drop.reason) for drop in corpus.drops] == [
        ('q9', 'context missing or not text'),
        (bad['id'], 'answer not at its offset, nor elsewhere in its passage'),
        ('line 4', 'not a JSON object'),
        ('line 5', 'not JSON'),
    ]


def test_lines_of_another_encoding_say_so(tmp_path):
    path = tmp_path / 'own.jsonl'
    good = json.dumps(rows()[0]).encode()
    path.write_bytes(good + '\n\n{"id": "2", "question": "F\xfcr wen?"}'.encode('latin-1'))
    (drop,) = squad.read(path).drops
    assert (drop.id, drop.reason) == ('line 3', 'not UTF-8; save it as UTF-8')
    *_, second = Source(str(path)).read()
    assert (second.where, second.fault) == (f'{path}:3', 'not UTF-8; save it as UTF-8')


def test_a_table_says_as_text_what_has_no_answer(tmp_path):
    path = tmp_path / 'own.csv'
    path.write_text(
        'id,question,context,answers,is_impossible\n'
        '1,When?,In 1876.,"{""text"": [""1876""], ""answer_start"": [3]}",False\n'
        '2,Who?,In 1876.,,True\n'
        '3,Where?,In 1876.,[],true\n'
    )
    corpus = squad.read(path)
    assert [(each.id, len(each.answers)) for each in corpus.questions] == [
        ('1', 1),
        ('2', 0),
        ('3', 0),
    ]
    assert (corpus.unanswerable, corpus.drops) == (2, ())


def test_ids_that_a_data_frame_made_numbers_are_read(tmp_path):
    path = tmp_path / 'own.jsonl'
    path.write_text(
        '\n'.join(json.dumps(row | {'id': at}) for at, row in ((1.0, rows()[0]), (2.5, rows()[1])))
    )
    corpus = squad.read(path)
    assert [question.id for question in corpus.questions] == ['1']
    assert [(drop.id, drop.reason) for drop in corpus.drops] == [
        ('line 2', 'id missing or not text')
    ]
    assert [query.id for query in Source(str(path)).read()] == ['1', '']


@pytest.mark.parametrize(
    ('answers', 'reason'),
    [
        ("{'text': array(['Ada'], dtype=object)}", 'answers are text that is not JSON'),
        ({'text': 'Ada'}, 'answers are not a list'),
        (None, 'no answers'),
    ],
)
def test_answers_that_are_no_list_are_named(answers, reason, tmp_path):
    path = tmp_path / 'own.jsonl'
    path.write_text('\n'.join(map(json.dumps, [rows()[0], rows()[1] | {'answers': answers}])))
    (drop,) = squad.read(path).drops
    assert drop.reason == reason


def test_a_file_that_is_one_row_is_read(tmp_path):
    path = tmp_path / 'one.json'
    path.write_text(json.dumps(rows()[0], indent=1))
    assert len(squad.read(path, strict=True).questions) == Source(str(path)).records == 1


def test_empty_lists_say_that_there_is_no_answer(tmp_path):
    path = tmp_path / 'own.jsonl'
    one, two = rows()[:2]
    two['answers'] = {'text': [], 'answer_start': []}
    path.write_text('\n'.join(map(json.dumps, [one, two])))
    corpus = squad.read(path)
    assert (len(corpus.questions), corpus.unanswerable) == (2, 1)


def test_a_corpus_of_the_hub_needs_its_id_and_split(tmp_path, monkeypatch):
    asked = []

    def load_dataset(repo, **request):
        asked.append((repo, request['name'], request['split']))
        return datasets.Dataset.from_list(rows())

    monkeypatch.setattr(datasets, 'load_dataset', load_dataset)
    for spec in ('hub:me/own:train@de', 'hub:me/own:big-one:test'):
        corpus = corpora.load(spec, root=None, cache=tmp_path)
        again = corpora.load(spec, root=None, cache=tmp_path)
        assert corpus == again
        assert len(corpus.questions) == 4
    assert asked == [('me/own', None, 'train'), ('me/own', 'big-one', 'test')]


def test_rows_of_the_hub_are_mended_and_dropped_as_a_file_s_are(tmp_path, monkeypatch):
    numbered = [row | {'id': number} for number, row in enumerate(rows(), 1)]
    numbered[2]['answers'] = None
    given = datasets.Dataset.from_list(numbered)
    monkeypatch.setattr(datasets, 'load_dataset', lambda *_, **__: given)
    corpus = corpora.load('hub:me/own:train@de', root=None, cache=tmp_path)
    assert [question.id for question in corpus.questions] == ['1', '2', '4']
    assert [(drop.id, drop.reason) for drop in corpus.drops] == [('3', 'no answers')]


@pytest.mark.parametrize('value', [['In Lisbon.', 'By the sea.'], {'text': 'In Lisbon.'}, 7])
def test_of_the_hub_s_passages_those_that_are_no_text_are_dropped(value, tmp_path, monkeypatch):
    given = datasets.Dataset.from_list([row | {'context': value, 'title': [7]} for row in rows()])
    monkeypatch.setattr(datasets, 'load_dataset', lambda *_, **__: given)
    with pytest.raises(UserError, match='no usable question .4 .*: context missing or not text'):
        corpora.load('hub:me/own:train@de', root=None, cache=tmp_path)


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('own.csv', 'id,frage\n1,Wer?\n', 'no column question or context; it has id, frage; '),
        ('own.csv', 'id;question;context\n1;Wer?;A\n', 'id;question;context; write commas between'),
        ('own.csv', '', 'no column id or question or context; it has none; '),
        ('own.csv', 'id,question,context\n', 'own.csv: no rows below its columns'),
        ('own.csv', 'id,question,context\n\n', 'own.csv: no rows below its columns'),
        ('own.csv', 'id,question,context\n1,Who?,It was, by Ada.\n', '3 columns, but 4 fields in'),
        ('own.csv', 'id,question,context\n1,Who?,A\n2,Who?,A, B\n', 'own.csv: .* in line 3, saw 4'),
        ('own.csv', 'id,question,context\n1,\xfc,A\n', "own.csv: .*'utf-8' codec can't decode"),
        ('own.parquet.gz', 'PAR1', 'own.parquet.gz.: no corpus'),
        ('own.parquet', 'no parquet', 'own.parquet: cannot be read: '),
        ('own.jsonl.gz', '\x1f\x8b cut', 'broken gzip file'),
        ('own.jsonl.gz', '\x1f\x8b\x08' + 7 * '\0' + '\x07', 'broken gzip file'),  # no deflate
        ('own.jsonl', '\xff\xfe{', 'own.jsonl: broken UTF-16: '),
        ('own.csv', '\x1f\x8b', 'own.csv: packed by gzip; call it own.csv.gz'),
        ('own.csv', '\xff\xfei\0d', 'own.csv: cannot be read: .*utf-16.* truncated data'),
        ('own.csv', POINTER, 'own.csv: a pointer of Git LFS in its place; fetch it with `git'),
        ('own.parquet', POINTER, 'own.parquet: a pointer of Git LFS in its place'),
        ('own.jsonl', POINTER, 'own.jsonl: a pointer of Git LFS in its place'),
        ('own.json', POINTER, 'own.json: a pointer of Git LFS in its place'),
        ('own.jsonl', '', r'own.jsonl: holds no usable question \(it is empty\)'),
        ('own.json', '{"rows": []}', 'not in SQuAD format: .*other kinds: .json, .jsonl, .ndjson'),
        ('gone.csv', None, 'gone.csv: no such file'),
        ('own.xlsx', 'PK', "own.xlsx': no corpus .*a file: .json, .jsonl, .ndjson, .csv .*, .parq"),
        ('hub:me/own', None, "corpus 'hub:me/own': no corpus 'hub:me'; .*or hub:ID:SPLIT"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_line(name, content, message, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content.encode('latin-1'))
    spec = name if name.startswith('hub:') else str(tmp_path / name)
    with pytest.raises(UserError, match=message) as error:
        corpora.load(spec, root=None, cache=tmp_path)
    assert '\n' not in str(error.value)


def test_blanks_around_the_names_of_columns_do_not_count(tmp_path):
    path = tmp_path / 'own.csv'
    path.write_text('id, question ,context , answer, answer_start\n1,When?,In 1876.,1876,3\n')
    assert [question.answers for question in squad.read(path).questions] == [((3, '1876'),)]


def test_a_line_without_fields_is_no_row(tmp_path):
    path = tmp_path / 'own.csv'
    path.write_text('id,question,context,answer,answer_start\n\n1,When?,In 1876.,1876,3\n')
    assert [question.id for question in squad.read(path).questions] == ['1']


def test_what_lies_in_the_current_folder_makes_no_name_a_saved_one(tmp_path, monkeypatch):
    (tmp_path / 'state.json').write_text('{}')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no split 'trian'"):
        corpora.load('squad/trian', root=None, cache=tmp_path)


@pytest.mark.parametrize(
    'answer',
    [{'answers': '[' * 200_000}, {'answer': 'Ada', 'answer_start': '1' * 5000}],
    ids=['deep', 'long'],
)
def test_answers_that_python_cannot_read_are_dropped(answer, tmp_path):
    good = {'id': '1', 'question': 'Who?', 'context': 'Ada.', 'answer': 'Ada', 'answer_start': 0}
    rows = [good, {'id': '2', 'question': 'Who?', 'context': 'Ada.'} | answer]
    path = tmp_path / 'own.jsonl'
    path.write_text('\n'.join(map(json.dumps, rows)))
    read = squad.read(path)
    assert [question.id for question in read.questions] == ['1']
    assert [drop.id for drop in read.drops] == ['2']


def test_of_several_splits_one_must_be_named(tmp_path):
    saved_splits(tmp_path / 'splits')
    with pytest.raises(UserError, match=r'splits: name one of its splits: .*:train, .*:other'):
        corpora.load(str(tmp_path / 'splits'), root=None, cache=tmp_path)
    with pytest.raises(UserError, match=r'splits:dev: name one of its splits'):
        corpora.load(f'{tmp_path / "splits"}:dev', root=None, cache=tmp_path)
    saved(tmp_path / 'one')
    with pytest.raises(UserError, match=r'the folder has no splits; name it without :train'):
        corpora.load(f'{tmp_path / "one"}:train', root=None, cache=tmp_path)


def test_squad_format_is_never_taken_for_rows(squad_file):
    assert squad.read(squad_file).questions
    file = squad_json(RECORDS)
    file['data'][0]['question'] = 'A title in the place of a question?'
    squad_file.write_text(json.dumps(file))
    assert len(squad.read(squad_file).questions) == 4
