"""The public reader: one passage or several, one question or many, as PyTorch would answer."""

import dataclasses

import jax
import numpy as np
import pytest

from tests.conftest import RECORDS
from xmrc_jax import Reader
from xmrc_jax.data.queries import Query
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe import trained
from xmrc_jax.train import sharding

PAIRS = [(question, passage) for _, passage, question, *_ in RECORDS]
LONG = ' '.join(passage for _, passage in PAIRS)


@pytest.fixture(scope='module')
def reader(exported):
    return Reader.load(exported)


def places(answers):
    return [(each.passage, each.start, each.end) for each in answers]


def test_answers_are_slices_of_their_passage_best_first(reader):
    answers = reader.ask('When was it founded?', LONG, k=6)
    assert len(answers) == len(set(places(answers))) == 6
    assert all(LONG[each.start : each.end] == each.text != '' for each in answers)
    scores = [each.start_logit + each.end_logit for each in answers]
    assert scores == sorted(scores, reverse=True)
    weights = np.exp(np.array(scores) - max(scores))
    np.testing.assert_allclose([each.probability for each in answers], weights / weights.sum())
    assert {each.confidence for each in answers} == {None}


def test_probabilities_do_not_depend_on_how_many_answers_are_wanted(reader):
    few, six = (reader.ask(*PAIRS[0], k=k) for k in (2, 6))
    assert few == six[:2]
    assert len(reader.ask(*PAIRS[0], k=9)) == 9


def test_a_confidence_does_not_depend_on_how_many_answers_are_listed(reader):
    """It is fitted on shares among six; alone on its list each answer would have all of it."""
    calibration = dataclasses.replace(reader.own.asking.calibration, confidence=(1.0, 0.0))
    own = dataclasses.replace(
        reader.own, asking=dataclasses.replace(reader.own.asking, calibration=calibration)
    )
    question, passage = PAIRS[0]
    six = Reader(own).ask(question, passage, k=6)
    shares = [each.probability for each in six]
    assert max(shares) < 0.9
    np.testing.assert_allclose([each.confidence for each in six], shares, atol=1e-5)
    asked = reader.prepare([Query('', '', question, (passage,))])
    for n_best in (1, 9):
        ((listed, _),) = Reader(own, n_best=n_best).answer(asked)
        assert len(listed) == n_best
        for one, same in zip(listed, six, strict=False):
            assert one.confidence == pytest.approx(same.confidence, abs=1e-6)
    assert len(Reader(own, n_best=2).ask(question, passage, k=6)) == 6


def test_many_pairs_are_answered_as_one_by_one(reader):
    together = reader.ask_all(PAIRS, k=3)
    for answers, (question, passage) in zip(together, PAIRS, strict=True):
        alone = reader.ask(question, passage, k=3)
        assert places(answers) == places(alone)
        assert [each.text for each in answers] == [each.text for each in alone]


def test_of_several_passages_the_best_answers_count(reader):
    """Brute force: every passage by itself, all answers sorted."""
    question, passages = 'Who founded it?', [*(passage for _, passage in PAIRS), ' ', LONG[5:]]
    every = [
        (-np.float32(each.start_logit) - np.float32(each.end_logit), number, each)
        for number, passage in enumerate(passages)
        if passage.strip()
        for each in reader.ask(question, passage, k=6)
    ]
    best = [(number, each.start, each.end) for _, number, each in sorted(every)[:6]]
    answers = reader.ask(question, passages, k=6)
    assert places(answers) == best
    assert all(passages[each.passage][each.start : each.end] == each.text for each in answers)


def test_one_device_answers_as_eight(exported, reader):
    assert reader.own.mesh.size == 8
    own = trained.load(exported)
    mesh = sharding.make_mesh(devices=jax.devices()[:1])
    params = jax.device_put(jax.device_get(own.params), jax.devices()[0])
    alone = Reader(dataclasses.replace(own, params=params, mesh=mesh))
    for one, eight in zip(alone.ask_all(PAIRS), reader.ask_all(PAIRS), strict=True):
        assert places(one) == places(eight)
        np.testing.assert_allclose(
            [each.start_logit for each in one], [each.start_logit for each in eight], atol=1e-5
        )


@pytest.mark.parametrize(
    ('pair', 'message'),
    [
        (('', 'Ada.'), 'pair 1: empty question'),
        (('Who?', ''), 'pair 1: empty passage'),
        (('Who?', []), 'pair 1: no passage'),
        ((None, 'Ada.'), 'pair 1: question missing or not text'),
        (('Who?', ['Ada.', 3]), 'pair 1: passage missing or not text'),
    ],
)
def test_what_cannot_be_asked_is_named(reader, pair, message):
    with pytest.raises(UserError, match=message):
        reader.ask_all([PAIRS[0], pair])


