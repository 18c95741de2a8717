"""A configuration as a value: leaf by leaf, from folders of earlier versions too, and compared."""

import json
import math
import re
import shutil
from pathlib import Path

import pytest

from xmrc_jax.configs import mlqa, paper, quickstart
from xmrc_jax.ground import values
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe import settings

# What a run of version 0.1 wrote, before a configuration was a value:
# --config configs/quickstart.py:smoke
OLD = Path(__file__).with_name('config_of_0_1.json')


@pytest.fixture
def run():
    run = settings.read(quickstart.get_config('smoke'))
    return settings.vary(run, {'train.peak_lr': 2e-3, 'data.encyclopedia.train_passages': 440})


@pytest.fixture
def old_folder(tmp_path):
    shutil.copy(OLD, tmp_path / 'config.json')
    return tmp_path


@pytest.mark.parametrize('mentions', ['apart', 'summed'])
def test_a_leaf_that_is_gone_may_say_what_is_computed_now(old_folder, mentions):
    stored = json.loads(OLD.read_text())
    stored['two_stage']['mentions'] = mentions
    (old_folder / 'config.json').write_text(json.dumps(stored))
    if mentions == 'apart':
        assert 'two_stage.mentions' not in settings.what(settings.read_folder(old_folder))
    else:
        with pytest.raises(UserError, match=r"config.json: two_stage.mentions: only 'apart'"):
            settings.read_folder(old_folder)


@pytest.mark.parametrize('variant', paper.VARIANTS)
def test_a_run_has_the_leaves_of_its_configuration_and_no_others(variant):
    config = mlqa.get_config(variant)
    assert settings.stored(settings.read(config), 8) == json.loads(config.to_json()) | {
        'global_batch': 8
    }


def test_a_table_is_no_part_of_a_run():
    config = mlqa.get_config()
    with pytest.raises(UserError, match='no table'):
        settings.read_table(config)
    run = settings.read(config)
    with config.unlocked():
        config.table = {'name': 'a', 'entries': ({'label': 'b'},)}
    assert settings.read(config) == run
    assert settings.read_table(config)['entries'] == ({'label': 'b'},)


def test_a_run_is_varied_leaf_by_leaf(run):
    varied = settings.vary(run, {'two_stage.alpha': 1, 'data.train': ['squad/train']})
    assert (varied.method.reading.alpha, varied.data.train) == (1.0, ('squad/train',))
    assert settings.vary(varied, {'two_stage.alpha': 0.5, 'data.train': run.data.train}) == run
    with pytest.raises(UserError, match=r'two_stage\.alfa: .* did you mean two_stage\.alpha\?'):
        settings.vary(run, {'two_stage.alfa': 1.0})
    with pytest.raises(UserError, match=r"train\.epochs: 'many' is no float"):
        settings.vary(run, {'train.epochs': 'many'})


@pytest.mark.parametrize(
    ('changes', 'named'),
    [
        ({'two_stage.weights': 'fixed'}, 'fixed_weights'),  # none are given
        ({'train.selection': 'average', 'train.keep': 2}, 'train.average=3'),
        ({'evaluate.selections': ('average',), 'train.keep': 2}, 'train.average=3'),
        ({'evaluate.selections': ('worst',)}, 'evaluate.selections'),
        ({'evaluate.metric': 'bleu'}, 'evaluate.metric'),
        ({'mine.n_best': 3}, 'mine.n_best'),
        ({'mine.scope': 'passage'}, 'mine.scope'),
        ({'two_stage.start': 'nowhere'}, 'two_stage.start'),
        ({'calibrate.start': 'two_stage'}, 'calibrate.start'),
        ({'distil.teachers': 'all'}, 'distil.teachers'),
        ({'distil.coefficient': 'none'}, 'distil.coefficient'),
        ({'data.mix': 'answers'}, 'data.mix'),
        ({'train.batch_size_per': 'host'}, 'train.batch_size_per'),
        ({'model.dtype': 'float16'}, 'dtype'),
        ({'data.max_tokens': 0}, 'max_tokens'),
    ],
)
def test_what_is_impossible_is_refused_when_it_is_read(run, changes, named):
    with pytest.raises(UserError, match=named):
        settings.vary(run, changes)


