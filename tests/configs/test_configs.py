"""The configurations: the paper's numbers, variants that build."""

import importlib
from pathlib import Path

import pytest

from xmrc_jax.configs import gxlt, mlqa, paper, quickstart, small, tables, xquad, xquad_split
from xmrc_jax.model.architectures import ENCODERS
from xmrc_jax.recipe import settings

FILES = (mlqa, xquad, gxlt, quickstart, small, xquad_split)
TABLES = sorted(path.stem for path in Path(tables.__file__).parent.glob('[a-z]*.py'))


def flat(config, path=''):
    """Leaves by their dotted paths."""
    for name, value in config.items():
        if hasattr(value, 'items'):
            yield from flat(value, f'{path}{name}.')
        else:
            yield path + name, value


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.__name__)
@pytest.mark.parametrize('variant', paper.VARIANTS)
def test_every_variant_builds_and_is_valid(file, variant):
    config = file.get_config(variant)
    leaves = dict(flat(config))
    assert config.is_locked
    assert leaves.keys() == dict(flat(paper.paper_config())).keys()
    for name, value in getattr(file, 'VARIANTS', paper.VARIANTS)[variant].items():
        assert leaves[name] == value
    assert settings.read(config).model.name in ENCODERS


def test_variants_combine_and_the_later_wins():
    config = mlqa.get_config('xlmr_large,no_contrast,theta_10,theta_20')
    assert (config.model.name, config.two_stage.alpha) == ('xlmr_large', 0.0)
    assert config.two_stage.negative_count == 20


def test_a_variant_whose_recipe_would_be_lost_is_refused():
    assert quickstart.get_config('mixmrc,two_stage').recipe[-2:] == ('two_stage', 'score')
    with pytest.raises(ValueError, match=r"'lakm' has a step lakm .* two_stage, score; leave one"):
        mlqa.get_config('lakm,two_stage')


@pytest.mark.parametrize('variant', ['no_contrasts', '', 'mbert,', 'mbert no_contrast'])
def test_an_unknown_variant_names_the_choices(variant):
    with pytest.raises(ValueError, match=r'unknown variant .*[:?] choose from two_stage, base, '):
        mlqa.get_config(variant)


@pytest.mark.parametrize('file', [mlqa, xquad], ids=lambda file: file.__name__)
def test_the_paper_s_hyper_parameters_stand(file):
    # Chen et al. 2022, section 4, Implementation Details.
    printed = {
        'train.peak_lr': 3e-5,
        'train.batch_size': 32,
        'train.batch_size_per': 'run',
        'train.epochs': 8,
        'train.warmup': 0.1,
        'train.weight_decay': 0.01,
        'train.checkpoint_every': 1000,
        'data.max_tokens': 384,
        'data.max_question_tokens': 64,
        'mine.candidates': 20,
        'two_stage.spans': 50,
        'two_stage.temperature': 10,
        'two_stage.alpha': 0.5,
        'two_stage.negative_count': 1,
        'model.name': 'xlmr_base',
        'data.train': ('squad/train',),
    }
    leaves = dict(flat(file.get_config()))
    assert {name: leaves[name] for name in printed} == printed


def test_the_49_pairs_of_mlqa():
    pairs = {name.removeprefix('mlqa/test/') for name in gxlt.get_config().data.tests}
    assert len(pairs) == 49
    assert {'en-en', 'es-zh', 'zh-es'} <= pairs


def table(name, variant=''):
    return importlib.import_module(f'xmrc_jax.configs.tables.{name}').get_config(variant)


@pytest.mark.parametrize('variant', ['', 'xquad', 'quickstart', 'small,zero_shot', 'mbert,smoke'])
@pytest.mark.parametrize('name', TABLES)
def test_a_table_is_a_run_and_its_entries(name, variant):
    config = table(name, variant)
    assert config.is_locked
    leaves = dict(flat(config))
    of_table = {f'table.{leaf}' for leaf in ('name', 'title', 'axis', 'entries')}
    assert leaves.keys() - of_table == dict(flat(paper.paper_config())).keys()
    assert config.table.name == name
    labels = [entry['label'] for entry in config.table.entries]
    assert len(set(labels)) == len(labels) > 0
    for entry in config.table.entries:
        run = settings.vary(settings.read(config), entry['changes'])
        reader, _, decoding = entry['system'].partition('@')
        assert reader == 'base' or reader in run.recipe
        assert not decoding or decoding in run.evaluate.decodings
    assert 'smoke' not in variant or config.model.name == 'tiny'


@pytest.mark.parametrize(
    ('name', 'leaf', 'values'),
    [
        ('alpha', 'two_stage.alpha', [0.1, 0.3, 0.5, 0.7, 0.9]),
        ('tau', 'two_stage.temperature', [1, 2, 4, 8, 10, 12, 20]),
        ('z_size', 'mine.candidates', [1, 5, 10, 20, 50]),
    ],
)
def test_the_points_of_the_figures(name, leaf, values):
    entries = [each for each in table(name).table.entries if each['x'] is not None]
    assert [each['x'] for each in entries] == values
    assert [each['changes'][leaf] for each in entries] == values


def test_figures_are_translate_train_and_the_appendix_zero_shot():
    # Section 4 and appendices B and C: what each caption says.
    for name in ('table_7', 'z_size', 'case_study', 'alpha', 'tau'):
        assert len(table(name).data.train) == 6
        assert table(name, 'zero_shot').data.train == ('squad/train',)
    for name in ('table_2', 'appendix_1', 'appendix_2'):
        assert table(name).data.train == ('squad/train',)
    languages = [len(each['changes']['data.train']) for each in table('table_5').table.entries]
    assert languages == [1, 1, 6, 6, 1, 1, 1, 6, 6, 6, 6, 6, 6]
    assert len(table('table_5', 'translate_train').table.entries) == 8
    assert len(table('table_5', 'quickstart').table.entries) == 13
    assert all(not each['changes'].get('two_stage.alpha') for each in table('z_size').table.entries)


def test_every_method_of_tables_5_and_6_has_an_entry_beside_its_printed_row():
    from xmrc_jax.reporting.paper import TABLES

    encoders = {'m-BERT', 'M-BERT', 'XLM', 'Info-XLM'}
    for name in ('table_5', 'table_6'):
        found = {tuple(each['paper']) for each in table(name).table.entries if each['paper']}
        printed = {
            (half, row.system)
            for half in (f'{name}/zero-shot', f'{name}/translate-train')
            for row in TABLES[half].rows
        }
        assert printed - found == {(f'{name}/zero-shot', each) for each in encoders} & printed


def test_a_row_names_its_place_in_the_print_on_the_paper_s_corpora_alone():
    assert table('appendix_2', 'xquad').table.entries[2]['paper'] == ['appendix_2/xquad', 'Ours']
    assert table('table_7').data.tests == ('mlqa/test/es', 'mlqa/test/ar', 'mlqa/test/vi')
    assert {each['paper'] for each in table('table_7', 'quickstart').table.entries} == {None}
