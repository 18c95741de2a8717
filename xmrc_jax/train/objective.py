"""What each stage minimises: the reader's logits put together with the losses of ``answers``.

``base_objective`` is eq. 3, ``two_stage_objective`` is eq. 9 over the mined set Z and the running
set A. Both are called by the one training step; everything happens on the device.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from xmrc_jax.answers import contrast, losses, spans, weighting
from xmrc_jax.ground.choices import choose
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import reader
from xmrc_jax.model.encoder import EncoderConfig
from xmrc_jax.train.step import Objective, Outcome

# Which positions share the probability of eq. 2, given all real tokens and those of the passage.
SOFTMAX_OVER = {
    'window': lambda real_BL, passage_BL: real_BL,
    'passage': lambda real_BL, passage_BL: passage_BL,
}
# The question's vector in eq. 8.
QUESTIONS = {
    'mean': lambda hidden_BLD, question_B2: spans.pool_range(hidden_BLD, question_B2),
    'first_token': lambda hidden_BLD, question_B2: hidden_BLD[:, 0].astype(jnp.float32),
}


@dataclass(frozen=True)
class TwoStage:
    """The readings of the method; ``configs/paper.py`` says what each is and where it stands.

    Raises:
      UserError: a choice that is not on its list, fixed weights of the wrong number.
    """

    alpha: float
    alpha_ramp: float
    hard_only: float
    gold_weight: float
    softmax_over: str
    probability: str
    hard_learning: str
    weights: str
    fixed_weights: tuple[float, ...]
    gold_start: float
    gold_floor: float
    entropy_bonus: float
    hard_em_steps: int
    candidates: int  # |Z|
    spans: int  # |A|
    negatives: str
    negative_count: int
    allow_same_text: bool
    denominator: str
    temperature: float
    temperature_reading: str
    question: str
    max_answer_tokens: int

    def __post_init__(self):
        choose(SOFTMAX_OVER, self.softmax_over, 'two_stage.softmax_over')
        choose(losses.NORMALISERS, self.probability, 'two_stage.probability')
        choose(losses.READINGS, self.hard_learning, 'two_stage.hard_learning')
        choose(weighting.WEIGHTS, self.weights, 'two_stage.weights')
        choose(spans.NEGATIVES, self.negatives, 'two_stage.negatives')
        choose(contrast.DENOMINATORS, self.denominator, 'two_stage.denominator')
        choose(contrast.TEMPERATURES, self.temperature_reading, 'two_stage.temperature_reading')
        choose(QUESTIONS, self.question, 'two_stage.question')
        if self.weights == 'fixed' and len(self.fixed_weights) != self.slots:
            raise UserError(
                f'two_stage.fixed_weights: {len(self.fixed_weights)} numbers, {self.slots} needed '
                f'for hard_learning={self.hard_learning}, the gold slot last'
            )
        if not 1 <= self.negative_count <= self.spans:
            raise UserError(
                f'two_stage.negative_count: {self.negative_count} is not in 1..{self.spans}, '
                'the number of two_stage.spans'
            )

    @property
    def slots(self) -> int:
        """Number of weights of eq. 5."""
        return losses.slots(self.hard_learning, self.candidates)

    @property
    def learns_weights(self) -> bool:
        weighted = self.hard_learning in ('per_candidate', 'per_type')
        return weighted and self.weights in ('learned', 'entropy')

    def initial_slots(self) -> dict[str, jax.Array]:
        """The parameters that this stage trains besides the reader's."""
        if not self.learns_weights:
            return {}
        return {'slot_logits': weighting.initial_logits(self.slots, self.gold_start)}


def _read(params, encoder, batch, key):
    return reader.apply(
        params['reader'],
        encoder,
        batch['ids_BL'],
        batch['length_B'],
        batch['passage_B2'],
        key,
        batch.get('token_GRP'),
    )


def _mask(batch, softmax_over):
    """Positions that share the probability of eq. 2.

    A window that is trained on its first token, for want of the gold, has that token among them.
    """
    length = batch['ids_BL'].shape[1]
    passage_BL = spans.range_mask(batch['passage_B2'], length)
    real_BL = jnp.arange(length)[None] < batch['length_B'][:, None]
    mask_BL = SOFTMAX_OVER[softmax_over](real_BL, passage_BL)
    return mask_BL.at[:, 0].set(mask_BL[:, 0] | (batch['gold_B2'][:, 0] == 0))


def _gold_loss(reading, mask_BL, batch):
    """Eq. 3: float32 [B]."""
    gold_B12 = batch['gold_B2'][:, None]
    start_logits_BL, end_logits_BL, _ = reading
    return -losses.span_log_probs(start_logits_BL, end_logits_BL, mask_BL, gold_B12)[:, 0]


