"""Folders to rows: seeds grouped, sweeps with holes, mistakes named in one line."""

import json

import pytest

from tests.reporting import made
from xmrc_jax.ground.errors import UserError
from xmrc_jax.reporting import runs


def sweep(folder, **changes):
    """A sweep of two values of alpha and two seeds, of which the last run is not finished."""
    labels = {'alpha = 0.3': 0.3, 'alpha = 0.5': 0.5}
    values = {
        'name': 'alpha',
        'title': 'Figure 4: alpha',
        'axis': 'alpha',
        'entries': [
            {'label': label, 'x': x, 'system': 'two_stage', 'paper': None}
            for label, x in labels.items()
        ],
        'runs': [
            {'entry': label, 'seed': seed, 'folder': f'{x}/seed-{seed}'}
            for label, x in labels.items()
            for seed in (1, 2)
        ],
    }
    for each in values['runs'][:-1]:
        made.run(folder / each['folder'], seed=each['seed'])
    (folder / 'sweep.json').write_text(json.dumps(values | changes))
    return folder


def test_runs_that_differ_in_their_seed_are_one_row(tmp_path):
    folders = [made.run(tmp_path / f'seed-{seed}', seed=seed) for seed in (1, 2)]
    folders.append(made.run(tmp_path / 'mbert', encoder='mbert'))
    (study,) = runs.read(folders, made.setup_of)
    rows = {entry.label: [trial.seed for trial in entry.trials] for entry in study.entries}
    assert rows == {
        'seed-1: base': [1, 2],
        'seed-1: two_stage': [1, 2],
        'mbert: base': [42],
        'mbert: two_stage': [42],
    }


def test_readers_stand_before_what_was_decoded_of_them(tmp_path):
    systems = 'base', 'base@contrast', 'two_stage'  # as a run scores them
    right = dict.fromkeys(systems, (0,))
    (study,) = runs.read([made.run(tmp_path / 'own', right, systems=systems)], made.setup_of)
    assert [each.label for each in study.entries] == ['base', 'two_stage', 'base@contrast']


def test_only_runs_with_the_papers_settings_stand_beside_its_rows(tmp_path):
    folders = [made.run(tmp_path / 'own'), made.run(tmp_path / 'mml', method=('mml', 0.5, 10.0))]
    (study,) = runs.read(folders, made.setup_of)
    rows = {entry.label: entry.printed('mlqa/test') for entry in study.entries}
    assert rows['own: two_stage'][0] == 'table_5/zero-shot'
    assert rows['own: two_stage'][1].system == 'Ours'
    assert rows['mml: base'][1].system == 'XLM-R base'
    assert rows['mml: two_stage'] is None


def test_a_peer_stands_beside_its_own_row_where_the_paper_prints_it(tmp_path):
    both = ('squad/train', 'mlqa_translate_train/train/de')
    folders = [
        made.run(tmp_path / 'plain', training=both),
        made.run(tmp_path / 'mixed', training=both, mix='pairs'),
        made.run(tmp_path / 'other', training=both, mix='question'),
    ]
    (study,) = runs.read(folders, made.setup_of)
    rows = {entry.label: entry.rows for entry in study.entries}
    assert rows['plain: base'] == (
        ('table_5/translate-train', 'XLM-R base'),
        ('table_6/translate-train', 'XLM-R base'),
    )
    assert rows['mixed: base'] == (('table_6/translate-train', 'mixMRC'),)
    assert rows['mixed: two_stage'] == rows['other: base'] == ()


def test_a_sweep_keeps_its_order_and_its_holes(tmp_path):
    (study,) = runs.read([sweep(tmp_path)], made.setup_of)
    assert [(entry.label, entry.x) for entry in study.entries] == [
        ('alpha = 0.3', 0.3),
        ('alpha = 0.5', 0.5),
    ]
    assert [bool(run.records) for run in study.runs] == [True, True, True, False]
    assert len(study.finished) == 3


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda folder: folder / 'nowhere', 'no such folder'),
        (lambda folder: folder, 'neither results.json nor sweep.json'),
        (lambda folder: broken(folder, 'sweep.json', '{"runs": ['), 'broken JSON'),
        (lambda folder: broken(folder, 'sweep.json', '{"runs": [{}]}'), "KeyError('folder')"),
        (lambda folder: broken(folder, 'results.json', '{}'), 'not a list of results'),
        (lambda folder: broken(folder, 'results.json', '[{"a": 1}]'), 'not a list of results'),
        (lambda folder: sweep(folder, entries=[]), 'an entry that is not listed: alpha = 0.3'),
        (
            lambda folder: sweep(
                folder, entries=[{'label': 'a', 'x': 1, 'system': 's', 'paper': ['table_7', 'Us']}]
            ),
            "no row 'Us' in 'table_7'",
        ),
    ],
)
def test_mistakes_are_named(tmp_path, make, message):
    with pytest.raises(UserError) as error:
        runs.read([make(tmp_path)], made.setup_of)
    assert message in str(error.value)
    assert str(tmp_path) in str(error.value)


def broken(folder, name, text):
    (folder / name).write_text(text)
    return folder
