"""All commands under one name, and one used wrongly: status 2, one line that says what to mend."""

import json
import subprocess
import sys

import pytest
from absl.testing import flagsaver

from tests.conftest import RECORDS, squad_json
from xmrc_jax import main
from xmrc_jax.__main__ import COMMANDS
from xmrc_jax.configs import paper, quickstart
from xmrc_jax.ground import values
from xmrc_jax.ground.commands import command
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe import experiment, settings

CONFIG = 'configs/quickstart.py'


@pytest.fixture
def tell(tmp_path, squad_file, monkeypatch, capfd):
    """Runs the command in this process on the four-question file; its status and its one line."""

    def never(*_):
        raise AssertionError('the first step was begun')

    monkeypatch.setattr(experiment, 'STEPS', dict.fromkeys(experiment.STEPS, never))

    def run(*arguments, config=CONFIG, workdir=tmp_path / 'run'):
        argv = ['main', f'--config={config}', f'--workdir={workdir}']
        argv += [f'--config.data.cache={tmp_path / "cache"}', f'--config.data.dev={squad_file}']
        for name in ('train', 'tests'):
            argv.append(f"--config.data.{name}=('{squad_file}',)")
        argv += [f'--config.data.{name}_may_overlap=True' for name in ('dev', 'train')]
        argv += [argument.format(folder=tmp_path) for argument in arguments]
        monkeypatch.setattr(sys, 'argv', argv)
        with flagsaver.flagsaver(), pytest.raises(SystemExit) as stopped:
            command(lambda: main.main(argv), main.end)
        line = capfd.readouterr().err
        assert line.startswith('xmrc_jax: ')
        assert line.count('\n') == 1
        return stopped.value.code, line

    return run


@pytest.mark.parametrize(
    ('argument', 'message'),
    [
        ('--config.train.epoch=3', 'train.epoch: no such leaf; did you mean train.epochs?'),
        ('--config.trian.epochs=3', 'trian.epochs: no such leaf; did you mean train.epochs?'),
        ('--config.epochs=3', '--config.epochs: no such leaf; did you mean train.epochs?'),
        ('--config.zzzz.qqqq=3', '--config.zzzz.qqqq: no such leaf\n'),
        ('--config.train.epochs=0', 'train.epochs=0.0: must be above 0'),
        ('--config.train.batch_size=nan', '--config.train.batch_size=nan: invalid literal'),
        ('--config.evaluate.top_k=(1,50)', 'evaluate.top_k=50: no more than evaluate.n_best=20'),
        ('--config.train.epochs=three', '--config.train.epochs=three: could not convert'),
        ('--config.data.strict=maybe', '--config.data.strict=maybe'),
        ('--confg=x', "Unknown command line flag 'confg'. Did you mean: config"),
        ("--config.recipe=('score',)", 'recipe=score: score needs what base or two_stage or'),
        ("--config.recipe=('mine','base')", 'recipe=mine,base: mine needs what base makes'),
        ("--config.recipe=('base','two_stage')", 'two_stage needs what mine makes'),
        ("--config.recipe=('base','mien')", "recipe: unknown choice 'mien'; choose from base"),
        ('stray', 'what is stray? every option is a --flag'),
        ('--local_device_ids=0,gpu1', '--local_device_ids=0,gpu1: name numbers'),
    ],
)  # fmt: skip
def test_a_mistake_on_the_command_line_makes_no_folder(argument, message, tell, tmp_path):
    status, line = tell(argument)
    assert status == 2
    assert message in line
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (f'{CONFIG}:twostage', "'twostage'; did you mean 'two_stage'? choose from two_stage, base"),
        (f'{CONFIG}:mbert,mmll', "unknown variant 'mmll'; did you mean 'mml'? choose from"),
        (f'{CONFIG}:zzzz', "unknown variant 'zzzz': choose from two_stage, base"),
        ('{folder}/lacks.py', 'unknown field epoch'),
        ('{folder}/none.py', '{folder}/none.py: no such file; name one, or choose from gxlt, mlqa'),
        ('mlqb', '--config mlqb: no such file; '),
        ('configs/tables/alpa.py', 'tables/z_size, xquad, xquad_split; did you mean tables/alpha?'),
        ('{folder}/open.py', '(open.py, line 2)'),
        ('{folder}/raises.py', 'no module'),
    ],
)
def test_a_configuration_that_cannot_be_built(config, message, tell, tmp_path):
    (tmp_path / 'open.py').write_text('\nx = (\n')
    (tmp_path / 'lacks.py').write_text("def get_config():\n    return {'epochs': 3}['epoch']\n")
    (tmp_path / 'raises.py').write_text("raise ImportError('no module')\n")
    status, line = tell(config=config.format(folder=tmp_path))
    assert status == 2
    assert message.format(folder=tmp_path) in line
    assert not (tmp_path / 'run').exists()


