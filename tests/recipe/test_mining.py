"""Z from a larger mined set is the Z that would have been mined."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.small import small
from xmrc_jax.data.golds import in_turn
from xmrc_jax.data.squad import Answer, Question
from xmrc_jax.data.windows import WindowSize, build
from xmrc_jax.evaluate.nbest import NBest
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.recipe.inputs import Split
from xmrc_jax.recipe.mining import MinedSet, MineOptions
from xmrc_jax.recipe.store import Store


def mined(workdir, monkeypatch, **leaves):
    """Z of every window, mined by a reader that was never trained; and how much was mined."""
    own = Experiment(small(**{f'mine.{name}': value for name, value in leaves.items()}), workdir)
    params = own.inputs.pretrained()
    monkeypatch.setattr(Store, 'reported', lambda store: params)
    own.mined.mine()
    return own.mined.of_windows()


@pytest.mark.parametrize('size', [1, 5, 10])
def test_the_best_of_many_are_those_of_few(size, tmp_path, monkeypatch):
    many = mined(tmp_path / 'many', monkeypatch, candidates=size, n_best=10)
    few = mined(tmp_path / 'few', monkeypatch, candidates=size)
    for array, expected in zip(many, few, strict=True):
        assert array.shape[1] == size
        assert np.array_equal(array, expected)
    assert many[1].sum() > 68 * size * 0.9  # of 72 questions, and few candidates are lost


def mined_set(split, ask, words, workdir, candidates, scope='question'):
    """What a reader that answers by ``ask`` has mined."""
    own = MinedSet(
        MineOptions(candidates, n_best=0, folds=1, gold_slot='last', scope=scope, block=8),
        seed=0,
        inputs=SimpleNamespace(train=split, tokenizer=words),
        ask=ask,
        store=lambda name: SimpleNamespace(reported=lambda: {'leaf': np.ones(1)}),
        fit_base=None,
        workdir=workdir,
    )
    own.mine()
    return own


def test_every_gold_in_turn_has_its_z(words, tmp_path):
    passage = 'In 1984 the Fenwicks met Ada'
    texts = ('Ada', '1984')
    golds = tuple(Answer(passage.index(text), text) for text in texts)
    turns = in_turn([Question('q', 'Who?', passage, golds)])
    cut = [build(turn, words, WindowSize(100, 0, 10)) for turn in turns]
    split, other = (Split((), turn, windows) for turn, windows in zip(turns, cut, strict=True))

    def ask(params, windows, questions, label, k):
        chars_QK2 = np.array([[[8, 11], [12, 20], [21, 24]]], np.int32)[:, :k]
        return NBest(chars_QK2, np.zeros((1, k, 2), np.float32), np.zeros((1, k)), np.zeros((1, 3)))

    own = mined_set(split._replace(others=(other,)), ask, words, tmp_path, candidates=3)
    spans_WK2, valid_WK = own.of_windows()
    assert spans_WK2.shape == (2, 3, 2)
    assert valid_WK.all()
    for turn, windows in enumerate(cut):
        assert spans_WK2[turn, -1].tolist() == windows.gold_W2[0].tolist()


@pytest.mark.parametrize('scope', ['question', 'window'])
@pytest.mark.parametrize('answer', ['1984', '\u200bIn', 'Ada\u200b', 'met'])
def test_z_holds_the_gold_and_loses_no_candidate_to_it(answer, scope, words, tmp_path):
    # '1984' ends inside a token; U+200B is of no token, at either end of the passage.
    passage = '\u200bIn (1984) the Fenwicks met Ada\u200b'
    question = Question('q', 'Who?', passage, (Answer(passage.index(answer), answer),))
    cut = build([question], words, WindowSize(100, 0, 10))
    ends = np.flatnonzero([char.isspace() for char in passage + ' '])
    starts = np.append(0, ends[:-1] + 1)
    chars_K2 = np.stack([starts, ends], axis=1)
    chars_K2[0, 0], chars_K2[-1, 1] = 1, len(passage) - 1  # as tokens are

    def ask(params, windows, questions, label, k):
        logits_QK2 = np.zeros((1, k, 2), np.float32)
        return NBest(
            chars_K2[None, :k].astype(np.int32),
            logits_QK2,
            logits_QK2.sum(axis=2),
            np.zeros((len(logits_QK2), 3)),
        )

    own = mined_set(Split((), (question,), cut), ask, words, tmp_path, candidates=6, scope=scope)
    spans_WK2, valid_WK = own.of_windows()
    assert spans_WK2[0, -1].tolist() == cut.gold_W2[0].tolist()
    assert valid_WK.tolist() == [[True] * 6]
    assert len(np.unique(spans_WK2[0], axis=0)) == 6


@pytest.mark.parametrize('mix', ['none', 'pairs'])
def test_who_answers_a_question_has_learnt_it_in_no_language(mix, tmp_path, monkeypatch):
    own = Experiment(small(**{'mine.folds': 3, 'data.mix': mix}), tmp_path)
    learnt = []
    monkeypatch.setattr(Store, 'reported', lambda store: {'leaf': np.ones(1, np.float32)})
    monkeypatch.setattr(Experiment, 'fit_base', lambda own, name, split: learnt.append(split))

    def ask(params, windows, count, label, k):
        nowhere_QK2 = np.full((count, k, 2), -1, np.int32)
        return NBest(nowhere_QK2, -np.ones(nowhere_QK2.shape), None, None)

    monkeypatch.setattr(own, 'ask', ask)
    own.mined.mine()
    questions = set(own.inputs.train.questions)
    assert {question.context_language for question in questions} == {'en', 'hi'}
    answered = [questions - set(split.questions) for split in learnt]
    assert set.union(*answered) == questions
    for split, asked in zip(learnt, answered, strict=True):
        assert not {each.id for each in asked} & {each.id for each in split.questions}
        assert not {each.passage for each in asked} & {each.passage for each in split.questions}


def test_a_set_smaller_than_z_is_refused(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r'mine\.n_best=4: Z is made of these, and has .*=5'):
        mined(tmp_path, monkeypatch, candidates=5, n_best=4)
