import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from xmrc_jax.answers import contrast
from xmrc_jax.ground.errors import UserError

contrast_loss = jax.jit(contrast.contrast_loss, static_argnames=('temperature', 'denominator'))


def rows(B=8, T=2, D=5, seed=0):
    """Random vectors; windows 0 and 3 ask the same question, row 6 is padding."""
    rng = np.random.default_rng(seed)
    question_BD, gold_BD = rng.normal(size=(2, B, D)).astype(np.float32)
    negative_BTD = rng.normal(size=(B, T, D)).astype(np.float32)
    negative_BT = rng.random((B, T)) < 0.7
    group_B = np.arange(B, dtype=np.int32)
    group_B[3] = 0
    return question_BD, gold_BD, negative_BTD, negative_BT, group_B, np.arange(B) != 6


def by_loops(question_BD, gold_BD, negative_BTD, negative_BT, group_B, real_B, denominator, scale):
    def cosine(x, y):
        return float(x @ y / np.sqrt(x @ x) / np.sqrt(y @ y))

    loss_B, correct_B = [], []
    for b, question in enumerate(question_BD.astype(np.float64)):
        own, partners = cosine(question, gold_BD[b]), []
        for j in range(len(gold_BD)):
            stranger = group_B[j] != group_B[b] and real_B[j]
            if stranger and denominator != 'own_negative':
                partners.append(cosine(question, gold_BD[j]))
            if j == b or (stranger and denominator == 'global'):
                hard = [] if denominator == 'in_batch' else negative_BTD[j][negative_BT[j]]
                partners += [cosine(question, vector) for vector in hard]
        total = sum(np.exp(scale * s) for s in [own, *partners])
        loss_B.append(np.log(total) - scale * own if real_B[b] else 0.0)
        correct_B.append(bool(real_B[b] and all(own > s for s in partners)))
    return loss_B, correct_B


