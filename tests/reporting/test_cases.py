"""Case studies: found by id, asked once, chosen by rule."""

import math

import pytest

from tests.reporting import made
from xmrc_jax.ground.errors import UserError
from xmrc_jax.reporting import cases, contents, runs
from xmrc_jax.reporting.outcomes import Outcomes


@pytest.fixture
def run(tmp_path):
    return runs.read([made.run(tmp_path / 'run')], made.setup_of)[0].runs[0]


def test_a_question_is_found_in_the_language_asked_for(run):
    outcomes = Outcomes(lambda folder: made.corpora())
    assert cases.find(run, 'q3', outcomes)[0].context_language == 'en'
    assert cases.find(run, 'q3@ar', outcomes)[1].context_language == 'ar'
    with pytest.raises(UserError, match='--case q9: no test question'):
        cases.find(run, 'q9', outcomes)


def test_checkpoints_are_asked_once(run):
    outcomes, reopened = Outcomes(lambda folder: made.corpora()), made.Reopened(run.folder)
    found = cases.find(run, 'q0@hi', outcomes)
    first = cases.answered(run, *found, reopened.kept, reopened.ask)
    assert reopened.calls == [(s, step) for s in ('base', 'two_stage') for step in (50, 100)]
    assert (run.folder / 'cases' / 'q0.hi-hi.json').exists()
    assert cases.answered(run, *found, reopened.kept, reopened.ask) == first
    more = cases.answered(run, *found, lambda system: [100, 150], reopened.ask)
    assert reopened.calls[4:] == [('base', 150), ('two_stage', 150)]
    assert list(more.answers['base']) == [50, 100, 150]


def test_every_reader_of_a_run_is_asked_once_however_it_is_decoded(tmp_path):
    systems = ('base', 'distil', 'distil@minimum_risk', 'lakm', 'lakm@oracle')
    folder = made.run(tmp_path / 'run', dict.fromkeys(systems, (1,)), systems=systems)
    run = runs.read([folder], made.setup_of)[0].runs[0]
    outcomes, reopened = Outcomes(lambda folder: made.corpora()), made.Reopened(folder)
    found = cases.find(run, 'q0@hi', outcomes)
    case = cases.answered(run, *found, reopened.kept, reopened.ask)
    assert list(case.answers) == ['base', 'distil', 'lakm']
    asked = [(system, step) for system in case.answers for step in (50, 100)]
    assert reopened.calls == asked


def test_curves_have_the_gold_answer_first_and_gaps_where_nothing_is_known(run):
    question = made.questions('en')[0]
    gold = question.answers[0]
    right = cases.Span(gold.start, gold.start + len(gold.text), gold.text, 0.3)
    steps = {1: [cases.Span(0, 1, '0', 0.5)], 2: [cases.Span(0, 1, '0', 0.6), right]}
    case = cases.Case(run.folder, 'mlqa/test', question, {'base': steps})
    ((_, plot, texts, _),) = cases.readers(case)
    assert texts == [gold.text, '0']
    assert [line.label for line in plot.lines] == ['A, gold', 'B']
    assert math.isnan(plot.lines[0].y[0])
    assert list(plot.lines[1].y) == [0.5, 0.6]


def test_no_case_where_the_rule_finds_none(tmp_path):
    right = {'base': (1,), 'two_stage': (1,)}  # the rest is missed by both
    run = runs.read([made.run(tmp_path / 'run', right)], made.setup_of)[0].runs[0]
    assert cases.by_rule(run, Outcomes(lambda folder: made.corpora())) is None


def test_a_case_is_chosen_by_rule(run):
    # Base is right in q0 and q1, two_stage in q1 to q3; every n-best holds the gold answer.
    case = cases.by_rule(run, Outcomes(lambda folder: made.corpora()))
    assert (case.question.id, case.question.context_language) == ('q2', 'en')
    assert [text for *_, text, _ in case.answers['two_stage'][-1]] == ['May 1876', '1876']
    assert [p for *_, p in case.answers['base'][-1]] == [0.75, 0.25]


@pytest.mark.parametrize(
    ('compared', 'message'),
    [
        (['base', 'nothing'], '--compare base: neither a system'),
        (['{run}:base', '{run}:more'], "no 'more'"),
        (['{run}', '/nowhere'], '--compare /nowhere: neither'),
    ],
)
def test_unknown_systems_are_named(run, compared, message):
    compared = [name.format(run=run.folder) for name in compared]
    with pytest.raises(UserError) as error:
        contents.build([run.folder], made.Reopened, [], compared)
    assert message in str(error.value)
