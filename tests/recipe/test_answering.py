"""Files in, files out: the run's own bytes, whole or not at all, continued where killed."""

import json
import shutil

import pytest

from tests.conftest import RECORDS
from xmrc_jax.data.queries import Source
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import locked
from xmrc_jax.recipe import answering
from xmrc_jax.recipe.reader import Reader

BAD = [
    '{"id": "cut',
    '{"id": "no question", "context": "Ada."}',
    '{"id": "latin", "question": "Again?", "context": "Ada."}',
]
PART = 3  # records


@pytest.fixture(scope='module')
def reader(exported):
    return Reader.load(exported)


@pytest.fixture
def source(tmp_path):
    """A file of 12 records, the last, the third and the eighth bad; two have two passages."""
    lines = [
        json.dumps({'id': id_ + more, 'question': question, 'context': passage})
        for more in ('', ' again')
        for id_, passage, question, *_ in RECORDS
    ]
    both = [RECORDS[0][1], RECORDS[3][1]]
    lines.append(json.dumps({'id': 'both', 'question': 'Who?', 'contexts': both}))
    for place, bad in zip((2, 7, len(lines) + 2), BAD, strict=True):
        lines.insert(place, bad)
    path = tmp_path / 'asked.jsonl'
    path.write_text('\n'.join(lines))
    return path


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(answering, 'PART', PART)


def answered(reader, path, output):
    return answering.answer(reader, [Source(str(path))], output)


def test_a_run_s_test_set_is_answered_in_the_run_s_own_bytes(finished, tmp_path):
    for system in ('base', 'two_stage'):
        reader = Reader.load(finished / system)
        for language in ('en', 'hi'):
            corpus = finished / 'corpora' / 'encyclopedia' / f'test.{language}.json'
            own = (
                finished / 'predictions' / system / f'encyclopedia-test.{language}-{language}.json'
            )
            output = tmp_path / f'{system}.{language}.json'
            answered(reader, corpus, output)
            assert output.read_bytes() == own.read_bytes()
            nbest = json.loads(answering.files(output)[1].read_text('utf-8'))
            for id_, expected in json.loads(own.with_suffix('.nbest.json').read_text()).items():
                assert [
                    {name: each[name] for name in wanted}
                    for each, wanted in zip(nbest[id_], expected, strict=True)
                ] == expected


def test_each_record_has_its_line_and_the_bad_ones_say_why(reader, source, tmp_path, capfd):
    output = tmp_path / 'answers.jsonl'
    assert answered(reader, source, output) == (12, 3)
    lines = [json.loads(line) for line in output.read_text('utf-8').splitlines()]
    assert len(lines) == 12
    faults = {number: line['fault'] for number, line in enumerate(lines, 1) if line['fault']}
    assert faults == {
        3: 'not JSON',
        8: 'question missing or not text',
        12: "duplicate id 'latin'",
    }
    for line in lines:
        assert (line['text'] is None) == bool(line['fault']) == (not line['nbest'])
        if line['nbest']:
            assert line['text'] == line['nbest'][0]['text']
            assert line['passage'] == line['nbest'][0]['passage']
    lines, place = capfd.readouterr().err.splitlines(), f'xmrc_jax: {source}'
    assert [line for line in lines if line.startswith('xmrc_jax: ')] == [
        f'{place}:3: not JSON; answered with null',
        f"{place}:8 (id 'no question'): question missing or not text; answered with null",
        f"{place}:12: duplicate id 'latin'; answered with null",
    ]


def test_both_layouts_hold_the_same_answers(reader, source, tmp_path, capsys):
    answered(reader, source, tmp_path / 'a.jsonl')
    (tmp_path / 'a-null_odds.json').write_text('of another reader')
    answered(reader, source, tmp_path / 'a.json')
    answered(reader, source, None)
    lines = (tmp_path / 'a.jsonl').read_text('utf-8')
    assert capsys.readouterr().out == lines
    *written, null_odds = answering.files(tmp_path / 'a.json')
    assert not null_odds.exists()  # of a reader that always gives an answer
    best, nbest = (json.loads(path.read_text('utf-8')) for path in written)
    assert len(best) == 12
    assert [best.pop(f'{source}:{line}') for line in (3, 12)] == [None, None]
    for line in map(json.loads, lines.splitlines()):
        if line['id'] in best:
            assert best[line['id']] == line['text']
            assert [each['text'] for each in nbest[line['id']]] == [
                each['text'] for each in line['nbest']
            ]
    assert best['no question'] is None