@pytest.mark.parametrize('question', contrast.QUESTIONS)
def test_affinity_is_the_weighted_cosine_of_the_pooled_span_with_the_question(question):
    hidden_BLD = np.random.default_rng(0).normal(size=(2, 7, 4)).astype(np.float32)
    spans_BK2 = np.array([[[4, 4], [3, 6], [-1, -1]], [[5, 6], [3, 3], [4, 6]]])
    question_B2 = np.array([[1, 3], [1, 2]])
    found_BK = contrast.Affinity(2.5, question).of(hidden_BLD, spans_BK2, question_B2)
    for row, (lo, hi) in enumerate(question_B2):
        asked_D = hidden_BLD[row, 0]
        if question == 'mean':
            asked_D = hidden_BLD[row, lo:hi].mean(axis=0)
        for k, (start, end) in enumerate(spans_BK2[row]):
            span_D = hidden_BLD[row, start : end + 1].mean(axis=0) if start >= 0 else np.zeros(4)
            norm = np.linalg.norm(asked_D) * np.linalg.norm(span_D)
            expected = 2.5 * (asked_D @ span_D) / max(norm, 1e-12)
            np.testing.assert_allclose(found_BK[row, k], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('denominator', ['global', 'own_negative', 'in_batch'])
@pytest.mark.parametrize(('temperature', 'scale'), [('divide', 0.25), ('multiply', 4.0)])
def test_contrast_is_that_of_loops(denominator, temperature, scale):
    loss_B, correct_B = contrast_loss(
        *rows(), tau=4.0, temperature=temperature, denominator=denominator
    )
    expected_B, right_B = by_loops(*rows(), denominator, scale)
    np.testing.assert_allclose(loss_B, expected_B, rtol=1e-5, atol=1e-6)
    assert correct_B.tolist() == right_B


def test_own_negative_in_closed_form():
    # cosine 1 with the gold, -1 with the negative, tau 2: log(1 + exp(-1/2 - 1/2)).
    east = jnp.array([[2.0, 0.0]])
    some = jnp.array([[True]])
    loss_B, _ = contrast_loss(
        east,
        east,
        -east[:, None],
        some,
        jnp.array([0]),
        some[0],
        tau=2.0,
        denominator='own_negative',
    )
    np.testing.assert_allclose(loss_B, [np.log1p(np.exp(-1.0))], rtol=1e-6)


def test_a_tie_is_not_correct():
    # A collapsed encoder gives every span the same vector: that is no accuracy.
    ones = jnp.ones((2, 3))
    real_B = jnp.array([True, True])
    _, correct_B = contrast_loss(ones, ones, ones[:, None], real_B[:, None], jnp.arange(2), real_B)
    assert correct_B.tolist() == [False, False]


def test_a_row_without_any_partner_has_no_loss():
    x = jnp.ones((1, 2))
    loss_B, _ = contrast_loss(
        x, x, x[:, None], jnp.array([[False]]), jnp.array([0]), jnp.array([True])
    )
    np.testing.assert_allclose(loss_B, [0.0], atol=1e-6)


def test_padding_rows_change_nothing_and_are_never_correct():
    padding = [np.ones_like(x[:3]) for x in rows()]  # question and gold alike: as right as can be
    padding[2] *= -1
    padding[-1][:] = False
    padded = [np.concatenate(pair) for pair in zip(rows(), padding, strict=True)]
    loss_B, correct_B = contrast_loss(*padded)
    np.testing.assert_allclose(loss_B[:8], contrast_loss(*rows())[0], rtol=1e-6)
    assert not loss_B[8:].any()
    assert not correct_B[8:].any()


def test_order_of_the_rows_does_not_matter():
    order_B = np.random.default_rng(1).permutation(8)
    moved_B, _ = contrast_loss(*(x[order_B] for x in rows()))
    np.testing.assert_allclose(moved_B, contrast_loss(*rows())[0][order_B], rtol=1e-6)


def test_gradient_reaches_the_own_gold_and_only_real_partners_of_other_questions():
    question_BD, gold_BD, negative_BTD, negative_BT, group_B, real_B = rows()

    def first(gold_BD, negative_BTD):
        return contrast_loss(question_BD, gold_BD, negative_BTD, negative_BT, group_B, real_B)[0][0]

    gold, negative = jax.jit(jax.grad(first, (0, 1)))(gold_BD, negative_BTD)
    assert np.flatnonzero(np.abs(gold).any(axis=-1)).tolist() == [0, 1, 2, 4, 5, 7]
    partner_BT = negative_BT & real_B[:, None] & (np.arange(8) != 3)[:, None]
    assert (np.abs(negative).any(axis=-1) == partner_BT).all()


def test_gradient_is_finite_at_zero_vectors():
    zero = [0 * x for x in rows()[:3]]
    loss = jax.jit(jax.grad(lambda *x: contrast_loss(*x, *rows()[3:])[0].sum(), (0, 1, 2)))
    grads = loss(*zero)
    assert all(jnp.isfinite(grad).all() for grad in grads)


@pytest.mark.parametrize('denominator', ['global', 'own_negative', 'in_batch'])
def test_eight_devices_give_the_value_and_gradient_of_one(denominator):
    mesh = jax.make_mesh((8,), ('data',), axis_types=(AxisType.Auto,))
    split = NamedSharding(mesh, PartitionSpec('data'))

    @jax.jit
    def value_and_grad(vectors, rest):
        def mean(vectors):
            return contrast_loss(*vectors, *rest, denominator=denominator)[0].mean()

        return jax.value_and_grad(mean)(vectors)

    batch = rows(B=16)
    alone = value_and_grad(batch[:3], batch[3:])
    spread = value_and_grad(*jax.device_put((batch[:3], batch[3:]), split))
    assert len(spread[1][0].sharding.device_set) == 8
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-7), alone, spread)


@pytest.mark.parametrize('option', ['denominator', 'temperature'])
def test_unknown_choice_is_one_line(option):
    with pytest.raises(UserError, match=rf"{option}: unknown choice 'cold'; choose from \w+, "):
        contrast_loss(*rows(), **{option: 'cold'})
