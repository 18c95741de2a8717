"""The parity command, on readers of a few thousand weights."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip('torch')

from benchmarks import parity
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import weights
from xmrc_jax.model.architectures import PLAIN, EncoderConfig


@pytest.fixture(scope='module', params=parity.FAMILIES)
def exported(request, tokenizer, tmp_path_factory):
    """A random reader of the fixtures' tokens in Hugging Face's form, with its tokenizer."""
    cfg = dataclasses.replace(
        parity.random_config(request.param, np.random.default_rng(0)),
        vocabulary=len(tokenizer),
        positions=100,
        pad_id=tokenizer.pad_token_id,
    )
    folder = tmp_path_factory.mktemp(request.param) / 'exported'
    weights.save(folder, parity.random_params(cfg, 0), cfg, tokenizer)
    return folder


def columns(table):
    """The rows of a Markdown table as lists of cells, without its header."""
    lines = [line for line in table.splitlines() if line.startswith('|')]
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines[2:]]


def test_random_readers_are_equal_to_torch_and_come_back_bit_by_bit():
    printed = parity.models_table(1, None)
    rows = columns(printed)
    assert len(rows) == 6  # two families, three outputs
    for _, _, largest, *apart in rows:
        assert float(largest) > 0.2  # of a size at which 1e-5 says something
        assert all(0 < float(value) < 1e-5 for value in apart)
    assert printed.endswith('2 of 2 readers bit-exact.')


def test_the_exported_folder_answers_alike_in_torch(exported, squad_file, capsys):
    # 64 tokens: the longer passages take several windows.
    argv = ['--reader', str(exported), '--data', str(squad_file), '--max_tokens', '64']
    parity.main([*argv, '--stride', '8', '--questions', '3'])
    ((questions, windows, same, share, largest, apart),) = columns(capsys.readouterr().out)
    assert (questions, same, share) == ('3', '3', '100.00%')
    assert int(windows) > 3
    assert float(apart) < 1e-5 < float(largest)


def test_another_reader_does_not_answer_alike(exported, squad_file, monkeypatch):
    # The weights that answer here are not those of the folder that torch loads.
    cfg = EncoderConfig.of(weights.architecture_of(exported), PLAIN)
    monkeypatch.setattr(parity.weights, 'load', lambda *_: parity.random_params(cfg, 1))
    ((_, _, same, _, _, apart),) = columns(
        parity.answers_table(exported, squad_file, 4, parity.WindowSize(64, 8, 64))
    )
    assert int(same) < 4
    assert float(apart) > 0.1


@pytest.mark.parametrize(
    ('argv', 'message'),
    [
        ('--reader {0}', '--reader and --data go together'),
        ('--reader {0}/absent --data {0}/four.json', 'absent: no tokenizer could be loaded'),
        ('--reader {1} --data {0}/absent.json', 'absent.json: no such file'),
    ],
)
def test_a_mistake_is_one_line(argv, message, exported, squad_file, capsys):
    with pytest.raises(UserError, match=message):
        parity.main(argv.format(squad_file.parent, exported).split())
    assert capsys.readouterr().out == ''


def test_without_torch_it_says_so(monkeypatch):
    monkeypatch.setattr(parity, 'torch', None)
    with pytest.raises(UserError, match='needs PyTorch: pip install torch'):
        parity.main([])
