"""The command on a real run: its checkpoints answer a case as the run itself answered."""

import json

import numpy as np
import pytest

from xmrc_jax import report
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe.reopen import Reopened


def test_a_run_is_reported_with_a_case(finished, capsys):
    results = (finished / 'results.json').read_bytes()
    id_ = next(iter(json.loads((finished / 'predictions/base').joinpath(
        'encyclopedia-test.hi-hi.json').read_text())))  # fmt: skip
    report.main([str(finished), '--case', f'{id_}@hi'])
    assert 'written: ' in capsys.readouterr().out
    page = (finished / 'report.html').read_text('utf-8')
    for title in ('Scores', 'Top-k', 'Training', 'Errors', 'Case studies', 'Comparison', 'Runs'):
        assert f'>{title}</h2>' in page
    assert 'without gold answers' not in page
    assert (finished / 'results.json').read_bytes() == results
    case = json.loads((finished / 'cases' / f'{id_}.hi-hi.json').read_text('utf-8'))
    assert list(case['answers']) == ['base', 'two_stage']
    for steps in case['answers'].values():
        assert list(steps) == ['3', '6']
        for answers in steps.values():
            probabilities = [p for *_, p in answers]
            assert probabilities == sorted(probabilities, reverse=True)
            assert 0 < sum(probabilities) <= 1  # of different spans of one window
            assert all(case['passage'][start:end] == text for start, end, text, _ in answers)


def test_checkpoints_answer_as_the_run_did(finished):
    reopened = Reopened(finished)
    assert reopened.kept('base') == [3, 6]
    step = json.loads((finished / 'base' / 'selected.json').read_text())['step']
    for corpus, questions in reopened.tests():
        language = corpus.context_language
        path = finished / f'predictions/base/encyclopedia-test.{language}-{language}.nbest.json'
        stored = json.loads(path.read_text('utf-8'))
        question = questions[-1]
        answers = reopened.ask('base', step, question)
        assert [span.text for span in answers][:3] == [
            answer['text'] for answer in stored[question.id]
        ][:3]
        # P(z) is the stored logits' exponential over one number, the same for all of a window.
        logits = [each['start_logit'] + each['end_logit'] for each in stored[question.id]][:3]
        ratio = np.log([span.probability for span in answers[:3]]) - logits
        assert np.ptp(ratio) < 1e-4


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['{run}/nowhere'], 'no such folder'),
        (['{run}/base'], 'neither results.json nor sweep.json'),
        (['{run}', '{run}'], '--output: several folders are given'),
        (['{run}', '--case', 'nobody'], '--case nobody: no test question'),
        (['{run}', '--compare', 'base', 'other'], '--compare'),
    ],
)
def test_mistakes_are_named_in_one_line(finished, words, message):
    with pytest.raises(UserError) as error:
        report.main([word.format(run=finished) for word in words])
    assert message in str(error.value)
    assert '\n' not in str(error.value)


def test_data_that_are_gone_are_named_in_one_line(finished, tmp_path, capsys):
    config = json.loads((finished / 'config.json').read_text())
    config['data']['tests'] = [str(tmp_path / 'gone.json') + '@en']
    copy = tmp_path / 'run'
    copy.mkdir()
    for name in ('results.json', 'predictions', 'base', 'two_stage'):
        (copy / name).symlink_to(finished / name)
    (copy / 'config.json').write_text(json.dumps(config))
    report.main([str(copy), '--output', str(tmp_path / 'out')])
    page = (tmp_path / 'out' / 'report.html').read_text('utf-8')
    assert page.count('without gold answers') == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith('cases and comparisons: ' + str(tmp_path / 'gone.json') + ': no such file')
    assert '>Training</h2>' in page
    assert '>Errors</h2>' not in page
