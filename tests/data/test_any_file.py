"""Whatever a file holds: no traceback, and no record is lost without a word."""

import csv
import gzip
import io
import json
import unicodedata

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from xmrc_jax import score
from xmrc_jax.data import defects, mending, squad
from xmrc_jax.data.audit import audit
from xmrc_jax.data.queries import Source
from xmrc_jax.data.windows import WindowSize, build
from xmrc_jax.ground.errors import UserError

ODD = (
    None,
    True,
    0,
    7,
    -1,
    1.5,
    3.0,
    float('nan'),
    '',
    ' ',
    '\u200b',
    '\ud800',
    '7',
    [],
    {},
    ['x'],
)
WORDS = (
    '1876',
    'Ada',
    'Brücke',
    'ni\u0303o',
    'niño',
    '🚢',
    '灯笼',
    '\r\n',
    '\u200b',
    'a',
    '½',
    'ﬁ',
)
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(' '.join)
ids = st.integers(0, 5).map('q{}'.format)


@st.composite
def mostly(draw, usual, *others):
    """One in twelve times something else."""
    if draw(st.integers(0, 11)):
        return draw(usual)
    return draw(st.one_of(st.sampled_from(ODD), *others))


@st.composite
def answers(draw, passage, unit):
    """Part of a passage, at its place counted in a unit; at times somewhere else, or anything."""
    first = draw(st.integers(0, len(passage) - 1))
    text = passage[first : draw(st.integers(first + 1, len(passage)))]
    start = mending.UNITS[unit](passage[:first])
    places = st.sampled_from([str(start), float(start), start + 1, -1, 99])
    form = unicodedata.normalize('NFC', text)
    answer = {
        'text': draw(mostly(st.just(text), st.sampled_from(['nowhere', form]))),
        'answer_start': draw(mostly(st.just(start), places)),
    }
    return draw(mostly(st.just(answer)))


@st.composite
def records(draw, passage, unit):
    record = {
        'id': draw(mostly(ids, st.integers(0, 5))),
        'question': draw(mostly(texts)),
        'answers': draw(mostly(st.lists(answers(passage, unit), min_size=1, max_size=3))),
        'is_impossible': draw(st.booleans()),
    }
    left_out = draw(st.sampled_from([*record, *[None] * 20]))
    return draw(mostly(st.just({key: record[key] for key in record if key != left_out})))


@st.composite
def paragraphs(draw, unit):
    passage = draw(texts)
    qas = st.lists(records(passage, unit), max_size=4)
    paragraph = {'context': draw(mostly(st.just(passage))), 'qas': draw(mostly(qas))}
    return draw(mostly(st.just(paragraph), st.just({})))


@st.composite
def files(draw):
    """Of one unit."""
    own = paragraphs(draw(st.sampled_from(list(mending.UNITS))))
    articles = mostly(st.fixed_dictionaries({'paragraphs': mostly(st.lists(own, max_size=3))}))
    return {'data': draw(st.lists(articles, min_size=1, max_size=3))}