BROKEN = {
    'broken.json': '{"data": [',
    'list.json': '[]',
    'empty.json': '{"version": "1.1", "data": []}',
    'wrong.json': json.dumps(squad_json(RECORDS)).replace('"text": "', '"text": "not '),
    'one_wrong.json': json.dumps(squad_json(RECORDS)).replace(
        f'"answer_start": {RECORDS[0][1].index(RECORDS[0][3])}', '"answer_start": 1', 1
    ),
}


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (["--config.data.train=('{folder}/none.json',)"], 'none.json: '),
        (["--config.data.train=('{folder}/broken.json',)"], 'broken.json: broken JSON'),
        (["--config.data.train=('{folder}/list.json',)"], 'list.json: '),
        (["--config.data.train=('{folder}/empty.json',)"], 'empty.json: '),
        (["--config.data.train=('{folder}/wrong.json',)"], 'wrong.json: '),
        (['--config.data.dev={folder}/wrong.json', '--config.data.strict'], 'wrong.json: '),
        (['--config.data.dev={folder}/one_wrong.json', '--config.data.strict'], "'latin'"),
        (['--config.data.dev=mlqa/dev/xx'], "no language 'xx'"),
        (['--config.data.dev=squat/dev'], "did you mean 'squad'?"),
        (['--config.data.max_tokens=6', '--config.data.stride=0'], 'longer than the window'),
        (['--config.model.name=tiny', '--config.model.weights='], 'model.tokenizer is empty'),
        (['--config.model.tokenizer={folder}/none'], 'none: no tokenizer could be loaded'),
        (['--config.mesh.model=3'], 'mesh data=-1 fsdp=1 model=3 does not cover 8 devices'),
        (['--config.two_stage.negatives=hardest'], 'two_stage.negatives: unknown choice'),
        (['--config.model.dtype=float16'], "model.dtype: unknown choice 'float16'; choose"),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_what_cannot_be_read_is_named(arguments, message, tell, tmp_path):
    for name, text in BROKEN.items():
        (tmp_path / name).write_text(text)
    status, line = tell(*arguments)
    assert status == 2
    assert message in line
    assert left_behind(tmp_path / 'run') <= {'tokenizer', 'logs', '.lock'}


def left_behind(workdir):
    """The names in a folder; none where there is no folder."""
    if not workdir.exists():
        return set()
    return {path.name for path in workdir.iterdir()}


@pytest.mark.parametrize(
    ('argument', 'message'),
    [
        ('--config.model.name=xlmr_bass', "model.name: unknown choice 'xlmr_bass'; choose from"),
        ('--config.train.batch_size_per=host', 'train.batch_size_per: unknown choice'),
        ('--config.model.weights={folder}/none', 'none: '),
        ('--config.train.batch_size=12', '12 does not divide by 8'),
        ('--config.evaluate.batch_size=12', '12 does not divide by 8'),
        ('--config.train.selection=bets', 'train.selection'),
        ('--config.evaluate.metric=bleu', 'evaluate.metric'),
        ('--config.mine.scope=questions', 'mine.scope'),
        ('--config.mine.gold_slot=first', 'gold'),
        ('--config.two_stage.start=bases', 'two_stage.start'),
        ('--config.data.without_gold=keep', 'without_gold'),
    ],
)  # fmt: skip
def test_a_wrong_choice_is_found_before_anything_is_trained(argument, message, tell, tmp_path):
    status, line = tell(argument)
    assert status == 2
    assert message in line
    assert left_behind(tmp_path / 'run') <= {
        'tokenizer',
        'logs',
        '.lock',
    }  # another try is not another run


def test_a_working_folder_that_cannot_be(tell, squad_file):
    status, line = tell(workdir=squad_file / 'run')
    assert status == 2
    assert f'{squad_file}/run: cannot be used as working folder' in line


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([f'--config={CONFIG}'], '--workdir'),
        ([f'--config={CONFIG}', '--workdir='], '--workdir'),
        ([f'--config={CONFIG}', '--config=mlqa', '--workdir={folder}/run'], 'name one'),
        ([f'--config={CONFIG}:nope', '--workdir={folder}/run'], "unknown variant 'nope'"),
        (
            [f'--config={CONFIG}', '--workdir={folder}/run', '--config.data.dev={folder}/no.json'],
            'no.json: ',
        ),
    ],
)
def test_the_process_ends_with_status_2(arguments, message, tmp_path):
    command = [sys.executable, '-m', 'xmrc_jax.main']
    command += [argument.format(folder=tmp_path) for argument in arguments]
    if 'no.json' in message:
        command.append("--config.data.train=('encyclopedia/train/en',)")
        command.append('--config.data.encyclopedia.train_passages=2')
        command.append(f'--config.data.cache={tmp_path}')
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith('xmrc_jax: ')
    assert done.stderr.count('\n') == 1


