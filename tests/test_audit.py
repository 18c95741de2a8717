"""The audit command: what survives the tokenizer, or one line that says what to mend."""

import json
import subprocess
import sys

import pytest

from tests.conftest import RECORDS, squad_json
from xmrc_jax import audit
from xmrc_jax.data import corpora, mending
from xmrc_jax.ground.commands import command


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, 'CACHE', tmp_path / 'cache')
    return tmp_path / 'cache'


@pytest.fixture
def tokenizer_folder(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path / 'tokenizer')
    return str(tmp_path / 'tokenizer')


@pytest.fixture
def cut_file(tmp_path):
    """An answer that begins inside the token 1876, and a record whose answer is not in its text."""
    id_, passage, question, *_ = RECORDS[0]
    data = squad_json([(id_, passage, question, '76')])
    defective = {'id': 'x', 'question': 'Who?', 'answers': [{'text': 'Lisbon', 'answer_start': 0}]}
    data['data'][0]['paragraphs'][0]['qas'].append(defective)
    (tmp_path / 'cut.json').write_text(json.dumps(data))
    return tmp_path / 'cut.json'


def cells(line):
    return [cell.strip() for cell in line.strip('|').split('|')]


def test_one_row_for_each_corpus(squad_file, cut_file, tokenizer, tokenizer_folder, cache, capsys):
    specs = [f'{squad_file}@ar-en', str(cut_file)]
    audit.main(['--tokenizer', tokenizer_folder, '--max_tokens', '100', *specs])
    header, _, *lines = capsys.readouterr().out.splitlines()
    four, cut = (dict(zip(cells(header), cells(line), strict=True)) for line in lines[:2])

    # Every text fits one window of 100 tokens: as long as question and passage together.
    lengths = [len(tokenizer(question, text)['input_ids']) for _, text, question, *_ in RECORDS]
    mean = f'{sum(lengths) / 4:.1f}'
    assert four == {
        'corpus': specs[0],
        'questions': '4',
        'windows': '4',
        'tokens/window': mean,
        'real': f'{mean}%',
        'exact': '4',
        '% exact': '100.00%',
        'word inside token': '0',
        'punctuation inside token': '0',
        'dropped at edge': '0',
        'not in any window': '0',
        'long answer': '0',
        'cut question': '0',
        'several answers': '0',
        'no answer': '0',
    }
    assert (cut['questions'], cut['% exact'], cut['word inside token']) == ('1', '0.00%', '1')
    notes = '\n'.join(lines[2:])
    assert f'into a word or number; such as {specs[1]} latin\n' in notes
    assert f'- {specs[0]}: questions in en on passages in ar\n' in notes
    assert f'- {specs[1]}: 1 of 2 records dropped: {mending.NOT_THERE}' in notes
    kept = [path for path in (cache / 'windows').iterdir() if path.suffix != '.lock']
    assert len(kept) == 2


def test_what_was_dropped_or_mended_is_listed_with_its_reason(
    squad_file, cut_file, tokenizer_folder, capsys
):
    file = json.loads(cut_file.read_text())
    kept = file['data'][0]['paragraphs'][0]['qas'][0]
    kept['answers'].append({'text': '', 'answer_start': 0})  # it is in the table all the same
    cut_file.write_text(json.dumps(file))
    audit.main(['--tokenizer', tokenizer_folder, '--records', str(squad_file), str(cut_file)])
    lines = capsys.readouterr().out.splitlines()
    assert f'- {cut_file}: 1 of 2 records mended: empty answer' in '\n'.join(lines)
    at = lines.index(f'| record of {cut_file} |  | reason |')
    assert [cells(line) for line in lines[at + 2 :] if line] == [
        ['x', 'dropped', mending.NOT_THERE],
        ['latin', 'mended', 'empty answer (its other answers are kept)'],
    ]
    assert not [line for line in lines if f'record of {squad_file}' in line]


def test_all_counts_as_json_and_no_jax(cut_file, tokenizer_folder, tmp_path):
    numbers = tmp_path / 'numbers.json'
    argv = ['--tokenizer', tokenizer_folder, '--json', str(numbers), str(cut_file)]
    program = (
        'import pathlib, sys, xmrc_jax.audit as audit; '
        f'audit.CACHE = pathlib.Path({str(tmp_path)!r}); '
        f'sys.exit(audit.main({argv!r}) or "jax" in sys.modules)'
    )
    subprocess.run([sys.executable, '-c', program], check=True, stdout=subprocess.DEVNULL)
    measured = json.loads(numbers.read_text())[str(cut_file)]
    assert measured['real_positions'] == measured['tokens_per_window'] / 384
    assert measured['misses']['word_inside_token'] == {'count': 1, 'examples': ['latin']}
    assert (measured['golds'], measured['exact']) == (1, 0)
    assert (measured['dropped'], measured['mended']) == (1, 0)


@pytest.mark.parametrize(
    ('argv', 'message'),
    [
        ('--tokenizer {tokenizer} {folder}/absent.json', 'absent.json: no such file'),
        ('--tokenizer {tokenizer} {folder}/four.json squat/dev', "did you mean 'squad'"),
        ('--tokenizer {tokenizer} --root {folder}/absent squad/dev', 'no such data folder'),
        ('--tokenizer {folder}/absent {folder}/four.json', 'no tokenizer could be loaded'),
        ('--tokenizer {tokenizer} --stride -1 {folder}/four.json', 'stride=-1: must be at least 0'),
        ('--tokenizer {tokenizer} --max_tokens 4 {folder}/four.json', 'longer than the window'),
        ('--tokenizer {tokenizer} --json {folder} {folder}/four.json', 'cannot be written'),
        ('--tokenizer {tokenizer} --json . {folder}/four.json', '.: cannot be written'),
        ('--tokenizer {tokenizer} --json {folder}/four.json {folder}/four.json', 'holds a corpus'),
        ('--tokenizer {folder}/four.json {folder}/four.json', 'four.json: a file; name the folder'),
        (
            '--tokenizer {tokenizer} --max_tokens 99999999999999999999 {folder}/four.json',
            'max_tokens=99999999999999999999: must be at least 1 and below 2147483648',
        ),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    argv, message, squad_file, tokenizer_folder, tmp_path, capsys
):
    words = argv.format(tokenizer=tokenizer_folder, folder=squad_file.parent).split()
    before = squad_file.read_bytes()
    with pytest.raises(SystemExit) as ended:
        command(lambda: audit.main(words))
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ''
    assert captured.err.startswith('xmrc_jax: ')
    assert captured.err.count('\n') == 1
    assert message in captured.err
    assert squad_file.read_bytes() == before