ENCODINGS = ('utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'utf-32', 'latin-1')


@st.composite
def contents(draw):
    """Bytes of a file in some encoding, perhaps compressed or cut off; and what they say."""
    written = json.dumps(draw(files()), ensure_ascii=draw(st.booleans()))
    encoding = draw(st.sampled_from(ENCODINGS))
    content = written.encode(encoding, errors='replace')
    file = json.loads(content.decode(encoding))
    content = gzip.compress(content) if draw(st.booleans()) else content
    return content[: draw(st.sampled_from([None] * 9 + [-20]))], file


def listed(file):
    """Every record of a file, and how many lists there are not."""
    found, missing = [], 0
    for article in file['data']:
        outer = article.get('paragraphs') if isinstance(article, dict) else None
        missing += not isinstance(outer, list)
        for paragraph in outer if isinstance(outer, list) else ():
            inner = paragraph.get('qas') if isinstance(paragraph, dict) else None
            missing += not isinstance(inner, list)
            found += inner if isinstance(inner, list) else ()
    return found, missing


def check_accounts(corpus, file):
    """What was read is kept or dropped, and what is kept is as it was or listed."""
    found, missing = listed(file)
    kept = {question.id: question for question in corpus.questions}
    assert len(kept) == len(corpus.questions)
    assert len(kept) + len(corpus.drops) == corpus.records == len(found) + missing
    says_so = any(isinstance(r, dict) and r.get('is_impossible') is True for r in found)
    assert corpus.unanswerable == sum(not question.answers for question in corpus.questions)
    assert says_so or corpus.unanswerable == 0
    mended = {mend.id for mend in corpus.mends}
    assert mended <= set(kept)
    listed_ids = mended | {drop.id for drop in corpus.drops}
    as_they_are = [
        r
        for r in found
        if isinstance(r, dict)
        and isinstance(r.get('id'), str)
        and r['id'] in set(kept) - listed_ids
    ]
    for record in as_they_are:
        question = kept[record['id']]
        assert question.text == record['question']
        stated_answers = record.get('answers') if question.answers else []
        for answer, stated in zip(question.answers, stated_answers, strict=True):
            cut = len(stated['text']) - len(stated['text'].lstrip())
            assert answer == (stated['answer_start'] + cut, stated['text'].strip())
    for question in corpus.questions:
        for start, text in question.answers:
            assert question.passage[start : start + len(text)] == text != ''


def refusal(body, *inputs):
    """What a call returns, or the one line in which it refuses."""
    try:
        return body(*inputs), ''
    except UserError as error:
        return None, str(error)


@pytest.mark.slow
@settings(
    max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(contents())
def test_any_file_is_read_or_refused_in_one_line(tokenizer, tmp_path, content_and_file):
    content, file = content_and_file
    path = tmp_path / 'any.json'
    path.write_bytes(content)
    corpus, line = refusal(squad.read, path)
    event('refused' if line else 'read')
    if line:
        assert line.startswith(f'{path}: ')
        assert '\n' not in line
        return
    check_accounts(corpus, file)
    size = WindowSize(40, 4, 8)
    windows = build(corpus.questions, tokenizer, size)
    counted = audit(corpus.questions, windows, tokenizer, size, 30)
    missed = sum(kind['count'] for kind in counted['misses'].values())
    assert counted['exact'] + missed == counted['golds']
    assert counted['golds'] == len(corpus.questions) - corpus.unanswerable
    lines = defects.lines(corpus)
    assert bool(lines) == bool(corpus.drops or corpus.mends or corpus.unanswerable)
    assert '\n' not in ''.join(lines)


@pytest.mark.slow
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(contents())
def test_any_file_is_scored_or_refused_in_one_line(tmp_path, capsys, content_and_file):
    paths = [tmp_path / 'any.json', tmp_path / 'said.json']
    paths[0].write_bytes(content_and_file[0])
    paths[1].write_text('{"q1": "Ada", "7": "1876"}')
    _, line = refusal(score.main, [*map(str, paths), '--metric', 'squad'])
    event('refused' if line else 'scored')
    assert '\n' not in line
    scored = capsys.readouterr().out
    assert bool(scored) != bool(line)
    assert line or 0 <= json.loads(scored)['exact_match'] <= 100


COLUMNS = ('id', 'question', 'context', 'answer', 'answer_start')


@st.composite
def rows(draw):
    """Bytes of rows in a kind of file and an encoding, its name, and the rows."""
    encoding, kind = draw(st.sampled_from(ENCODINGS)), draw(st.sampled_from(['.csv', '.jsonl']))
    cells = st.one_of(texts, st.sampled_from(['', ' ', '"', ',', '0', '12', 'null', '\r', 'a\nb']))
    found = [dict(zip(COLUMNS, draw(st.tuples(*[cells] * 5)), strict=True)) for _ in range(3)]
    if kind == '.csv':
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator=draw(st.sampled_from(['\n', '\r\n'])))
        writer.writeheader()
        writer.writerows(found)
        text = text.getvalue()
    else:
        found = [{key: draw(mostly(st.just(row[key]))) for key in row} for row in found]
        found = [draw(mostly(st.just(row))) for row in found]
        lines = [json.dumps(row, ensure_ascii=draw(st.booleans())) for row in found]
        text = draw(st.sampled_from(['\n', '\r\n', '\n\n'])).join(lines)
    content = text.encode(encoding, errors='replace')
    kept = content.decode(encoding) == text
    if draw(st.booleans()):
        content, kind = gzip.compress(content), f'{kind}.gz'
    return content, f'any{kind}', found if kept else None


@pytest.mark.slow
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows())
def test_any_rows_are_read_and_asked_or_refused_in_one_line(tmp_path, monkeypatch, drawn):
    monkeypatch.setattr('datasets.config.HF_DATASETS_CACHE', tmp_path / 'library')
    content, name, expected = drawn
    path = tmp_path / name
    path.write_bytes(content)
    corpus, line = refusal(squad.read, path)
    assert '\n' not in line
    assert bool(line) or corpus.records == 3
    source, line = refusal(Source, str(path))
    event('refused' if line else 'asked')
    assert '\n' not in line
    if line:
        return
    queries = list(source.read())
    assert source.records == len(queries) == 3
    for query, row in zip(queries, expected or [], strict=bool(expected)):
        if not query.fault:
            assert query.id == row['id'] or not isinstance(row['id'], str)  # a number as text
            assert (query.question, query.passages) == (row['question'], (row['context'],))