# The numbers of a configuration that may be 0, and those that may not. None may be negative but
# four that may be -1; none may be text, or not finite.
NOUGHT = [
    'seed',
    'profile',
    'model.dropout',
    'model.attention_dropout',
    'data.max_dropped',
    'data.max_train_questions',
    'data.max_test_questions',
    'data.stride',
    'train.freeze',
    'train.lora_rank',
    'train.label_smoothing',
    'train.r_drop',
    'train.warmup',
    'train.weight_decay',
    'train.beta1',
    'train.beta2',
    'train.clip_norm',
    'train.slot_lr_multiplier',
    'train.keep',
    'train.patience',
    'mine.n_best',
    'two_stage.alpha',
    'two_stage.alpha_ramp',
    'two_stage.hard_only',
    'two_stage.gold_weight',
    'two_stage.fixed_weights',
    'two_stage.gold_floor',
    'distil.weight',
    'calibrate.unmoved',
    'evaluate.contrast_weight',
]
POSITIVE = [
    'data.sampling_temperature',
    'data.max_tokens',
    'data.max_question_tokens',
    'data.encyclopedia.train_passages',
    'data.encyclopedia.dev_passages',
    'data.encyclopedia.test_passages',
    'train.batch_size',
    'train.accumulate',
    'train.epochs',
    'train.peak_lr',
    'train.eps',
    'train.checkpoint_every',
    'train.log_every',
    'train.average',
    'mine.candidates',
    'mine.folds',
    'mine.block',
    'two_stage.gold_start',
    'two_stage.spans',
    'two_stage.negative_count',
    'two_stage.temperature',
    'distil.temperature',
    'distil.block',
    'calibrate.phrases_per_text',
    'calibrate.farthest',
    'lakm.share',
    'lakm.weight',
    'evaluate.batch_size',
    'evaluate.n_best',
    'evaluate.max_answer_tokens',
    'evaluate.top_k',
    'mesh.data',
    'mesh.fsdp',
    'mesh.model',
]
MINUS_ONE = (
    'mesh.data',
    'model.dropout',
    'model.attention_dropout',
    'train.freeze',
)  # as something else says
SEVERAL = ('two_stage.fixed_weights', 'evaluate.top_k')


def test_every_number_of_a_configuration_is_known_here(run):
    found = {path: each.value for path, each in values.leaves(run).items()}
    numbers = {path for path, each in found.items() if type(each) in (int, float)}
    assert sorted(numbers | set(SEVERAL)) == sorted(NOUGHT + POSITIVE)


@pytest.mark.parametrize('content', [0, -1, math.nan, math.inf, -math.inf, 'many'])
@pytest.mark.parametrize('path', NOUGHT + POSITIVE)
def test_a_number_means_something_or_is_refused_in_a_line(path, content, run):
    changed = {path: (content,) if path in SEVERAL else content}
    if (content == 0 and path in NOUGHT) or (content == -1 and path in MINUS_ONE):
        settings.vary(run, changed)
        return
    with pytest.raises(UserError) as refused:
        settings.vary(run, changed)
    line = str(refused.value)
    assert line.startswith(path)
    assert str(content) in line
    assert re.search('must be .*[0-9]|is no (int|float)$', line), line
    assert '\n' not in line


@pytest.mark.parametrize(
    ('path', 'highest', 'beyond'),
    [
        ('seed', 2**63 - 1, 2**63),
        ('seed', 0, 10**400),
        ('model.dropout', 0.99, 1.0),
        ('model.attention_dropout', 0.99, 1.0),
        ('data.max_dropped', 1.0, 1.01),
        ('train.warmup', 1.0, 1.01),
        ('train.beta1', 0.999, 1.0),
        ('train.beta2', 0.9999, 1.0),
        ('two_stage.alpha', 1.0, 1.01),
        ('two_stage.alpha_ramp', 1.0, 1.01),
        ('two_stage.hard_only', 1.0, 1.01),
        ('two_stage.gold_start', 0.99, 1.0),
        ('two_stage.gold_floor', 1.0, 1.01),
        ('distil.weight', 1.0, 1.01),
        ('calibrate.unmoved', 1.0, 1.01),
    ],
)
def test_a_share_or_a_decay_has_an_upper_end(path, highest, beyond, run):
    settings.vary(run, {path: highest})
    with pytest.raises(UserError, match=f'^{path}={beyond}: must be '):
        settings.vary(run, {path: beyond})


