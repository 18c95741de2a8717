import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.answers.conftest import K, softmax
from xmrc_jax.answers import losses, weighting
from xmrc_jax.answers.softmax import span_log_probs
from xmrc_jax.ground.errors import UserError

GOLD_B2 = np.array([[3, 4], [5, 5], [6, 9]], np.int32)
hard_loss = jax.jit(losses.hard_loss, static_argnames=('reading', 'weights'))
span_log_probs = jax.jit(span_log_probs, static_argnames=('normaliser', 'max_tokens'))


@pytest.fixture
def batch(batch):
    """The same with Z for spans: candidates in rank order, the gold last."""
    *logits_and_mask, spans_BK2 = batch
    spans_BK2[:, 0, 0] = GOLD_B2[:, 0]  # one boundary right
    spans_BK2[:, 0, 1] = GOLD_B2[:, 0] + 2
    spans_BK2[:, -1] = GOLD_B2
    return *logits_and_mask, spans_BK2


@pytest.fixture
def z(batch):
    """log_p_BK, valid_BK (some candidates outside the window), right_BK."""
    log_p_BK = span_log_probs(*batch)
    valid_BK = np.array([[1, 1, 0, 1, 0, 1], [0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]], bool)
    return log_p_BK, valid_BK, losses.right_boundaries(batch[-1], GOLD_B2)


# Loss of one window by the definition: lp and right over its present candidates, in numpy.
def per_candidate(lp, right, w):
    return -(w * lp).sum() / w.sum()


def per_type(lp, right, w):
    types = [t for t in range(3) if (right == t).any()]
    return -sum(w[t] * np.log(np.exp(lp[right == t]).sum()) for t in types) / w[types].sum()


BY_DEFINITION = {
    'per_candidate': per_candidate,
    'per_type': per_type,
    'mml': lambda lp, right, w: -np.log(np.exp(lp).sum()),
    'as_printed': lambda lp, right, w: -np.log(np.exp(lp).sum()),  # of weights that sum to one
    'gold_only': lambda lp, right, w: -lp[right == 2][0],
}


@pytest.mark.parametrize('reading', losses.READINGS)
def test_every_reading_is_its_definition(z, reading):
    log_p_BK, valid_BK, right_BK = (np.asarray(x) for x in z)
    w_X = np.linspace(0.1, 0.9, losses.slots(reading, K), dtype=np.float32)
    loss_B = hard_loss(*z, w_X, reading=reading, weights='fixed')
    assert loss_B.dtype == jnp.float32
    for b, valid_K in enumerate(valid_BK):
        w = w_X[valid_K] if reading == 'per_candidate' else w_X
        expected = BY_DEFINITION[reading](log_p_BK[b][valid_K], right_BK[b][valid_K], w)
        np.testing.assert_allclose(loss_B[b], expected, rtol=1e-5)


@pytest.mark.parametrize('weights', weighting.WEIGHTS)
def test_every_weighting_is_its_definition(z, weights):
    log_p_BK, valid_BK, _ = (np.asarray(x) for x in z)
    slots_K = np.linspace(0.1, 0.9, K, dtype=np.float32)
    loss_B = hard_loss(*z, slots_K, weights=weights, floor=0.2)
    for b, valid_K in enumerate(valid_BK):
        learned_K = 0.8 * softmax(slots_K) + 0.2 * (np.arange(K) == K - 1)
        w_K = {
            'uniform': np.ones(K),
            'fixed': slots_K,
            'free': slots_K,
        }.get(weights, learned_K)
        w = w_K[valid_K]
        if weights != 'free':
            w = w / w.sum()
        expected = -(w * log_p_BK[b][valid_K]).sum()
        np.testing.assert_allclose(loss_B[b], expected, rtol=1e-5)


def test_as_printed_is_eq_4_times_the_sum_of_the_weights(z):
    # The inner sum of eq. 5 does not depend on the outer index.
    slots_K = np.linspace(-0.2, 0.9, K, dtype=np.float32)
    sum_B = (slots_K * z[1]).sum(axis=1)
    np.testing.assert_allclose(
        hard_loss(*z, slots_K, reading='as_printed', weights='free'),
        sum_B * hard_loss(*z, reading='mml'),
        rtol=1e-5,
    )


def test_one_candidate_of_weight_one_is_the_span_loss(batch):
    # Eq. 3 written out: -log P(start) - log P(end).
    start_BL, end_BL, mask_BL, _ = batch
    loss_B = hard_loss(
        span_log_probs(start_BL, end_BL, mask_BL, GOLD_B2[:, None]),
        np.ones((3, 1), bool),
        np.full((3, 1), losses.GOLD),
        np.ones(1, np.float32),
        weights='fixed',
    )
    for b, (start, end) in enumerate(GOLD_B2):
        p = softmax(start_BL[b][mask_BL[b]])[start] * softmax(end_BL[b][mask_BL[b]])[end]
        np.testing.assert_allclose(loss_B[b], -np.log(p), rtol=1e-5)


