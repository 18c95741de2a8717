"""The benchmark of extraction: run_qa's algorithm and ours agree wherever they must."""

import json

import numpy as np
import pytest

from benchmarks import extract, text
from xmrc_jax.data import squad
from xmrc_jax.data.windows import WindowSize, build


@pytest.fixture
def both(squad_file, tokenizer):
    """Windows of some size -> the n-best answers of ours and of run_qa."""
    questions = squad.read(squad_file).questions

    def answered(size):
        windows = build(questions, tokenizer, size)
        logits = extract.random_logits(windows)
        features = extract.features_of(windows, size.max_tokens)
        ours = extract.Ours(questions, windows, logits, 3)
        theirs = extract.RunQA(questions, features, logits)
        return windows, json.loads(ours.text(ours())), theirs()

    return answered


def test_over_all_pairs_both_find_the_same(both, monkeypatch):
    """With as many best starts and ends as a window has tokens run_qa looks at every pair."""
    monkeypatch.setattr(extract, 'N_BEST', 100)
    windows, ours, theirs = both(WindowSize(100, 8, 16))
    assert len(windows) == len(ours) == 4  # no window overlaps another: nothing to merge
    assert ours.keys() == theirs.keys()
    for id_, answers in ours.items():
        assert len(answers) == 100
        for answer, other in zip(answers, theirs[id_], strict=True):
            assert answer.pop('end') - answer.pop('start') == len(answer['text'])  # ours alone
            assert answer.keys() == other.keys()
            assert answer.pop('probability') == pytest.approx(other.pop('probability'), rel=1e-4)
            assert answer == other


def test_of_few_pairs_ours_are_never_worse(both, monkeypatch):
    monkeypatch.setattr(extract, 'N_BEST', 3)
    windows, ours, theirs = both(WindowSize(36, 8, 16))
    assert len(windows) > 4  # some question has several windows
    scores = np.array([[extract.best(each[id_])[1] for id_ in ours] for each in (ours, theirs)])
    assert (scores[0] >= scores[1]).all()
    assert (scores[0] > scores[1]).any()  # 3 starts by 3 ends are not all pairs
    assert 'lower for 0.' in extract.compared(ours, theirs)
    assert f'lower for {np.sum(scores[0] > scores[1])}.' in extract.compared(theirs, ours)


def test_the_command_prints_its_table(monkeypatch, capsys):
    monkeypatch.delenv('XMRC_DATA', raising=False)
    monkeypatch.setattr(text, 'PASSAGES', 3)
    extract.main(['--rounds', '1', '--batch', '8', '--questions', '10'])
    printed = capsys.readouterr().out
    assert 'python -m benchmarks.extract --rounds 1 --batch 8 --questions 10' in printed
    assert '10 questions, 10 windows' in printed
    assert 'the embedded corpus (dev)' in printed
    rows = [line for line in printed.splitlines() if line.startswith('| ')]
    assert len(rows) == 2 + 8  # head and rule, two forms of run_qa, ours and its parts; written
    assert 'lower for 0.' in printed
