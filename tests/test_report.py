"""The command on a real run: its checkpoints answer a case as the run itself answered."""

import json
from collections import Counter

import numpy as np
import pytest

from tests.small import small
from xmrc_jax import report
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.recipe.reopen import Reopened


def test_a_run_is_reported_with_a_case(finished, capsys):
    results = (finished / 'results.json').read_bytes()
    id_, other, *_ = json.loads((finished / 'predictions/base').joinpath(
        'encyclopedia-test.hi-hi.json').read_text())  # fmt: skip
    report.main([str(finished), '--case', f'{id_}@hi', '--case', f'{other}@hi'])
    assert 'written: ' in capsys.readouterr().out
    page = (finished / 'report.html').read_text('utf-8')
    for title in ('Scores', 'Top-k', 'Training', 'Errors', 'Case studies', 'Comparison', 'Runs'):
        assert f'>{title}</h2>' in page
    assert 'without gold answers' not in page
    assert (finished / 'results.json').read_bytes() == results
    case = json.loads((finished / 'cases' / f'{id_}.hi-hi.json').read_text('utf-8'))
    assert list(case['answers']) == ['base', 'two_stage']
    markdown = (finished / 'report.md').read_text('utf-8')
    assert markdown.count('Answers of every checkpoint') == page.count('Answers of every') == 1
    for each in (id_, other):
        asked = json.loads((finished / 'cases' / f'{each}.hi-hi.json').read_text('utf-8'))
        assert f'### {each} (encyclopedia/test, hi)\n\n{asked["question"]} Gold: ' in markdown
    for steps in case['answers'].values():
        assert list(steps) == ['3', '6']
        for answers in steps.values():
            probabilities = [p for *_, p in answers]
            assert probabilities == sorted(probabilities, reverse=True)
            assert 0 < sum(probabilities) <= 4  # of different spans of at most four windows
            assert all(case['passage'][start:end] == text for start, end, text, _ in answers)


def test_checkpoints_answer_as_the_run_did(finished):
    reopened, splits = Reopened(finished), Experiment(small(), finished).inputs.tests
    assert reopened.kept('base') == [3, 6]
    step = json.loads((finished / 'base' / 'selected.json').read_text())['step']
    for (corpus, questions), split in zip(reopened.tests(), splits, strict=True):
        language = corpus.context_language
        path = finished / f'predictions/base/encyclopedia-test.{language}-{language}.nbest.json'
        stored = json.loads(path.read_text('utf-8'))[questions[-1].id]
        answers = reopened.ask('base', step, questions[-1])
        texts = Counter(span.text for span in answers)
        assert texts == Counter(each['text'] for each in stored)
        # P(z) is the stored logits' exponential over one number, the same for all of a window.
        logits = {each['text']: each['start_logit'] + each['end_logit'] for each in stored}
        once = [span for span in answers if texts[span.text] == 1]
        of_windows = np.sort([np.log(span.probability) - logits[span.text] for span in once])
        windows = (split.windows.question_W == len(questions) - 1).sum()
        assert len(once) > 2 * windows
        assert (np.diff(of_windows) > 1e-4).sum() < windows <= 5


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
