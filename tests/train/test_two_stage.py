"""The second stage: eq. 9 put together, its schedules and its readings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.train import made
from xmrc_jax.answers import contrast, losses, softmax, spans, weighting
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import reader
from xmrc_jax.train.objective import base_objective
from xmrc_jax.train.two_stage import two_stage_objective

METHOD = made.method()


@pytest.fixture
def params(encoder, key):
    return {'reader': reader.init(encoder, key)} | METHOD.hard.initial_slots(made.CANDIDATES)


def outcome(params, encoder, method, batches, key, step=0, steps=10):
    objective = two_stage_objective(encoder, method, steps, made.MAX_ANSWER_TOKENS)
    return objective(params, batches.batch_at(0), jnp.int32(step), key)


def test_without_contrast_and_hard_learning_it_is_the_base_loss(params, dry, batches, key):
    plain = made.method(alpha=0.0, hard_learning='gold_only')
    np.testing.assert_allclose(
        outcome(params, dry, plain, batches, key).loss_B,
        base_objective(dry, METHOD.normalisation)(params, batches.batch_at(0), 0, key).loss_B,
        rtol=1e-6,
    )


def test_alpha_mixes_contrast_and_hard_loss(params, dry, batches, key):
    # Eq. 9 with alpha = 1/4, plus half of eq. 3.
    mixed = made.method(alpha=0.25, gold_weight=0.5)
    found = outcome(params, dry, mixed, batches, key)
    parts = {name: values_B for name, (values_B, _) in found.averages.items()}
    expected_B = (
        0.25 * parts['contrast_loss'] + 0.75 * parts['hard_loss'] + 0.5 * parts['gold_loss']
    )
    real_B = batches.batch_at(0).real_B
    np.testing.assert_allclose(found.loss_B[real_B], expected_B[real_B], rtol=1e-6)


def test_the_parts_are_those_of_the_equations(params, dry, batches, key):
    batch = jax.tree.map(jnp.asarray, batches.batch_at(0))
    found = outcome(params, dry, METHOD, batches, key)
    reading = reader.apply(params['reader'], dry, batch.ids_BL, batch.length_B, batch.passage_B2)
    length = batch.ids_BL.shape[1]
    real_BL = jnp.arange(length)[None] < batch.length_B[:, None]
    log_p_BK = softmax.span_log_probs(
        reading.start_logits_BL, reading.end_logits_BL, real_BL, batch.candidates_BK2
    )
    weights_BK = weighting.learned_weights(
        params['slot_logits'], jnp.array([[False, False, True]]), METHOD.hard.gold_floor
    )
    hard_B = losses.weighted_loss(
        log_p_BK, batch.candidate_BK, jnp.broadcast_to(weights_BK, log_p_BK.shape)
    )
    np.testing.assert_allclose(found.averages['hard_loss'][0], hard_B, rtol=1e-5)
    np.testing.assert_allclose(found.values['w'], weights_BK[0], rtol=1e-6)

    # Eq. 7 by hand: every legal span among the 8 best, the most similar that is not the gold text.
    score_BK, spans_BK2 = spans.top_spans(
        reading.start_logits_BL,
        reading.end_logits_BL,
        batch.edge_BL,
        k=METHOD.contrast.spans,
        max_tokens=made.MAX_ANSWER_TOKENS,
    )
    vectors = np.asarray(spans.pool(reading.hidden_BLD, spans_BK2))
    gold_BD = np.asarray(spans.pool(reading.hidden_BLD, batch.gold_B2[:, None])[:, 0])
    hardness_B, negative_BD = [], []
    for row in range(len(gold_BD)):
        best = (-np.inf, None)
        for k in range(METHOD.contrast.spans):
            start, end = np.asarray(spans_BK2[row, k])
            if np.isfinite(score_BK[row, k]) and batch.repeat_end_BL[row, start] != end:
                vector = vectors[row, k]
                norms = np.linalg.norm(vector) * np.linalg.norm(gold_BD[row])
                best = max(best, (vector @ gold_BD[row] / norms, k))
        hardness_B.append(best[0])
        negative_BD.append(vectors[row, best[1]])
    np.testing.assert_allclose(found.averages['negative_hardness'][0], hardness_B, atol=1e-5)
    contrast_B, _ = contrast.contrast_loss(
        spans.pool_range(reading.hidden_BLD, batch.question_B2),
        jnp.asarray(gold_BD),
        jnp.stack(negative_BD)[:, None],
        jnp.ones((len(gold_BD), 1), bool),
        batch.group_B,
        batch.real_B,
        tau=10.0,
    )
    np.testing.assert_allclose(found.averages['contrast_loss'][0], contrast_B, atol=1e-5)


@pytest.mark.parametrize(
    ('changes', 'step', 'alpha'),
    [
        ({}, 0, 0.5),
        ({'hard_only': 0.5}, 4, 0.0),  # 4 of 10 steps: still eq. 5 alone
        ({'hard_only': 0.5}, 5, 0.5),
        ({'alpha_ramp': 0.4}, 0, 0.0),
        ({'alpha_ramp': 0.4}, 2, 0.25),  # half of the ramp
        ({'alpha_ramp': 0.4}, 9, 0.5),
        ({'hard_only': 0.2, 'alpha_ramp': 0.4}, 4, 0.25),  # ramp from 2 to 6
    ],
)
def test_alpha_over_the_steps(changes, step, alpha, params, dry, batches, key):
    found = outcome(params, dry, made.method(**changes), batches, key, step)
    np.testing.assert_allclose(found.values['alpha'], alpha, rtol=1e-6)


READINGS = [
    {'softmax_over': 'passage'},
    {'probability': 'joint'},
    {'hard_learning': 'per_type'},
    {'hard_learning': 'mml'},
    {'hard_learning': 'as_printed'},
    {'hard_learning': 'gold_only'},
    {'weights': 'uniform'},
    {'weights': 'fixed', 'fixed_weights': (0.1, 0.1, 0.8)},
    {'weights': 'free', 'gold_floor': 0.0},
    {'negatives': 'top1'},
    {'negatives': 'random'},
    {'negative_count': 4},
    {'denominator': 'own_negative'},
    {'denominator': 'in_batch'},
    {'temperature_reading': 'multiply'},
    {'question': 'first_token'},
]


@pytest.mark.parametrize(
    'changes', READINGS, ids=lambda changes: '-'.join(map(str, changes.values()))
)
def test_every_reading_changes_the_loss_and_has_finite_gradients(
    changes, encoder, dry, batches, key
):
    batch = batches.batch_at(0)
    real_B = batch.real_B

    def loss(params, method):
        objective = two_stage_objective(dry, method, 10, made.MAX_ANSWER_TOKENS)
        return jnp.sum(objective(params, batch, jnp.int32(0), key).loss_B * real_B)

    # A reader of some opinion: at its start all spans are nearly alike.
    grown = jax.tree.map(lambda leaf: 3 * leaf, reader.init(dry, key))
    default = loss({'reader': grown} | METHOD.hard.initial_slots(made.CANDIDATES), METHOD)
    other = made.method(**changes)
    params = {'reader': grown} | other.hard.initial_slots(made.CANDIDATES)
    value, grads = jax.value_and_grad(loss)(params, other)
    assert abs(float(value - default)) > 1e-6
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(grads))


def test_a_window_without_the_gold_is_trained_on_its_first_token(params, dry, batches, key):
    batch = batches.batch_at(0)
    batch.gold_B2[0] = 0
    batch.candidate_BK[0] = False
    for over in ('window', 'passage'):
        chosen = made.method(softmax_over=over)
        found = two_stage_objective(dry, chosen, 10, made.MAX_ANSWER_TOKENS)(
            params, batch, jnp.int32(0), key
        )
        base = base_objective(dry, chosen.normalisation)(params, batch, jnp.int32(0), key)
        # With the weight that eq. 5 has for the others: 1 - alpha.
        np.testing.assert_allclose(found.loss_B[0], 0.5 * base.loss_B[0], rtol=1e-6)
        assert np.isfinite(found.loss_B[0])
        assert not found.averages['contrast_loss'][1][0]


def test_where_slots_are_ranks_none_starts_as_the_golds(dry, batches, key):
    ranks = METHOD.hard.initial_slots(made.CANDIDATES, 'by_rank')
    assert ranks['slot_logits'].tolist() == [0.0, 0.0, 0.0]
    params = {'reader': reader.init(dry, key)} | ranks
    batch = batches.batch_at(0)
    found = [
        two_stage_objective(dry, METHOD, 10, made.MAX_ANSWER_TOKENS, 'by_rank')(
            params, moved, jnp.int32(0), key
        )
        for moved in (
            batch,
            batch._replace(
                candidates_BK2=batch.candidates_BK2[:, ::-1],
                candidate_BK=batch.candidate_BK[:, ::-1],
            ),
        )
    ]
    np.testing.assert_allclose(found[0].values['w'], np.full(3, 1 / 3), rtol=1e-6)
    # The gold has its floor wherever it stands: turning Z round changes no loss.
    np.testing.assert_allclose(*(each.averages['hard_loss'][0] for each in found), rtol=1e-5)


@pytest.mark.parametrize('place', ['last', 'by_rank'])
def test_weights_that_nothing_scales_start_where_the_others_do(place):
    hard, scaled = made.method(weights='free').hard, METHOD.hard
    found, expected = (
        each.learned_weights(each.initial_slots(made.CANDIDATES, place)['slot_logits'], place)
        for each in (hard, scaled)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_of_types_the_golds_is_the_last_whatever_the_place_in_z():
    per_type = made.method(hard_learning='per_type').hard
    for place in ('last', 'by_rank'):
        share = jax.nn.softmax(per_type.initial_slots(made.CANDIDATES, place)['slot_logits'])
        np.testing.assert_allclose(share[-1], per_type.gold_start, rtol=1e-6)


def test_choices_are_checked_before_anything_runs():
    with pytest.raises(UserError, match="two_stage.negatives: unknown choice 'nearest'.*similar"):
        made.method(negatives='nearest')
    with pytest.raises(UserError, match='two_stage.fixed_weights: 2 numbers, 3 needed'):
        made.method(weights='fixed', fixed_weights=(0.5, 0.5))
    with pytest.raises(UserError, match='two_stage.negative_count=9: .* two_stage.spans=8'):
        made.method(negative_count=9)
