"""Questions and masked phrases in turn, from end to end."""

import json

import pytest

from tests.small import small
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe.experiment import Experiment

LAKM = {
    'recipe': ('lakm', 'score'),
    'train.epochs': 0.5,
    'train.log_every': 1,
    'data.dev': '',
    'data.tests': ('encyclopedia/test/hi',),
}


@pytest.fixture(scope='module')
def guessed(ran):
    return ran(LAKM)


def test_both_tasks_are_trained_and_the_manifest_says_with_which_head(guessed):
    lines = (guessed / 'lakm' / 'metrics.jsonl').read_text().splitlines()
    masked = ['masked_loss' in line for line in map(json.loads, lines) if 'loss' in line]
    assert masked == [False, True, True, False, False, True]  # 3 steps of each
    results = json.loads((guessed / 'results.json').read_text())
    assert [each['system'] for each in results] == ['lakm']
    manifest = json.loads((guessed / 'manifest.json').read_text())
    assert (manifest['language_model_head'], manifest['mask']) == ('fresh', '<unk>')
    assert manifest['phrases']['samples']['hi']
    assert manifest['windows_of_texts_without_a_mask'] < 0.5 * manifest['windows_of_texts']


def test_a_tokenizer_that_has_nothing_to_mask_with_is_refused(guessed):
    own = Experiment(small(**LAKM), guessed)
    own.inputs.tokenizer.mask_token = own.inputs.tokenizer.unk_token = None
    with pytest.raises(UserError, match='a tokenizer without a mask or an unknown token'):
        _ = own.lakm.summary


def test_what_is_wrong_with_a_text_is_said_of_the_file(guessed):
    own = Experiment(small(**LAKM), guessed)
    own.inputs.tokenizer.languages = {'en': 0}  # as XLM's has them
    line = "^passages of the training sets: question 'text [0-9]+.*': language 'hi' is none of"
    for learnt in (lambda: own.lakm.summary, lambda: own.calibrenet.learnt):
        with pytest.raises(UserError, match=line):
            learnt()


def test_a_killed_run_ends_bit_equal(guessed, bit_equal_when_killed):
    bit_equal_when_killed(guessed, LAKM, 'lakm', at=5)  # the checkpoint is of step 3