def test_texts_without_tokens_are_faults(reader):
    """The normaliser of some tokenizers leaves nothing of what cannot be seen."""
    from tokenizers import normalizers

    backend = reader.own.tokenizer.backend_tokenizer
    before = backend.normalizer
    backend.normalizer = normalizers.Sequence(
        [normalizers.Replace('\u200b', ''), normalizers.Strip()]
    )
    try:
        queries = [
            Query('', '1', '\u200b', ('Ada.',)),
            Query('', '2', 'Who?', ('\u200b',)),
            Query('', '3', 'Who?', ('\u200b', 'Ada.')),
        ]
        prepared = reader.prepare(queries)
        assert prepared.faults == ('no tokens in its question', 'no tokens in its passage', '')
        first, second, third = (answers.listed for answers in reader.answer(prepared))
        assert first == second == []
        assert {each.passage for each in third} == {1}
    finally:
        backend.normalizer = before


def test_an_exported_reader_answers_as_torch_does(exported, reader):
    """Every span of PyTorch's logits, found with the tokenizer's own call."""
    torch = pytest.importorskip('torch')
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    model = AutoModelForQuestionAnswering.from_pretrained(exported).eval()
    tokenizer = AutoTokenizer.from_pretrained(exported)
    for question, passage in PAIRS:
        question, passage = question[:8], passage[:16]  # one window
        inputs = tokenizer(question, passage, return_tensors='pt', return_offsets_mapping=True)
        chars_L2 = inputs.pop('offset_mapping')[0].tolist()
        seen = [tokenizer.decode([token]).strip() != '' for token in inputs['input_ids'][0]]
        edge = [sees and side == 1 for sees, side in zip(seen, inputs.sequence_ids(0), strict=True)]
        assert len(edge) <= 36
        with torch.no_grad():
            output = model(**inputs)
        start_L, end_L = output.start_logits[0].numpy(), output.end_logits[0].numpy()
        found = {}
        for start, end in np.ndindex(len(edge), len(edge)):
            text = passage[chars_L2[start][0] : chars_L2[end][1]]
            if edge[start] and edge[end] and 0 <= end - start < 5:
                found[text.strip()] = max(
                    found.get(text.strip(), (-np.inf,)),
                    (start_L[start] + end_L[end], start_L[start], end_L[end]),
                )
        (best, logits) = max(found.items(), key=lambda item: item[1])
        answer = reader.ask(question, passage)[0]
        assert answer.text == best
        np.testing.assert_allclose((answer.start_logit, answer.end_logit), logits[1:], atol=1e-5)


def test_the_batch_fits_the_devices(exported):
    assert Reader.load(exported, batch_size=13).own.asking.options.batch_size == 16
    own = Reader.load(exported, batch_size=1, n_best=2)
    assert len(own.prepare([Query('', '', *PAIRS[0][:1], (LONG,))]).windows) > 8
    assert len(own.ask(*PAIRS[0], k=1)) == 1
    assert own.own.asking.options.n_best == 2


def test_beyond_a_threshold_there_is_no_answer(exported, reader):
    """The null score is the least of all windows; below the threshold it has its place."""
    answers = reader.ask('When was it founded?', LONG, k=6)
    first, *others = Reader.load(exported, null_threshold=-1e6).ask('When was it founded?', LONG, 6)
    assert (first.text, first.start, first.end, first.passage) == ('', 0, 0, 0)
    assert places(others) == places(answers[:5])
    null = first.start_logit + first.end_logit
    score = answers[2].start_logit + answers[2].end_logit
    placed = Reader.load(exported, null_threshold=null - score).ask('When was it founded?', LONG, 6)
    assert [each.text for each in placed].index('') == 3  # of equals the span comes first
    never = Reader.load(exported, null_threshold=1e6).ask('When was it founded?', LONG, k=6)
    assert places(never)[:5] == places(answers)[:5]


def test_the_null_score_of_several_passages_is_the_least_of_them(exported, reader):
    own = Reader.load(exported, null_threshold=-1e6)
    passages = [passage for _, passage in PAIRS]
    alone = [own.ask('Who?', passage, k=1)[0] for passage in passages]
    together, *others = own.ask('Who?', passages, k=6)
    assert places(others) == places(reader.ask('Who?', passages, k=5))
    sums = [each.start_logit + each.end_logit for each in alone]
    assert together.start_logit + together.end_logit == pytest.approx(min(sums), abs=1e-5)


@pytest.mark.parametrize('share', [0.0, 0.3, 0.5])
def test_of_answers_that_overlap_the_better_stands_for_both(exported, share):
    every = Reader.load(exported, n_best=30).ask('Who?', LONG, k=30)
    expected = []
    for each in every:
        own = set(range(each.start, each.end))
        others = [set(range(other.start, other.end)) for other in expected]
        if all(len(own & other) <= share * min(len(own), len(other)) for other in others):
            expected.append(each)
    listed = Reader.load(exported, n_best=30, max_overlap=share).ask('Who?', LONG, k=30)
    assert 1 < len(expected) < len(every)
    assert places(listed) == places(expected)
