"""What each question scored, and data that are not those that were scored."""

from tests.reporting import made
from xmrc_jax.data.squad import Answer, Question
from xmrc_jax.reporting import runs
from xmrc_jax.reporting.outcomes import Outcomes


def test_data_that_changed_are_named_and_not_used(tmp_path):
    (study,) = runs.read([made.run(tmp_path / 'run')], made.setup_of)
    run = study.runs[0]
    fewer = Outcomes(lambda folder: [(c, q[:-1]) for c, q in made.corpora()])
    assert fewer.of(run, run.records[0]) is None
    assert 'other questions' in fewer.missing[0]

    def moved(folder):
        for corpus, questions in made.corpora():
            yield corpus, [Question(q.id, q.text, q.passage, (Answer(0, '1'),)) for q in questions]

    other = Outcomes(moved)
    assert other.of(run, run.records[0]) is None
    assert 'other gold answers' in other.missing[0]
