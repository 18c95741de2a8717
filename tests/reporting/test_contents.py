"""What stands in a report, and what is left out where something is missing."""

from tests.reporting import made
from xmrc_jax.ground.errors import UserError
from xmrc_jax.reporting import contents


def test_without_data_there_is_everything_that_needs_none(tmp_path):
    class Gone(made.Reopened):
        def tests(self):
            raise UserError('mlqa/test/en: not found')

    folder = made.run(tmp_path / 'run')
    _, sections, missing = contents.build([folder], Gone, [], None)
    titles = [section.title for section in sections if section.parts]
    assert titles == ['Scores', 'Top-k', 'Training', 'Runs']
    assert missing == [f'{folder}: no gold answers: mlqa/test/en: not found']
