"""Equation 2: both ends' softmax, or one over all legal spans."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.answers.conftest import L, softmax
from xmrc_jax.answers.softmax import NORMALISERS, span_log_probs

span_log_probs = jax.jit(span_log_probs, static_argnames=('normaliser', 'max_tokens'))


def test_product_is_start_times_end_over_the_real_tokens(batch):
    start_BL, end_BL, mask_BL, spans_BK2 = batch
    log_p_BK = span_log_probs(*batch)
    for b in range(3):
        start_p, end_p = softmax(start_BL[b][mask_BL[b]]), softmax(end_BL[b][mask_BL[b]])
        expected_K = [np.log(start_p[s] * end_p[e]) for s, e in spans_BK2[b]]
        np.testing.assert_allclose(log_p_BK[b], expected_K, rtol=1e-5)


def test_joint_shares_one_among_the_legal_spans(batch):
    start_BL, end_BL, mask_BL, _ = batch
    every_B = [
        [(s, e) for s in range(L) for e in range(s, min(s + 3, L)) if mask_BL[b, e]]
        for b in range(3)
    ]
    for b, legal in enumerate(every_B):
        score = np.array([start_BL[b, s] + end_BL[b, e] for s, e in legal])
        log_p_BK = span_log_probs(
            start_BL[b : b + 1],
            end_BL[b : b + 1],
            mask_BL[b : b + 1],
            np.array([legal], np.int32),
            normaliser='joint',
            max_tokens=3,
        )
        np.testing.assert_allclose(log_p_BK[0], np.log(softmax(score)), rtol=1e-5)


@pytest.mark.parametrize('span', [(0, 3), (7, 8), (5, 4)])  # too long, past the mask, backwards
def test_a_span_that_is_not_legal_has_no_joint_probability(batch, span):
    spans_BK2 = np.full((3, 1, 2), span, np.int32)
    log_p_BK = span_log_probs(*batch[:3], spans_BK2, normaliser='joint', max_tokens=3)
    assert log_p_BK[1, 0] == -jnp.inf  # row 1 has 8 real tokens


@pytest.mark.parametrize('normaliser', NORMALISERS)
def test_padding_the_window_changes_nothing(batch, normaliser):
    start_BL, end_BL, mask_BL, spans_BK2 = batch
    wider = [np.pad(x, ((0, 0), (0, 5)), constant_values=9) for x in (start_BL, end_BL)]
    wider.append(np.pad(mask_BL, ((0, 0), (0, 5))))
    np.testing.assert_allclose(
        span_log_probs(*wider, spans_BK2, normaliser=normaliser),
        span_log_probs(*batch, normaliser=normaliser),
        rtol=1e-6,
    )
