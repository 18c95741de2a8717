"""What the pages name is there: links, commands and their flags, configurations, leaves, rows."""

import importlib
import re
from contextlib import redirect_stdout, suppress
from functools import cache
from io import StringIO
from pathlib import Path

import pytest
from absl import flags

from xmrc_jax.__main__ import COMMANDS
from xmrc_jax.configs.paper import paper_config
from xmrc_jax.ground import commands, values
from xmrc_jax.processes import ending
from xmrc_jax.recipe import settings

ROOT = Path(__file__).parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text('utf-8')
    for folder in ('.', 'docs', 'launch')
    for path in sorted(ROOT.joinpath(folder).glob('*.md'))
}
README = PAGES['README.md']


@pytest.fixture(params=PAGES)
def page(request) -> str:
    """The name of each page in its turn."""
    return request.param


def anchors(text: str) -> set[str]:
    """What GitHub makes of headings: of 'What was tried' it is '#what-was-tried'."""
    headings = re.findall('^#+ (.+)', text, re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


def test_every_link_leads_somewhere(page):
    lost = []
    for path, anchor in re.findall(r'\]\((?!https?:)([^)#]*)#?([^)]*)\)', PAGES[page]):
        target = ROOT.joinpath(page).parent.joinpath(path) if path else ROOT.joinpath(page)
        if not target.exists() or (anchor and anchor not in anchors(target.read_text('utf-8'))):
            lost.append(f'{path}#{anchor}')
    assert lost == []


def test_every_named_file_of_the_sources_is_there(page):
    named = re.findall(r'`(\w+/[\w/]+\.(?:py|sh|yaml))`', PAGES[page])
    places = ROOT, ROOT / 'xmrc_jax'
    assert [
        path for path in named if not any(place.joinpath(path).exists() for place in places)
    ] == []


def test_the_readme_leads_to_every_page():
    pages = PAGES.keys() - {'README.md', 'CHANGELOG.md'}
    assert pages - set(re.findall(r'\]\(([^)#]*)', README)) == set()


def test_the_readme_tells_each_task_in_ten_lines():
    _, *tasks = README.partition('## Tasks')[2].partition('\n## ')[0].split('\n**')
    named = [task.split()[0].strip('*.') for task in tasks]
    assert named == ['Install', 'Train', 'Predict', 'Export', 'Cluster']
    lines = [len([line for line in task.splitlines() if line]) for task in tasks]
    assert max(lines) <= 10, lines


# -- commands --------------------------------------------------------------------------------------

MODULES = {module: module for module, _ in COMMANDS.values()}
MODULES |= {name: module for name, (module, _) in COMMANDS.items()}
COMMAND = re.compile(r'(?:\bxmrc |python -m xmrc_jax\.)(\w+)([^\n`]*)')


@cache
def flags_of(module: str) -> set[str]:
    """The flags of a command, as its help has them or as absl knows them."""
    package = ROOT.joinpath('xmrc_jax', module).is_dir()
    name = f'xmrc_jax.{module}' + '.__main__' * package
    command = importlib.import_module(name)
    if module in ('main', 'sweep', 'plan'):
        own = flags.FLAGS.flags_by_module_dict()
        return {'help'} | {flag.name for of in ('xmrc_jax.main', name) for flag in own[of]}
    with redirect_stdout(StringIO()) as told, suppress(SystemExit):
        command.main(['--help'])
    return set(re.findall(r'--([\w-]+)', told.getvalue()))


def test_every_command_and_each_of_its_flags_is_known(page):
    unknown = [
        f'{name} --{flag}'
        for name, words in COMMAND.findall(re.sub(r'\\\n\s*', ' ', PAGES[page]))
        for flag in re.findall(r'--([\w-]+)', words) or ['help']
        if name not in MODULES or flag not in flags_of(MODULES[name])
    ]
    assert unknown == []


def test_every_benchmark_is_there(page):
    named = re.findall(r'\bbenchmarks[./](\w+)', PAGES[page])
    assert [name for name in named if not list(ROOT.glob(f'benchmarks/{name}.*'))] == []


def test_the_exit_statuses_are_those_of_the_code():
    told = re.findall(r'^\| (\d+)', PAGES['docs/runs.md'].partition('| exit status')[2], re.M)
    own = {0, 1, commands.MISTAKE, commands.INTERRUPTED, ending.LOST, ending.STOPPED}
    assert set(map(int, told)) == own


# -- configurations --------------------------------------------------------------------------------

LEAVES = dict(values.flat(paper_config().to_dict()))
SECTIONS = '|'.join(sorted({leaf.partition('.')[0] for leaf in LEAVES if '.' in leaf}))
FILES = re.compile(r'`[\w.]+\.(json|md|py|safetensors)`')


def test_every_configuration_and_variant_can_be_built(page):
    for value in re.findall(r'--config[= ]([\w/.]+(?::[\w,]+)?)', PAGES[page]):
        name, *variant = value.split(':')
        name = name.removeprefix('configs/').removesuffix('.py').replace('/', '.')
        assert importlib.import_module(f'xmrc_jax.configs.{name}').get_config(*variant)


def test_every_leaf_is_one(page):
    named = re.findall(rf'(?:`|--config\.)((?:{SECTIONS})\.[\w.]*\w)', FILES.sub('', PAGES[page]))
    assert [leaf for leaf in named if leaf not in LEAVES] == []


def test_every_value_of_a_leaf_is_allowed(page):
    for leaf, value in re.findall(rf'`((?:{SECTIONS})\.\w+)=(\d+|\w\w+)`', PAGES[page]):
        changed = paper_config()
        changed.two_stage.fixed_weights = (0.05,) * 20  # which 'fixed' needs
        changed.update_from_flattened_dict({leaf: type(LEAVES[leaf])(value)})
        settings.read(changed)


# -- listings --------------------------------------------------------------------------------------


def first_cells(page: str, heading: str) -> set[str]:
    """The names in the first column of the first table behind a heading."""
    table = PAGES[page].partition(heading)[2].partition('\n|')[2].partition('\n\n')[0]
    cells = [line.strip('| ').split(' | ')[0] for line in table.splitlines()[2:]]
    return {name for cell in cells for name in re.findall('`([^`]+)`', cell)}


def test_every_table_and_figure_has_its_row():
    files = {path.stem for path in ROOT.glob('configs/tables/*.py')} - {'__init__'}
    assert first_cells('docs/experiments.md', '## Every table and figure') - {':xquad'} == files


def test_the_drawing_names_every_configuration():
    drawn = re.search(r'^    configs/ .*', README, re.MULTILINE)[0]
    files = {path.name for path in ROOT.glob('configs/*.py')} - {'__init__.py'}
    assert set(re.findall(r'\w+\.py', drawn)) == files
