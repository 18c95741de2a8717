"""The runs of a table: which there are, what they share, in which folders they lie."""

import json

import pytest

from tests.small import get_config as small_config
from tests.small_table import get_config
from xmrc_jax.configs.tables import alpha, table_2, table_5, table_7, z_size
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe import grid, settings


def tasks_of(config, seeds=1, **options):
    return grid.tasks(settings.read(config), settings.read_table(config), seeds, **options)


def folders(config, seeds=1):
    return [(task.folder, task.shared) for task in tasks_of(config, seeds)]


def test_entries_that_differ_in_the_second_stage_share_the_first():
    assert folders(get_config(), 2) == [
        ('shared/1/seed-42', ''),
        ('shared/1/seed-43', ''),
        ('alpha=0.3/seed-42', 'shared/1/seed-42'),
        ('alpha=0.3/seed-43', 'shared/1/seed-43'),
        ('alpha=0.5/seed-42', 'shared/1/seed-42'),
        ('alpha=0.5/seed-43', 'shared/1/seed-43'),
    ]
    part, *_, run = tasks_of(get_config(), 2)
    assert part.run.recipe == ('base', 'mine', 'score')
    assert (run.run.method.reading.alpha, run.run.seed) == (0.5, 43)
    assert run.labels == ('alpha = 0.5', 'base')  # of equal configurations


def test_sizes_of_z_share_the_largest_set():
    listed = tasks_of(z_size.get_config(), 1)
    assert [task.shared for task in listed] == [''] + ['shared/1/seed-42'] * 6
    assert listed[0].run.mine.n_best == 50
    assert [task.run.mine.candidates for task in listed[1:]] == [1, 5, 10, 20, 50, 20]
    assert listed[4].labels == ('|Z| = 20', 'base')


def test_without_a_larger_set_another_size_of_z_shares_nothing():
    config = z_size.get_config()
    with config.unlocked():
        config.mine.n_best = 0
    shared = {task.folder: task.shared for task in tasks_of(config, 1)}
    # Only |Z| = 20 and MML, which has 20 too.
    assert [folder for folder, part in shared.items() if part] == ['Z_=20/seed-42', 'w_MML/seed-42']


@pytest.mark.parametrize('leaf', ['train.epochs', 'two_stage.softmax_over', 'data.max_tokens'])
def test_what_the_base_reader_depends_on_is_not_shared(leaf):
    config = get_config()
    entries = list(config.table.entries[:2])
    value = {'train.epochs': 9.0, 'two_stage.softmax_over': 'passage', 'data.max_tokens': 96}[leaf]
    entries[0] = entries[0] | {'changes': {leaf: value}}
    with config.unlocked():
        config.table.entries = tuple(entries)
    assert [shared for _, shared in folders(config)] == ['', '']


def test_zero_shot_and_translate_train_do_not_share():
    listed = tasks_of(table_5.get_config(), 1)
    shared = {task.folder.removesuffix('/seed-42'): task.shared for task in listed}
    assert shared == {
        'shared/1': '',
        'shared/2': '',
        'shared/5': '',  # behind those that CalibreNet's two would have
        'XLM-R_base_zero-shot': 'shared/1/seed-42',
        'XLM-R_base_translate-train': 'shared/2/seed-42',
        'self-distillation_zero-shot': 'shared/1/seed-42',
        'self-distillation_translate-train': 'shared/2/seed-42',
        'mixMRC_translate-train': 'shared/5/seed-42',
        'mixMRC_two-stage_translate-train': 'shared/5/seed-42',
        # Its folds are of its own; these have no base reader.
        'CalibreNet_zero-shot': '',
        'CalibreNet_translate-train': '',
        'LAKM_zero-shot': '',
        'LAKM_translate-train': '',
        'LBMRC_translate-train': '',
    }
    labels = {task.folder: task.labels for task in listed}
    assert labels['XLM-R_base_zero-shot/seed-42'] == (
        'XLM-R base, zero-shot',
        'two-stage, zero-shot',
    )


def test_a_reader_alone_needs_no_part_to_share():
    (task,) = tasks_of(table_2.get_config(), 1)
    assert (task.shared, task.run.recipe) == ('', ('base', 'score'))


def test_the_description_follows_the_table():
    config = alpha.get_config()
    listed = tasks_of(config, 2)
    described = json.loads(json.dumps(grid.described(settings.read_table(config), listed)))
    assert (described['name'], described['axis']) == ('alpha', 'alpha')
    assert described['title'] == 'Figure 4: alpha, translate-train, MLQA'
    assert described['entries'][1] == {
        'label': 'alpha = 0.3',
        'x': 0.3,
        'system': 'two_stage',
        'paper': None,
    }
    assert described['runs'][:2] == [
        {'entry': 'alpha = 0.1', 'seed': 42, 'folder': 'alpha=0.1/seed-42'},
        {'entry': 'alpha = 0.1', 'seed': 43, 'folder': 'alpha=0.1/seed-43'},
    ]
    assert len(described['runs']) == 10


def test_no_folder_begins_like_a_flag():
    listed = tasks_of(table_7.get_config())
    assert [task.folder for task in listed if task.labels] == [
        'two-stage/seed-42',
        'HL/seed-42',
        'AA-CL/seed-42',
        'w_MML/seed-42',
    ]


def test_a_sweep_goes_on_in_the_folders_that_it_has():
    """Rows may be called otherwise since; a seed that is new gets the name of today."""
    names = ('Ours', '- HL', '- AA-CL', 'w/ MML')
    sweep = {
        'entries': [{'label': name} for name in names],
        'runs': [
            {'entry': 'Ours', 'seed': 42, 'folder': 'Ours/seed-42'},
            {'entry': '- HL', 'seed': 42, 'folder': '-_HL/seed-42'},
        ],
    }
    listed = tasks_of(table_7.get_config(), 2, named=grid.folders_of(sweep))
    assert [task.folder for task in listed if task.labels][:4] == [
        'Ours/seed-42',
        'two-stage/seed-43',
        '-_HL/seed-42',
        'HL/seed-43',
    ]


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'two_stage.alfa': 0.3}, 'two_stage.alfa'),
        ({'two_stage.alpha': 'much'}, "entry 'alpha = 0.3' of the table changes two_stage.alpha"),
    ],
)
def test_an_entry_s_mistake_is_named(changes, words):
    config = get_config()
    entry = config.table.entries[0] | {'changes': changes}
    with config.unlocked():
        config.table.entries = (entry,)
    with pytest.raises(UserError, match=words):
        tasks_of(config, 1)


def test_no_table_and_no_seed_are_refused():
    with pytest.raises(UserError, match='has no table'):
        settings.read_table(small_config())
    with pytest.raises(UserError, match='--seeds=0'):
        tasks_of(get_config(), 0)


def test_a_run_before_the_part_it_builds_on_is_refused(tmp_path):
    _, run, _ = tasks_of(get_config(), 1)
    with pytest.raises(UserError, match='not done, and .* builds on it'):
        run.link(tmp_path)
