"""What stands in a report, and what is left out where something is missing."""

import pytest

from tests.reporting import made
from tests.reporting.test_runs import sweep
from xmrc_jax.evaluate import records
from xmrc_jax.ground.errors import UserError
from xmrc_jax.reporting import contents


def test_without_data_there_is_everything_that_needs_none(tmp_path):
    class Gone(made.Reopened):
        def tests(self):
            raise UserError('mlqa/test/en: not found')

    folder = made.run(tmp_path / 'run')
    _, sections, missing = contents.build([folder], Gone, [], None)
    titles = [section.title for section in sections if section.parts]
    assert titles == ['About', 'Scores', 'Top-k', 'Training', 'Runs']
    assert missing == [
        f'{folder}: without gold answers there are no intervals, errors, cases and comparisons: '
        'mlqa/test/en: not found'
    ]
    assert sections[0].parts[0] == (
        'On mlqa/test (mean of 6) base has '
        f'{mean(folder, "base", "f1")} F1 and 25.00 EM, two_stage has '
        f'{mean(folder, "two_stage", "f1")} F1 and 37.50 EM.'
    )


def mean(folder, system, score):
    scores = [
        getattr(record, score) for record in records.read_records(folder) if record.system == system
    ]
    return f'{sum(scores) / len(scores):.2f}'


def test_a_report_begins_with_what_came_out_and_what_it_is(tmp_path):
    facts = [['Encoder', 'xlmr_base, from the hub'], ['Hardware', '8 x TPU v5 lite']]  # as JSON
    folder = made.run(tmp_path / 'run', facts=facts)
    _, sections, _ = contents.build([folder], made.Reopened, [], None)
    sentence, own = sections[0].parts
    assert sentence.startswith('On mlqa/test (mean of 6) two_stage has ')
    assert sentence.endswith('which is better is not decided.')
    assert own == ('run', (('Systems', 'base, two_stage'), *facts))


def test_losses_of_two_kinds_share_no_axis(tmp_path):
    _, sections, _ = contents.build([made.run(tmp_path / 'run')], made.Reopened, [], None)
    training = next(section for section in sections if section.title == 'Training').parts
    labels = {plot.name: [line.label for line in plot.lines if line.label] for plot in training}
    assert labels == {
        'training-0.loss.base': ['base'],
        'training-0.loss.two_stage': ['two_stage'],
        'training-0.dev_f1': ['base', 'two_stage'],
        'training-0.w': ['other slots', 'gold slot'],
    }


def test_systems_of_two_runs_are_compared_by_their_folders(tmp_path):
    for name in ('base', 'lakm'):
        made.run(tmp_path / name, {name: (1,)}, systems=(name,))
    folders = [tmp_path / 'base', tmp_path / 'lakm']
    with pytest.raises(UserError, match='--compare base lakm: no reported run has both; name them'):
        contents.build(folders, made.Reopened, [], ('base', 'lakm'))


@pytest.mark.parametrize('languages', [('en',), (*made.LANGUAGES, 'zh')])
def test_a_sweep_has_a_point_for_each_value_whatever_the_languages(
    languages, tmp_path, monkeypatch
):
    monkeypatch.setitem(made.SENTENCES, 'zh', '[1876年5月]')
    monkeypatch.setitem(made.QUESTIONS, 'zh', '何时？')
    monkeypatch.setattr(
        made.run,
        '__kwdefaults__',
        made.run.__kwdefaults__ | {'pairs': tuple((language, language) for language in languages)},
    )
    _, sections, _ = contents.build([sweep(tmp_path)], made.Reopened, [], None)
    (plot,) = [each for each in sections[1].parts if getattr(each, 'name', '') == 'sweep-0']
    assert [line.x for line in plot.lines] == [(0.3, 0.5)]


def test_every_reader_of_a_run_has_its_curves(tmp_path):
    systems = ('lakm', 'lakm@last', 'calibrate')
    folder = made.run(tmp_path / 'run', dict.fromkeys(systems, (1,)), systems=systems)
    _, sections, _ = contents.build([folder], made.Reopened, [], None)
    training = next(section for section in sections if section.title == 'Training').parts
    assert {plot.name: [line.label for line in plot.lines] for plot in training} == {
        'training-0.loss.lakm': ['lakm'],
        'training-0.loss.calibrate': ['calibrate'],
        'training-0.dev_f1': ['lakm', 'calibrate'],
    }