def test_all_weight_on_the_gold_is_gold_only(z):
    one_hot_K = np.eye(K, dtype=np.float32)[-1]
    np.testing.assert_allclose(
        hard_loss(*z, one_hot_K, weights='fixed'), hard_loss(*z, reading='gold_only'), rtol=1e-6
    )


def test_mml_is_below_every_weighted_mean(z):
    # sum_k w_k log P_k <= max_k log P_k < log sum_k P_k, of two candidates or more.
    mml_B = hard_loss(*z, reading='mml')
    for weights in ('uniform', 'learned'):
        slots_K = np.linspace(-3, 3, K, dtype=np.float32)
        assert (mml_B < hard_loss(*z, slots_K, weights=weights)).all()


# A window without a present candidate; logits of -inf at the masked candidates of the others.
def poisoned(z):
    log_p_BK, valid_BK, right_BK = z
    valid_BK = valid_BK & (np.arange(3) < 2)[:, None]
    return jnp.where(valid_BK, log_p_BK, -jnp.inf), valid_BK, right_BK


@pytest.mark.parametrize(
    ('reading', 'weights'),
    [('per_candidate', w) for w in weighting.WEIGHTS]
    + [(r, 'learned') for r in losses.READINGS if r != 'per_candidate'],
)
def test_absent_candidates_add_neither_loss_nor_gradient(z, reading, weights):
    slots_K = jnp.linspace(0.1, 0.9, losses.slots(reading, K))
    right_BK = z[2]

    @jax.jit
    def grads(log_p_BK, valid_BK):
        def total(log_p_BK, slots_K):
            return losses.hard_loss(
                log_p_BK,
                valid_BK,
                right_BK,
                slots_K,
                reading=reading,
                weights=weights,
            ).sum()

        return jax.value_and_grad(total, (0, 1))(log_p_BK, slots_K)

    log_p_BK, present_BK, _ = poisoned(z)
    loss, (grad_BK, grad_K) = grads(log_p_BK, present_BK)
    assert jnp.isfinite(loss)
    assert jnp.isfinite(grad_K).all()
    assert not grad_BK[~present_BK].any()
    assert grad_BK[:2, -1].all()  # the gold's is there
    # A zero probability is absence too, whatever valid says; and what hides there is of no account.
    unmarked = grads(log_p_BK, jnp.ones_like(present_BK))
    hidden = grads(jnp.where(present_BK, log_p_BK, 7.0), present_BK)
    for other in (unmarked, hidden):
        jax.tree.map(np.testing.assert_array_equal, other, (loss, (grad_BK, grad_K)))


@pytest.mark.parametrize('reading', losses.READINGS)
def test_wrong_candidates_alone_teach_nothing(z, reading):
    # The gold of row 1 is absent, say longer than the joint softmax allows.
    log_p_BK, valid_BK, right_BK = z
    log_p_BK = log_p_BK.at[1].set(jnp.where(right_BK[1] == losses.GOLD, -jnp.inf, log_p_BK[1]))
    loss_B = hard_loss(log_p_BK, valid_BK, right_BK, reading=reading, weights='uniform')
    assert (loss_B != 0).tolist() == [True, False, True]


def test_gradient_reaches_the_logits_past_a_candidate_outside_the_mask(batch):
    start_BL, end_BL, mask_BL, spans_BK2 = batch
    spans_BK2[:, 1] = (10, 11)  # padding in rows 1 and 2

    @jax.jit
    @jax.grad
    def grad(logits):
        log_p_BK = span_log_probs(*logits, mask_BL, spans_BK2)
        return losses.mml_loss(log_p_BK, jnp.ones((3, K), bool)).sum()

    for grad_BL in grad((start_BL, end_BL)):
        assert jnp.isfinite(grad_BL).all()
        assert not grad_BL[~mask_BL].any()
        assert grad_BL[1].any()


def test_a_nan_is_not_mistaken_for_an_absent_candidate():
    log_p_BK = jnp.array([[jnp.nan, -1.0]])
    assert jnp.isnan(losses.mml_loss(log_p_BK, jnp.ones((1, 2), bool))).all()


@pytest.mark.parametrize('reading', losses.READINGS)
def test_padded_candidates_are_as_if_sliced_off_and_rows_as_if_alone(z, reading):
    padded = [np.concatenate([np.asarray(x), np.zeros_like(x[:, :3])], axis=1) for x in z]
    args = {'reading': reading, 'weights': 'uniform'}
    loss_B = hard_loss(*z, **args)
    np.testing.assert_allclose(hard_loss(*padded, **args), loss_B, rtol=1e-6)
    order = np.array([2, 0, 1])
    np.testing.assert_allclose(hard_loss(*(x[order] for x in z), **args), loss_B[order], rtol=1e-6)


@pytest.mark.parametrize(
    ('option', 'line'),
    [
        ({'reading': 'mnl'}, "reading of eq. 5: unknown choice 'mnl'; choose from per_candidate, "),
        ({'weights': 'even'}, "weights: unknown choice 'even'; choose from learned, "),
    ],
)
def test_unknown_choice_is_one_line(z, option, line):
    with pytest.raises(UserError, match=line) as error:
        hard_loss(*z, **option)
    assert '\n' not in str(error.value)
