"""What a run says of its data before it begins, and that it goes on with the same."""

import json

import pytest

from tests.small import small
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe import opening
from xmrc_jax.recipe.experiment import Experiment


def test_every_split_is_said_and_what_is_mixed(tmp_path):
    plain = list(opening.read(Experiment(small(), tmp_path).inputs))
    assert plain[0] == 'train: 72 questions, 177 windows of encyclopedia/train/en and 1 more'
    assert len(plain) == 4  # train, dev and two test sets
    mixed = list(opening.read(Experiment(small(**{'data.mix': 'pairs'}), tmp_path).inputs))
    assert mixed[0].startswith('train: 144 questions')
    assert mixed[-1] == (
        'mixed: 4 pairs of languages; an epoch asks each passage once; '
        '0 questions have no translation'
    )


@pytest.mark.parametrize(
    ('leaves', 'learns'),
    [
        ({}, False),
        ({'recipe': ('lakm',)}, True),
        ({'recipe': ('calibrate',)}, True),
        ({'recipe': ('calibrate',), 'calibrate.start': 'base'}, False),
    ],
)
def test_phrases_are_looked_for_where_a_step_learns_from_them(leaves, learns):
    assert opening.learns_phrases(small(**leaves)) is learns


def test_phrases_are_counted_with_what_was_left_out(tmp_path):
    path = tmp_path / 'phrases.jsonl'
    line = '{"text": "Ada Fenwick", "language": "en", "spans": [[0, %d]]}\n'
    path.write_text(line % 3 + line % 99)
    run = small(**{'data.phrases': str(path)})
    assert opening.phrases(Experiment(run, tmp_path / 'run').inputs) == (
        f'phrases: 1 in 1 texts of {path}, 1 phrase outside its text'
    )


def test_a_run_does_not_go_on_with_other_text(tmp_path):
    """Nor with other phrases; what an earlier version wrote does not say, and is gone on with."""
    phrases, manifest = tmp_path / 'phrases.jsonl', tmp_path / 'manifest.json'
    line = '{"text": "Ada Fenwick", "language": "en", "spans": [[0, %d]]}\n'
    phrases.write_text(line % 3)
    leaves = {'data.phrases': str(phrases), 'recipe': ('lakm',), 'lakm.share': 0.9}

    def prepare(**changes):
        Experiment(small(**leaves | changes), tmp_path).prepare()

    prepare()
    prepare()
    written = manifest.read_text()
    with pytest.raises(UserError, match=r'manifest\.json: the text of train, dev, encyclopedia'):
        prepare(seed=7)  # of which the corpus is made
    phrases.write_text(line % 11)
    with pytest.raises(UserError, match=r'manifest\.json: the text of phrases, or the tokenizer, '):
        prepare()
    assert manifest.read_text() == written
    older = json.loads(written)
    del older['contents']
    manifest.write_text(json.dumps(older))
    prepare()