def test_a_file_of_one_s_own_needs_only_its_path(squad_file, tmp_path):
    config = quickstart.get_config('base')
    with config.unlocked():
        config.data.cache = str(tmp_path / 'cache')
        config.data.update(train=(f'{squad_file}@hi',), dev='', tests=(f'{squad_file}@zh-hi',))
        config.data.train_may_overlap = True
    own = experiment.Experiment(settings.read(config), tmp_path)
    own.prepare()
    manifest = json.loads((tmp_path / 'manifest.json').read_text())
    train, test = (manifest['corpora'][f'{squad_file}@{end}'] for end in ('hi', 'zh-hi'))
    assert (train['questions'], train['context_language']) == (4, 'hi')
    assert (test['context_language'], test['question_language']) == ('zh', 'hi')
    assert own.inputs.train.questions[0].answers[0].text == RECORDS[0][3]
    assert json.loads((tmp_path / 'encoder.json').read_text())['vocabulary'] > 4


def words_of(*words):
    command = [sys.executable, '-m', *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize('name', COMMANDS)
def test_every_command_says_how_it_is_used(name):
    done = words_of('xmrc_jax', name, '--help')
    assert (done.returncode, done.stderr) == (0, '')
    assert f'xmrc {name}' in done.stdout
    told = done.stdout.partition('\nLeaves')[0].splitlines()  # those are lines of a file
    assert [line for line in told if len(line) > 80 and 'Configurations' not in line] == []


def test_the_help_of_a_run_lists_configurations_variants_and_leaves():
    said = words_of('xmrc_jax.main', '--help').stdout
    assert all(f'  {name}' in said for name in ('--workdir', 'mlqa', 'tables/alpha'))
    assert all(variant in said for variant in paper.VARIANTS)
    leaves = dict(values.flat(paper.paper_config().to_dict()))
    assert [path for path in leaves if path.rpartition('.')[2] not in said] == []
    assert 'batch_size=32,  # windows; section 4' in said


@pytest.mark.parametrize('words', [[], ['help'], ['-h']])
def test_without_a_command_they_are_listed(words):
    done = words_of('xmrc_jax', *words)
    assert done.returncode == 0
    assert all(f'\n{name} ' in done.stdout for name in COMMANDS)


@pytest.fixture
def tests_of(monkeypatch):
    """What ``data.tests`` is when a command line says so."""

    def read(*words):
        argv = ['main', f'--config={CONFIG}', *words]
        monkeypatch.setattr(sys, 'argv', argv)  # where the library looks for leaves
        with flagsaver.flagsaver():
            return main.read_config(argv).data.tests

    return read


NO_TUPLES = [*"[({)' ", '("a"', '["a", "b"', 'a,b', 'a b', '(a,b)', '', 'None', '{"a"}', '[' * 500]


@pytest.mark.parametrize('value', NO_TUPLES)
def test_what_is_no_tuple_is_shown_and_how_one_is_written(value, tests_of):
    for words in ([f'--config.data.tests={value}'], ['--config.data.tests', value]):
        with pytest.raises(UserError) as caught:
            tests_of(*words)
        assert str(caught.value) == (
            f'--config.data.tests={value}: no tuple; write \'("one", "two")\', numbers as '
            "'(1, 2)', '()' for none, or a single one as it is"
        )


@pytest.mark.parametrize(
    ('value', 'expected'),
    [
        ('("a", "b c")', ('a', 'b c')),
        ('["a", "b,c"]', ('a', 'b,c')),
        ('()', ()),
        ('"a b"', ('a b',)),
        ('a/(b)[1]*.json@de-en', ('a/(b)[1]*.json@de-en',)),
        ('~/a.jsonl.gz', ('~/a.jsonl.gz',)),
    ],
)
def test_a_tuple_and_a_single_word_are_read(value, expected, tests_of):
    assert tests_of(f'--config.data.tests={value}') == expected
    assert tests_of('--config.data.tests', value) == expected


def test_a_leaf_that_is_named_again_is_one_more(tests_of):
    assert tests_of('--config.data.tests=a', '--config.data.tests', 'b') == ('a', 'b')


@pytest.mark.parametrize('name', ['train', 'sweep', 'plan'])
def test_a_configuration_that_nobody_names_is_asked_for(name):
    done = words_of('xmrc_jax', name, '--config.train.epochs=1')
    line = 'xmrc_jax: flag --config must name a configuration, such as mlqa; see --help\n'
    assert (done.returncode, done.stderr) == (2, line)


def test_an_unknown_command_is_named():
    done = words_of('xmrc_jax', 'trian')
    assert done.returncode == 2
    assert done.stderr.startswith('xmrc_jax: trian: no such command; did you mean train? choose')
    assert done.stderr.count('\n') == 1
