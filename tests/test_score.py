"""The scoring command: the official line, or one line that says what to mend."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import status_of
from xmrc_jax import score


def squad_file(path, golds, answer_start=0):
    """Answers are not in the passage: the official scripts do not look, so neither may we."""
    qas = [
        {'id': id_, 'question': '?', 'answers': [{'text': gold, 'answer_start': answer_start}]}
        for id_, gold in golds.items()
    ]
    data = [{'title': '', 'paragraphs': [{'context': 'no answer here', 'qas': qas}]}]
    path.write_text(json.dumps({'version': '1.1', 'data': data}), 'utf-8')
    return str(path)


@pytest.fixture
def files(tmp_path):
    """Two Spanish questions, answered with one article too many and not at all."""
    data = squad_file(tmp_path / 'data.json', {'1': 'Casa Blanca', '2': 'Lima', '3': 'Ada'})
    predictions = tmp_path / 'predictions.json'
    predictions.write_text(json.dumps({'1': 'la Casa Blanca', '2': 'Lima'}), 'utf-8')
    return [data, str(predictions)]


@pytest.mark.parametrize(
    ('options', 'line'),
    [
        # Question 1 is exact without its article, 2 exact, 3 unanswered: 2 of 3.
        (
            '--metric mlqa --language es',
            '{"exact_match": 66.66666666666667, "f1": 66.66666666666667}',
        ),
        # With the article 1 has F1 0.8: 1 of 3 and 1.8 of 3.
        ('--metric squad', '{"exact_match": 33.333333333333336, "f1": 60.0}'),
    ],
)
def test_the_official_line_is_printed(files, options, line, capsys):
    score.main([*files, *options.split()])
    captured = capsys.readouterr()
    assert captured.out == f'{line}\n'
    assert captured.err == 'Unanswered question 3 will receive score 0.\n'


def test_squad_2_prints_both_kinds_and_the_best_threshold(tmp_path, capsys):
    qas = [
        {'id': '1', 'question': '?', 'answers': [{'text': 'Ada', 'answer_start': 0}]},
        {'id': '2', 'question': '?', 'answers': [], 'is_impossible': True},
    ]
    data = {'data': [{'paragraphs': [{'context': 'Ada', 'qas': qas}]}]}
    for name, content in (
        ('data', data),
        ('answers', {'1': 'Ada', '2': 'Ada'}),
        ('odds', {'1': -3.5, '2': 7}),
    ):
        (tmp_path / name).write_text(json.dumps(content))
    own = [str(tmp_path / 'data'), str(tmp_path / 'answers'), '--metric', 'squad2']
    score.main([*own, '--null_odds', str(tmp_path / 'odds')])
    printed = capsys.readouterr().out
    assert json.loads(printed) == {
        **{'exact': 100.0, 'f1': 100.0, 'total': 2},
        **{'HasAns_exact': 100.0, 'HasAns_f1': 100.0, 'HasAns_total': 1},
        **{'NoAns_exact': 100.0, 'NoAns_f1': 100.0, 'NoAns_total': 1},
        **{'best_exact': 100.0, 'best_exact_thresh': -3.5},
        **{'best_f1': 100.0, 'best_f1_thresh': -3.5},
    }
    assert printed.startswith('{\n  "exact": 100.0,\n')
    score.main(own)
    assert json.loads(capsys.readouterr().out)['NoAns_f1'] == 0.0
    score.main([*own, '--null_odds', str(tmp_path / 'odds'), '--threshold', '-4'])
    assert json.loads(capsys.readouterr().out)['HasAns_f1'] == 0.0


@pytest.mark.parametrize(
    ('odds', 'metric', 'line'),
    [
        ('{"1": 0}', 'squad', '--null_odds: belongs to --metric squad2'),
        ('[1]', 'squad2', 'not a JSON object of question id -> null odds'),
        ('{"1": "high"}', 'squad2', "the null odds of question '1' are no number"),
        ('{"1": NaN}', 'squad2', "the null odds of question '1' are no number"),
    ],
)
def test_null_odds_that_cannot_be_used_are_refused(files, tmp_path, odds, metric, line, capsys):
    (tmp_path / 'odds.json').write_text(odds)
    own = [*files, '--metric', metric, '--null_odds', str(tmp_path / 'odds.json')]
    assert status_of(lambda: score.main(own)) == 2
    assert line in capsys.readouterr().err


def test_an_answer_of_null_is_none(files, capsys):
    path = Path(files[1])
    path.write_text(json.dumps(json.loads(path.read_text('utf-8')) | {'3': None}), 'utf-8')
    score.main([*files, '--metric', 'squad'])
    assert capsys.readouterr().err == 'Unanswered question 3 will receive score 0.\n'


@pytest.mark.parametrize(
    'written',
    [
        gzip.compress,
        lambda content: b'\xef\xbb\xbf' + content,
        lambda content: content.decode().encode('utf-16'),
    ],
)
def test_a_file_is_read_as_a_corpus_is(files, written, capsys):
    for name in files:
        Path(name).write_bytes(written(Path(name).read_bytes()))
    score.main([*files, '--metric', 'squad'])
    assert json.loads(capsys.readouterr().out)['f1'] == 60.0


def test_ids_that_are_numbers_are_read_as_text_and_counted(files, capsys):
    path = Path(files[0])
    path.write_text(path.read_text('utf-8').replace('"id": "1"', '"id": 1'), 'utf-8')
    score.main([*files, '--metric', 'squad'])
    captured = capsys.readouterr()
    assert json.loads(captured.out)['f1'] == 60.0
    assert f'{path}: of 3 ids 1 are numbers, read as text\n' in captured.err


def test_the_command_runs_without_jax(files):
    program = (
        'import sys, xmrc_jax.score as score; '
        f'score.main({files!r} + ["--metric", "squad"]); '
        'sys.exit("jax" in sys.modules)'
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert (done.returncode, json.loads(done.stdout)['f1']) == (0, 60.0)


def test_gold_answers_may_be_in_rows(files, tmp_path, capsys):
    one, two = ({'text': [text], 'answer_start': [0]} for text in ('Casa Blanca', 'Lima'))
    rows = [
        {'id': '1', 'question': '?', 'answers': one},
        {'id': 2, 'question': '?', 'answers': two},
    ]
    table = 'id,question,context,answer,answer_start\n1,?,x,Casa Blanca,0\n2,?,x,Lima,0\n'
    for name, text in (
        ('rows.csv', table),
        ('rows.jsonl', '\n'.join(map(json.dumps, rows))),
        ('rows.json', json.dumps({'data': rows})),
    ):
        (tmp_path / name).write_text(text)
        score.main([str(tmp_path / name), files[1], '--metric', 'squad'])
        assert json.loads(capsys.readouterr().out) == {'exact_match': 50.0, 'f1': 90.0}


def test_answers_to_other_questions_are_counted(files, capsys):
    Path(files[1]).write_text('{"1": "Casa Blanca", "id": "1", "text": "Lima"}')
    score.main([*files, '--metric', 'squad'])
    first, *_ = capsys.readouterr().err.splitlines()
    assert first == (
        f"{files[1]}: 2 of 3 answers are to questions that {files[0]} does not have, such as 'id'"
    )


def test_lines_of_answers_are_no_object_of_them(files, tmp_path, capsys):
    lines = tmp_path / 'answers.jsonl'
    lines.write_text('{"id": "1", "text": "Lima"}\n')
    assert status_of(lambda: score.main([files[0], str(lines), '--metric', 'squad'])) == 2
    said = capsys.readouterr().err
    assert said == f'xmrc_jax: {lines}: JSON lines; name what predict --output NAME.json writes\n'


GOOD = {'version': '1.1', 'data': [{'paragraphs': [{'qas': [{'id': '1', 'answers': []}]}]}]}


@pytest.mark.parametrize(
    ('data', 'predictions', 'options', 'message'),
    [
        (None, {}, '--metric squad', 'data.json: no such file'),
        ('{"data": [', {}, '--metric squad', 'data.json: broken JSON'),
        ([], {}, '--metric squad', 'data.json: not in SQuAD format'),
        ({'data': [{'paragraphs': [{}]}]}, {}, '--metric squad', "'qas'"),
        ({'data': [{'paragraphs': [{'qas': [{'id': 1.5, 'answers': []}]}]}]}, {}, '--metric squad',
         'data.json: not in SQuAD format: data[0].paragraphs[0].qas[0]: id missing'),
        ({'data': [{'paragraphs': [{'qas': [{'id': '1', 'answers': None}]}]}]}, {},
         '--metric squad', 'data.json: not in SQuAD format: data[0].paragraphs[0].qas[0]: no list'),
        ({'data': {'paragraphs': 1}}, {}, '--metric squad', 'data.json: not in SQuAD format'),
        ('7', {}, '--metric squad', 'data.json: not in SQuAD format'),
        ({'data': [{'paragraphs': [{'qas': [{'id': '1', 'answers': [{'text': 1}]}]}]}]}, {},
         '--metric squad', 'an answer is not text: [1]'),
        ({'data': []}, {}, '--metric squad', 'no questions'),
        (GOOD, {}, '--metric squad', "question '1': no gold answer"),
        (GOOD, None, '--metric squad', 'predictions.json: cannot be read: No such file'),
        (GOOD, '{', '--metric squad', 'predictions.json: broken JSON'),
        (GOOD, ['x'], '--metric squad', 'predictions.json: not a JSON object'),
        (GOOD, {'1': ['x']}, '--metric squad', "predictions.json: the answer to question '1'"),
        (GOOD, {}, '--metric bleu', "--metric: unknown choice 'bleu'"),
        (GOOD, {}, '--metric mlqa --language xx', "no rules for language 'xx'"),
        (GOOD, {}, '--metric mlqa', "no rules for language ''"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_status_2(tmp_path, data, predictions, options, message, capsys):
    for name, content in (('data', data), ('predictions', predictions)):
        if content is not None:
            text = content if isinstance(content, str) else json.dumps(content)
            (tmp_path / f'{name}.json').write_text(text)
    paths = [str(tmp_path / 'data.json'), str(tmp_path / 'predictions.json')]
    if 'mlqa' in options:
        squad_file(tmp_path / 'data.json', {'1': 'x'})
    assert status_of(lambda: score.main([*paths, *options.split()])) == 2
    captured = capsys.readouterr()
    assert captured.out == ''
    assert captured.err.startswith('xmrc_jax: ')
    assert captured.err.count('\n') == 1
    assert message in captured.err
