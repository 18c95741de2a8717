"""A finished run opened again, on whatever devices there are."""

import json
import shutil

import pytest

from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe.reopen import Reopened


def test_a_run_says_what_it_was(finished):
    reopened = Reopened(finished)
    assert reopened.setup.seed == 42
    assert [corpus.name for corpus, _ in reopened.tests()] == [
        'encyclopedia/test/en',
        'encyclopedia/test/hi',
    ]
    assert reopened.kept('base') == [3, 6]
    assert reopened.kept('nobody') == []


def test_a_run_of_another_mesh_is_asked_on_the_devices_of_now(finished, tmp_path):
    shutil.copytree(finished, tmp_path / 'run')
    config = json.loads((finished / 'config.json').read_text())
    config['mesh'] = {'data': 64, 'fsdp': 1, 'model': 1}
    (tmp_path / 'run' / 'config.json').write_text(json.dumps(config))
    question = next(Reopened(finished).tests())[1][0]
    answers = [Reopened(folder).ask('base', 6, question) for folder in (finished, tmp_path / 'run')]
    assert answers[0] == answers[1]
    probabilities = [span.probability for span in answers[0]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 < sum(probabilities) < 1
    assert all(question.passage[span.start : span.end] == span.text for span in answers[0])


def test_a_folder_without_a_configuration_is_named(tmp_path):
    with pytest.raises(UserError, match=r'config\.json'):
        _ = Reopened(tmp_path).setup