class Killed(Exception):  # noqa: N818 - like KeyboardInterrupt, not an error
    pass


@pytest.mark.parametrize('parts', [0, 1, 3])
@pytest.mark.parametrize('torn', [b'', b'{"id": "latin', b'{"id": "one"}\n{"id', b'?' * 99_999])
def test_a_killed_command_is_continued_to_the_same_bytes(
    reader, source, tmp_path, monkeypatch, parts, torn
):
    whole, output = tmp_path / 'whole.jsonl', tmp_path / 'answers.jsonl'
    count = answered(reader, source, whole)
    answer, calls = reader.answer, []

    def killed(prepared, *args, **options):
        if len(calls) == parts:
            raise Killed
        calls.append(prepared)
        return answer(prepared, *args, **options)

    monkeypatch.setattr(reader, 'answer', killed)
    with pytest.raises(Killed):
        answered(reader, source, output)
    assert not output.exists()
    with (tmp_path / 'answers.jsonl.part').open('ab') as file:
        file.write(torn)

    calls.clear()
    monkeypatch.setattr(reader, 'answer', lambda *args, **o: calls.append(0) or answer(*args, **o))
    assert answered(reader, source, output) == count
    assert len(calls) == 4 - parts  # what was done is not done again
    assert output.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.glob('answers*')) == ['answers.jsonl']


def test_parts_of_another_reader_or_of_other_questions_are_refused(
    reader, exported, source, tmp_path, monkeypatch
):
    output = tmp_path / 'answers.jsonl'
    answer = reader.answer
    monkeypatch.setattr(
        reader, 'answer', lambda p, **o: 1 / 0 if (output.parent / 'stop').exists() else stop(p, o)
    )

    def stop(prepared, options):
        (output.parent / 'stop').touch()
        return answer(prepared, **options)

    with pytest.raises(ZeroDivisionError):
        answered(reader, source, output)
    monkeypatch.undo()
    monkeypatch.setattr(answering, 'PART', PART)
    other = source.with_name('other.jsonl')
    other.write_text(source.read_text().replace('Who?', 'Whom?'))
    for who, what in ((reader, other), (Reader.load(exported, n_best=2), source)):
        with pytest.raises(UserError, match=r'answers\.jsonl\.part: holds answers of another'):
            answered(who, what, output)
    moved = source.with_name('moved.jsonl')
    shutil.copy(source, moved)
    assert answered(reader, moved, output).records == 12  # the same content, wherever it lies


def test_two_commands_do_not_write_one_output(reader, source, tmp_path):
    with (
        locked(tmp_path / 'answers.jsonl.part'),
        pytest.raises(UserError, match='another command is writing it'),
    ):
        answered(reader, source, tmp_path / 'answers.jsonl')


def test_memory_does_not_grow_with_the_file(reader, source, tmp_path, monkeypatch):
    """No more than two parts ahead of what is written."""
    taken, written = [], []
    prepare, answer = reader.prepare, reader.answer
    monkeypatch.setattr(reader, 'prepare', lambda part: taken.append(len(part)) or prepare(part))

    def counted(prepared, **options):
        assert sum(taken) <= sum(written) + 3 * PART
        written.append(len(prepared.queries))
        return answer(prepared, **options)

    monkeypatch.setattr(reader, 'answer', counted)
    answered(reader, source, tmp_path / 'answers.jsonl')
    assert sum(written) == 12


def test_nothing_to_ask_and_nowhere_to_write_are_refused(reader, source, tmp_path):
    empty = tmp_path / 'empty.jsonl'
    empty.write_text('\n')
    with pytest.raises(UserError, match=r'empty\.jsonl: no questions'):
        answered(reader, empty, tmp_path / 'answers.jsonl')
    with pytest.raises(UserError, match=r'ends in \.json or \.jsonl'):
        answered(reader, source, tmp_path / 'answers.txt')
    for name in ('answers.json', 'answers.jsonl'):
        with pytest.raises(UserError, match='cannot be written'):
            answered(reader, source, empty / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['asked.jsonl', 'empty.jsonl']
