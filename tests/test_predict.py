"""The command: every form of it, and one line for every mistake."""

import io
import json
import re
import sys
from itertools import pairwise

import numpy as np
import pytest

from tests.conftest import RECORDS, squad_json, status_of
from xmrc_jax import predict
from xmrc_jax.ground.errors import UserError
from xmrc_jax.processes import accelerators
from xmrc_jax.processes.accelerators import Machine
from xmrc_jax.recipe.reader import Reader

PASSAGE, QUESTION = RECORDS[0][1:3]


@pytest.fixture(scope='module')
def folder(exported, tmp_path_factory):
    """The reader, and a file of each format."""
    folder = tmp_path_factory.mktemp('folder')
    (folder / 'reader').symlink_to(exported)
    (folder / 'squad.json').write_text(json.dumps(squad_json(RECORDS)))
    lines = [{'id': id_, 'question': q, 'context': p} for id_, p, q, *_ in RECORDS]
    (folder / 'lines.jsonl').write_text('\n'.join(map(json.dumps, [*lines, {'id': 'bad'}])))
    return folder


@pytest.fixture(autouse=True)
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)


def test_files_become_answers_and_their_n_best(folder, capsys):
    predict.main(['reader', 'squad.json', '--output', 'out/answers.json'])
    best = json.loads((folder / 'out' / 'answers.json').read_text('utf-8'))
    nbest = json.loads((folder / 'out' / 'answers-nbest.json').read_text('utf-8'))
    assert list(best) == list(nbest) == [record[0] for record in RECORDS]
    assert all(best[id_] == nbest[id_][0]['text'] for id_ in best)
    said = capsys.readouterr()
    assert said.out == ''
    first, *_, last = said.err.splitlines()
    assert first == (
        'reader: reader: windows of 36 tokens, 8 shared, questions up to 16, answers up to 5'
    )
    assert last == 'written: out/answers.json, out/answers-nbest.json; 4 records'


def test_a_gpu_that_is_not_used_is_named_first(capsys, monkeypatch):
    seen = Machine('here', 'GPU', ['0'], [], 'install it')
    monkeypatch.setattr(accelerators, 'here', lambda: seen)
    predict.main(['reader', '--question', QUESTION, '--passage', PASSAGE])
    first, second = capsys.readouterr().err.splitlines()
    assert first == 'warning: here has 1 GPU, but JAX computes on the CPU: install it'
    assert second.startswith('reader: ')


def test_lines_go_to_a_file_or_to_standard_output(folder, capsys, monkeypatch):
    predict.main(['reader', 'lines.jsonl', '--output', 'answers.jsonl'])
    assert capsys.readouterr().err.splitlines()[-1] == (
        'written: answers.jsonl; 5 records, 1 of them cannot be asked'
    )
    monkeypatch.setattr(
        sys, 'stdin', io.TextIOWrapper(io.BytesIO((folder / 'lines.jsonl').read_bytes()))
    )
    predict.main(['reader', '-'])
    assert capsys.readouterr().out == (folder / 'answers.jsonl').read_text('utf-8')


def test_strict_ends_with_a_status_when_all_is_written(folder, capsys):
    words = ['reader', 'lines.jsonl', '--output', 'strict.jsonl']
    assert status_of(lambda: predict.main([*words, '--strict'])) == 2
    assert capsys.readouterr().err.endswith('xmrc_jax: --strict: 1 of 5 records cannot be asked\n')
    assert len((folder / 'strict.jsonl').read_text('utf-8').splitlines()) == 5
    assert status_of(lambda: predict.main(words)) == 0


@pytest.mark.parametrize('piped', [False, True])
def test_a_single_question_is_answered_on_the_screen(piped, capsys, monkeypatch, exported):
    monkeypatch.setattr(sys, 'stdin', io.TextIOWrapper(io.BytesIO(PASSAGE.encode())))
    passage = '-' if piped else PASSAGE
    predict.main(['reader', '--question', QUESTION, '--passage', passage])
    lines = capsys.readouterr().out.splitlines()
    answers = Reader.load(exported).ask(QUESTION, PASSAGE)
    assert len(lines) == len(answers) == 5
    for line, answer in zip(lines, answers, strict=True):
        share, text = line.split('  ', 1)
        percent = float(share.removesuffix('% of the n-best'))
        assert percent == pytest.approx(100 * answer.probability, abs=0.05)
        assert text == f'{answer.text}  ({answer.start}-{answer.end})'


