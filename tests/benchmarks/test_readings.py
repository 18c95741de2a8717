"""The table of readings: what the files of a run say, and the gradient of each part of eq. 9."""

from dataclasses import replace

import jax
import numpy as np
import optax
import pytest

from benchmarks import readings
from xmrc_jax.ground.files import read_json, read_json_lines, write_json
from xmrc_jax.recipe import settings
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.train.two_stage import two_stage_objective


@pytest.fixture
def sweep(finished, tmp_path):
    """A sweep of one run, of which two entries are readers, and of one that was not run."""
    labels = {'base': 'base', 'two-stage': 'two_stage', 'another': 'two_stage'}
    entries = [
        {'label': label, 'system': system, 'x': None, 'paper': None}
        for label, system in labels.items()
    ]
    folders = {'base': 'run', 'two-stage': 'run', 'another': 'absent'}
    listed = [{'entry': label, 'seed': 0, 'folder': own} for label, own in folders.items()]
    (tmp_path / 'run').symlink_to(finished)
    described = {'title': 'Readings', 'axis': '', 'entries': entries, 'runs': listed}
    write_json(tmp_path / 'sweep.json', described)
    return tmp_path


def test_every_entry_has_a_line_of_what_its_run_says(sweep, finished, capsys):
    readings.main([str(sweep), '--batches', '1'])
    printed = capsys.readouterr().out.splitlines()
    head, _, *rows = [
        [cell.strip() for cell in line.split('|')[1:-1]] for line in printed if line[:1] == '|'
    ]
    base, two_stage, another = (dict(zip(head, row, strict=True)) for row in rows)
    assert another == dict.fromkeys(head, '') | {'': 'another', 'steps': 'not run'}
    assert base['eq. 8, begins'] == base['of eq. 8'] == ''
    selected = read_json(finished / 'two_stage' / 'selected.json')
    assert two_stage['dev F1'] == f'{selected["f1"]:.2f}'
    lines = read_json_lines(finished / 'two_stage' / 'metrics.jsonl')
    logged = [line for line in lines if 'contrast_loss' in line]
    last = np.array_split([line['contrast_loss'] for line in logged], 3)[-1]
    assert two_stage['eq. 8, ends'] == f'{np.mean(last):.3f}'
    records = [each for each in read_json(finished / 'results.json') if each['system'] == 'base']
    assert base['F1'] == f'{np.mean([each["f1"] for each in records]):.2f}'
    assert float(two_stage['of eq. 5']) > 0


def test_the_gradients_apart_are_those_of_objectives_that_have_one_part_alone(finished):
    """With alpha = 1 eq. 9 is eq. 8, with alpha = 0 it is eq. 5."""
    own = Experiment(settings.read_folder(finished), finished)
    method, run = own.run.method.reading, own.run
    batch = own.fit.batches(own.inputs.train, own.mined.of_windows()).batch_at(0)
    slots = method.hard.initial_slots(run.mine.candidates, run.mine.gold_slot)
    params = {'reader': own.store('two_stage').reported()} | slots

    def norm(alpha):
        alone = replace(method, alpha=alpha)
        longest = run.evaluate.ask.max_answer_tokens
        objective = two_stage_objective(own.inputs.encoder, alone, 1, longest, run.mine.gold_slot)

        def loss(params):
            loss_B = objective(params, batch, 0, jax.random.key(0)).loss_B
            return (loss_B * batch.real_B).sum() / batch.real_B.sum()

        return float(optax.tree.norm(jax.jit(jax.grad(loss))(params)))

    found = dict(readings.gradients(finished, 1))
    assert found['of eq. 8'] == pytest.approx(method.alpha * norm(1.0), rel=1e-5)
    assert found['of eq. 5'] == pytest.approx((1 - method.alpha) * norm(0.0), rel=1e-5)