def test_no_more_answers_are_scored_than_are_kept(run):
    settings.vary(run, {'evaluate.top_k': (1, 50), 'evaluate.n_best': 50})
    named = 'evaluate.top_k=50: no more than evaluate.n_best=20'
    with pytest.raises(UserError, match=named):
        settings.vary(run, {'evaluate.top_k': (50, 1)})


# -- a folder's configuration ----------------------------------------------------------------------


def test_a_folder_of_an_earlier_version_is_read_and_continued(run, old_folder):
    assert settings.read_folder(old_folder) == run
    settings.same_run(old_folder, run, 8)


@pytest.mark.parametrize(
    ('leaf', 'other'),
    [
        ('mesh.data', 2),
        ('mesh.fsdp', 2),
        ('mesh.model', 2),
        ('profile', 2),
        ('data.root', 'elsewhere'),
        ('data.cache', 'elsewhere'),
        ('train.accumulate', 4),
        ('data.max_dropped', 1.0),
    ],
)
def test_a_run_may_go_on_elsewhere(leaf, other, run, old_folder):
    settings.same_run(old_folder, settings.vary(run, {leaf: other}), 8)


def test_no_other_leaf_may_differ(run, old_folder):
    free = {'mesh.data', 'mesh.fsdp', 'mesh.model', 'profile'}
    free |= {'data.root', 'data.cache', 'data.max_dropped', 'train.accumulate'}
    assert len(settings.what(run)) > 60
    assert not free & settings.what(run).keys()
    contents = json.loads(OLD.read_text('utf-8'))
    contents['two_stage']['alpha'], contents['data']['dev'] = 0.25, 'squad/dev'
    (old_folder / 'config.json').write_text(json.dumps(contents))
    with pytest.raises(UserError) as refused:
        settings.same_run(old_folder, run, 16)
    for line in (
        "data.dev is 'squad/dev' there, 'encyclopedia/dev/en' here",
        'two_stage.alpha is 0.25 there, 0.5 here',
        'global_batch is 8 there, 16 here',
    ):
        assert line in str(refused.value)


def test_without_a_configuration_a_folder_is_nobody_s(run, tmp_path):
    settings.same_run(tmp_path, run, 8)


@pytest.mark.parametrize(
    ('content', 'named'),
    [
        ('{', 'config.json'),
        ('[]', 'not the configuration of a run'),
        ('{"seed": 1}', 'not the configuration of a run'),
        ('{"seed": 1, "global_batch": 8}', 'recipe: the configuration lacks this leaf'),
    ],
)
def test_a_broken_configuration_is_one_line(content, named, tmp_path):
    (tmp_path / 'config.json').write_text(content)
    with pytest.raises(UserError, match=named) as refused:
        settings.read_folder(tmp_path)
    assert '\n' not in str(refused.value)


# -- two runs --------------------------------------------------------------------------------------


def test_runs_of_other_seeds_and_places_are_alike(run):
    elsewhere = settings.vary(run, {'seed': 7, 'mesh.fsdp': 2, 'data.cache': 'x'})
    assert settings.same_but_seed(elsewhere) == settings.same_but_seed(run)
    other = settings.vary(run, {'two_stage.alpha': 0.1})
    assert settings.same_but_seed(other) != settings.same_but_seed(run)


def test_a_base_reader_depends_on_no_leaf_of_the_second_stage_but_its_softmax(run):
    base = settings.of_the_base(run)
    assert [path for path in base if path.startswith('two_stage')] == ['two_stage.softmax_over']
    late = {'recipe', 'mine.gold_slot', 'train.slot_lr_multiplier'}
    assert not late & base.keys()
    assert 'mine.candidates' in base
    larger = settings.vary(run, {'mine.n_best': 50})
    assert 'mine.candidates' not in settings.of_the_base(larger)