def test_a_piped_passage_that_is_no_utf_8_is_one_line(monkeypatch, exported):
    monkeypatch.setattr(sys, 'stdin', io.TextIOWrapper(io.BytesIO(b'Ada \xff Fenwick')))
    with pytest.raises(UserError, match='standard input: not UTF-8; save it as UTF-8'):
        predict.main(['reader', '--question', QUESTION, '--passage', '-'])


def test_a_single_question_of_several_passages_names_the_passage(capsys):
    words = ['--passage', RECORDS[1][1], '--passage', PASSAGE, '--n_best', '3']
    predict.main(['reader', '--question', QUESTION, *words])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all(line.endswith((' of passage 0)', ' of passage 1)')) for line in lines)


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['reader'], 'name files of questions, or one --question'),
        (['reader', '--question', 'Who?'], 'name files of questions, or one --question'),
        (['reader', '--passage', 'Ada.'], 'name files of questions, or one --question'),
        (['reader', 'squad.json', '--question', 'Who?', '--passage', 'Ada.'], 'name files of'),
        (['reader', '--question', 'Who?', '--passage', 'Ada.', '--output', 'a.json'], '--output: '),
        (['reader', '--question', ' ', '--passage', 'Ada.'], 'empty question'),
        (['reader', '--question', 'Who?', '--passage', ''], 'empty passage'),
        (['reader', 'nothing.json'], 'nothing.json: cannot be read'),
        (['reader', 'squad.json', '--output', 'answers.csv'], 'ends in .json or .jsonl'),
        (['reader', 'squad.json', '--output', 'squad.json/answers.json'], 'cannot be written'),
        (['reader', 'lines.jsonl', '--output', './lines.jsonl'], 'holds the questions'),
        (['reader', 'squad.json', 'squad.json'], 'squad.json: named twice'),
        (['', 'squad.json'], 'no reader is named'),
        (['no/reader/here', 'squad.json'], 'no/reader/here: no trained reader'),
    ],
)
def test_a_mistake_is_one_line_and_status_2(words, message, capsys):
    assert status_of(lambda: predict.main(words)) == 2
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if not line.startswith('reader: ')]
    assert (said.out, len(lines)) == ('', 1)
    assert lines[0].startswith('xmrc_jax: ')
    assert message in lines[0]


@pytest.mark.parametrize('output', ['/proc/answers.json', 'taken.json'])
def test_what_cannot_be_written_is_refused_before_anything_is_loaded(
    output, folder, capsys, monkeypatch
):
    def never(*_, **__):
        raise AssertionError('a reader was loaded')

    monkeypatch.setattr(Reader, 'load', never)
    (folder / 'taken-nbest.json').mkdir(exist_ok=True)
    assert status_of(lambda: predict.main(['reader', 'squad.json', '--output', output])) == 2
    assert 'cannot be written' in capsys.readouterr().err


def test_there_may_be_no_answer_and_answers_that_overlap_are_listed_once_on_request(folder, capsys):
    words = ['reader', '--question', QUESTION, '--passage', PASSAGE]
    predict.main([*words, '--null_threshold=-1000000'])
    first, *_ = capsys.readouterr().out.splitlines()
    assert first.endswith('(there is no answer)')
    predict.main([*words, '--max_overlap', '0'])
    spans = re.findall(r'\((\d+)-(\d+)\)', capsys.readouterr().out)
    places = sorted((int(start), int(end)) for start, end in spans)
    assert places
    assert all(end <= start for (_, end), (start, _) in pairwise(places))
    predict.main(['reader', 'squad.json', '--output', 'none.json', '--null_threshold=-1000000'])
    best = json.loads((folder / 'none.json').read_text('utf-8'))
    assert set(best.values()) == {''}
    nbest = json.loads((folder / 'none-nbest.json').read_text('utf-8'))
    assert all(np.isfinite(own[0]['start_logit'] + own[0]['end_logit']) for own in nbest.values())
    for wrong in ('-0.1', '1.5', 'half'):
        with pytest.raises(SystemExit):
            predict.main([*words, '--max_overlap', wrong])
