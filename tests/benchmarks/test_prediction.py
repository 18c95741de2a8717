"""Both readers of the prediction benchmark read the same."""

import re

from benchmarks import prediction


def test_the_command_prints_both_speeds_and_that_the_logits_agree(capsys):
    prediction.main(['--encoder', 'tiny', '--batch', '4', '--windows', '10', '--rounds', '1'])
    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if line.startswith('| ')]
    names = ['reader', '---', 'ours', 'torch, sorted', 'torch']
    assert [row.split('|')[1].strip() for row in rows] == names
    assert '10 windows of ' in printed
    (apart,) = re.findall(r'largest difference of a logit: (\S+)', printed)
    assert 0 < float(apart) < 1e-4