def base_objective(encoder: EncoderConfig, softmax_over: str = 'window') -> Objective:
    """Cross entropy of the gold span: eq. 3, Chen et al. 2022."""

    def objective(params, batch, step, key):
        reading = _read(params, encoder, batch, key)
        mask_BL = _mask(batch, softmax_over)
        return Outcome(_gold_loss(reading, mask_BL, batch), {}, {})

    return objective


def two_stage_objective(encoder: EncoderConfig, cfg: TwoStage, steps: int) -> Objective:
    """Hard learning over Z and contrast against the hardest of A: eq. 9, Chen et al. 2022.

    Args:
      encoder: of the reader.
      cfg: the readings.
      steps: of the whole stage, for the schedules of alpha.

    Returns:
      An objective whose batches hold ``candidates_BK2`` and ``candidate_BK``.
    """

    def alpha_at(step):
        past = step / steps - cfg.hard_only
        if cfg.alpha_ramp == 0:
            return jnp.where(past >= 0, cfg.alpha, 0.0)
        return cfg.alpha * jnp.clip(past / cfg.alpha_ramp, 0.0, 1.0)

    def hard_loss(params, reading, mask_BL, batch, step):
        log_p_BK = losses.span_log_probs(
            reading.start_logits_BL,
            reading.end_logits_BL,
            mask_BL,
            batch['candidates_BK2'],
            normaliser=cfg.probability,
            max_tokens=cfg.max_answer_tokens,
        )
        slots_K = params.get('slot_logits')
        if cfg.weights == 'fixed':
            slots_K = jnp.array(cfg.fixed_weights)
        return losses.hard_loss(
            log_p_BK,
            batch['candidate_BK'],
            losses.right_boundaries(batch['candidates_BK2'], batch['gold_B2']),
            slots_K,
            reading=cfg.hard_learning,
            weights=cfg.weights,
            floor=cfg.gold_floor,
            entropy_bonus=cfg.entropy_bonus,
            hard_share=losses.hard_em_share(step, cfg.hard_em_steps),
        )

    def contrast_loss(reading, batch, held_B, key):
        score_BK, spans_BK2 = spans.top_spans(
            jax.lax.stop_gradient(reading.start_logits_BL),
            jax.lax.stop_gradient(reading.end_logits_BL),
            batch['edge_BL'],
            k=cfg.spans,
            max_tokens=cfg.max_answer_tokens,
        )
        negative_BT2, valid_BT, similarity_BT = spans.hard_negatives(
            reading.hidden_BLD,
            score_BK,
            spans_BK2,
            batch['gold_B2'],
            spans.eligible(
                score_BK,
                spans_BK2,
                batch['gold_B2'],
                batch['repeat_end_BL'],
                strict=cfg.allow_same_text,
            ),
            policy=cfg.negatives,
            count=cfg.negative_count,
            key=key,
        )
        gold_and_negatives = jnp.concatenate([batch['gold_B2'][:, None], negative_BT2], axis=1)
        vectors = spans.pool(reading.hidden_BLD, gold_and_negatives)
        contrast_B, correct_B = contrast.contrast_loss(
            QUESTIONS[cfg.question](reading.hidden_BLD, batch['question_B2']),
            vectors[:, 0],
            vectors[:, 1:],
            valid_BT,
            batch['group_B'],
            held_B,
            tau=cfg.temperature,
            temperature=cfg.temperature_reading,
            denominator=cfg.denominator,
        )
        return contrast_B, {
            'contrast_loss': (contrast_B, held_B),
            'contrast_accuracy': (correct_B, held_B),
            'negative_hardness': (similarity_BT[:, 0], held_B & valid_BT[:, 0]),
        }

    def objective(params, batch, step, key):
        dropout_key, negative_key = jax.random.split(key)
        reading = _read(params, encoder, batch, dropout_key)
        mask_BL = _mask(batch, cfg.softmax_over)
        held_B = batch['real_B'] & (batch['gold_B2'][:, 0] > 0)
        hard_B = hard_loss(params, reading, mask_BL, batch, step)
        gold_B = _gold_loss(reading, mask_BL, batch)
        averages = {'hard_loss': (hard_B, held_B), 'gold_loss': (gold_B, held_B)}
        contrast_B, alpha = 0.0, 0.0
        if cfg.alpha:
            alpha = alpha_at(step)
            contrast_B, told = contrast_loss(reading, batch, held_B, negative_key)
            averages |= told
        loss_B = losses.final_loss(
            contrast_B, hard_B, gold_B, alpha=alpha, gold_weight=cfg.gold_weight
        )
        values = {'alpha': jnp.asarray(alpha)}
        if cfg.learns_weights:
            gold_BK = jnp.arange(cfg.slots)[None] == cfg.slots - 1
            values['w'] = weighting.learned_weights(params['slot_logits'], gold_BK, cfg.gold_floor)[
                0
            ]
        # A window without the gold has neither Z nor contrast; it is trained as eq. 3 says.
        return Outcome(jnp.where(held_B, loss_B, gold_B), averages, values)

    return objective
