"""The command: a reader, a corpus, and the report on them."""

import json

import pytest

from tests.conftest import status_of
from xmrc_jax import evaluate_reader


def test_a_reader_is_scored_and_reported_by_one_command(exported, squad_file, tmp_path, capsys):
    folder = tmp_path / 'scores'
    words = [f'own={exported}', '--on', f'{squad_file}@hi', '--workdir', str(folder)]
    evaluate_reader.main([*words, '--metric', 'squad', '--batch_size', '8'])
    (record,) = json.loads((folder / 'results.json').read_text('utf-8'))
    assert (record['system'], record['metric'], record['questions']) == ('own', 'squad', 4)
    assert 'F1/EM (metric squad)' in capsys.readouterr().out
    assert 'own' in (folder / 'report.html').read_text('utf-8')


def test_a_folder_without_a_name_is_refused(exported, squad_file, capsys):
    with pytest.raises(SystemExit):
        evaluate_reader.main([str(exported), '--on', str(squad_file), '--workdir', ''])
    assert '--workdir: the name is empty' in capsys.readouterr().err


def test_a_corpus_that_is_not_there_is_one_line(exported, tmp_path, capsys):
    words = [str(exported), '--on', 'no.json@de', '--workdir', str(tmp_path / 'scores')]
    assert status_of(lambda: evaluate_reader.main(words)) == 2
    assert capsys.readouterr().err == 'xmrc_jax: no.json: no such file\n'
