"""What the two-stage reader minimises: eq. 9 over the mined set Z and the running set A.

Put together from three parts, each with the readings that are its own: the probability of a span
(``objective.Probability``), hard learning over Z, and the contrast against the hardest of A.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp

from xmrc_jax.answers import contrast, losses, softmax, spans, weighting
from xmrc_jax.answers.spans import NEGATIVES
from xmrc_jax.data.batches import Batch
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.values import leaf, part
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.model.reader import Reading
from xmrc_jax.train.objective import Probability, gold_loss, read
from xmrc_jax.train.step import Objective, Outcome

WEIGHTED = ('per_candidate', 'per_type', 'as_printed')  # the readings of eq. 5 that have weights


@dataclass(frozen=True)
class HardLearning:
    """The readings of eq. 5; ``configs/paper.py`` says what each is and where it stands."""

    hard_learning: str = leaf(one_of=losses.READINGS)
    weights: str = leaf(one_of=weighting.WEIGHTS)
    fixed_weights: tuple[float, ...] = leaf(at_least=0)
    gold_start: float = leaf(above=0, below=1)
    gold_floor: float = leaf(at_least=0, at_most=1)

    @property
    def learns_weights(self) -> bool:
        return self.hard_learning in WEIGHTED and self.weights in weighting.LEARNED

    def check(self, candidates: int) -> None:
        """Refuse fixed weights of another number than there are slots."""
        slots = losses.slots(self.hard_learning, candidates)
        if self.weights == 'fixed' and len(self.fixed_weights) != slots:
            raise UserError(
                f'two_stage.fixed_weights: {len(self.fixed_weights)} numbers, {slots} needed '
                f'for hard_learning={self.hard_learning}, the gold slot last'
            )

    def gold_is_last(self, place: str) -> bool:
        """Whether the last slot is the gold's; ``place`` is ``mine.gold_slot``.

        It is not where slots are ranks. Of types, the gold's is the last in any case.
        """
        return place == 'last' or self.hard_learning == 'per_type'

    def initial_slots(self, candidates: int, place: str = 'last') -> dict[str, jax.Array]:
        """The parameters that the stage trains besides the reader's.

        Where no slot is the gold's all start alike, and the floor alone favours the gold.
        """
        if not self.learns_weights:
            return {}
        slots = losses.slots(self.hard_learning, candidates)
        logits_K = jnp.zeros(slots, jnp.float32)
        if self.gold_is_last(place):
            logits_K = weighting.initial_logits(slots, self.gold_start)
        if self.weights == 'free':  # they start as weights that are a softmax do
            logits_K = replace(self, weights='learned').learned_weights(logits_K, place)
        return {'slot_logits': logits_K}

    def loss(
        self,
        params: dict,
        reading: Reading,
        mask_BL: jax.Array,
        batch: Batch,
        probability: Probability,
        max_answer_tokens: int,
    ) -> jax.Array:
        """Eq. 5 over the batch's candidates: float32 [B]."""
        log_p_BK = softmax.span_log_probs(
            reading.start_logits_BL,
            reading.end_logits_BL,
            mask_BL,
            batch.candidates_BK2,
            normaliser=probability.probability,
            max_tokens=max_answer_tokens,
        )
        slots_K = params.get('slot_logits')
        if self.weights == 'fixed':
            slots_K = jnp.array(self.fixed_weights)
        right_BK = losses.right_boundaries(batch.candidates_BK2, batch.gold_B2)
        return losses.hard_loss(
            log_p_BK,
            batch.candidate_BK,
            right_BK,
            slots_K,
            reading=self.hard_learning,
            weights=self.weights,
            floor=self.gold_floor,
        )

    def learned_weights(self, slot_logits_K: jax.Array, place: str) -> jax.Array:
        """w of eq. 5 as it stands, with the floor where a slot is the gold's: float32 [K].

        Where none is, a slot's weight is its share of what the floor leaves. Free weights have no
        floor.
        """
        if self.weights == 'free':
            return slot_logits_K
        if not self.gold_is_last(place):
            return jax.nn.softmax(slot_logits_K)
        gold_1K = jnp.arange(len(slot_logits_K))[None] == len(slot_logits_K) - 1
        return weighting.learned_weights(slot_logits_K, gold_1K, self.gold_floor)[0]


@dataclass(frozen=True)
class Contrast:
    """The readings of eq. 6 to 8; ``configs/paper.py`` says what each is and where it stands.

    Raises:
      UserError: more negatives than spans.
    """

    spans: int = leaf(at_least=1)
    negatives: str = leaf(one_of=NEGATIVES)
    negative_count: int = leaf(at_least=1)
    allow_same_text: bool
    denominator: str = leaf(one_of=contrast.DENOMINATORS)
    temperature: float = leaf(above=0)
    temperature_reading: str = leaf(one_of=contrast.TEMPERATURES)
    question: str = leaf(one_of=contrast.QUESTIONS)

    def __post_init__(self):
        if self.negative_count > self.spans:
            raise UserError(
                f'two_stage.negative_count={self.negative_count}: negatives are chosen from '
                f'two_stage.spans={self.spans}; raise that, or take fewer'
            )

    def loss(
        self,
        reading: Reading,
        batch: Batch,
        held_B: jax.Array,
        key: jax.Array,
        max_answer_tokens: int,
    ) -> tuple[jax.Array, dict[str, tuple[jax.Array, jax.Array]]]:
        """Eq. 8 against eq. 7: the hardest of the current model's best spans, the running set A.

        Args:
          held_B: windows that hold their gold; the others have no term and are no partners.
          key: of random negatives.

        Returns:
          float32 [B], and what is worth logging with its weights.
        """
        score_BK, spans_BK2 = spans.top_spans(
            jax.lax.stop_gradient(reading.start_logits_BL),
            jax.lax.stop_gradient(reading.end_logits_BL),
            batch.edge_BL,
            k=self.spans,
            max_tokens=max_answer_tokens,
        )
        found = score_BK, spans_BK2, batch.gold_B2
        eligible_BK = spans.eligible(*found, batch.repeat_end_BL, strict=self.allow_same_text)
        negative_BE2, valid_BE, similarity_BE = spans.hard_negatives(
            reading.hidden_BLD,
            *found,
            eligible_BK,
            policy=self.negatives,
            count=self.negative_count,
            key=key,
        )
        gold_and_negatives = jnp.concatenate([batch.gold_B2[:, None], negative_BE2], axis=1)
        vectors = spans.pool(reading.hidden_BLD, gold_and_negatives)
        contrast_B, correct_B = contrast.contrast_loss(
            contrast.QUESTIONS[self.question](reading.hidden_BLD, batch.question_B2),
            vectors[:, 0],
            vectors[:, 1:],
            valid_BE,
            batch.group_B,
            held_B,
            tau=self.temperature,
            temperature=self.temperature_reading,
            denominator=self.denominator,
        )
        return contrast_B, {
            'contrast_loss': (contrast_B, held_B),
            'contrast_accuracy': (correct_B, held_B),
            'negative_hardness': (similarity_BE[:, 0], held_B & valid_BE[:, 0]),
        }


@dataclass(frozen=True)
class Method:
    """Eq. 9: the weight of each part over the steps, and the parts."""

    alpha: float = leaf(at_least=0, at_most=1)
    alpha_ramp: float = leaf(at_least=0, at_most=1)
    hard_only: float = leaf(at_least=0, at_most=1)
    gold_weight: float = leaf(at_least=0)
    normalisation: Probability = part()
    hard: HardLearning = part()
    contrast: Contrast = part()

    def alpha_at(self, step: jax.Array, steps: int) -> jax.Array:
        """The weight of the contrast in one of so many steps."""
        past = step / steps - self.hard_only
        if self.alpha_ramp == 0:
            return jnp.where(past >= 0, self.alpha, 0.0)
        return self.alpha * jnp.clip(past / self.alpha_ramp, 0.0, 1.0)


def two_stage_objective(
    encoder: EncoderConfig, method: Method, steps: int, max_answer_tokens: int, place: str = 'last'
) -> Objective:
    """Hard learning over Z and contrast against the hardest of A: eq. 9, Chen et al. 2022.

    Its batches hold ``candidates_BK2`` and ``candidate_BK``. ``steps`` are those of the stage, for
    the schedules of alpha; ``max_answer_tokens`` is the longest span of A, and of those that share
    a joint probability; ``place`` is that of the gold in Z, ``mine.gold_slot``.
    """
    hard, probability = method.hard, method.normalisation

    def objective(params, batch, step, key):
        dropout_key, negative_key = jax.random.split(key)
        reading = read(params, encoder, batch, dropout_key)
        mask_BL = probability.mask(batch)
        held_B = batch.real_B & (batch.gold_B2[:, 0] > 0)
        hard_B = hard.loss(params, reading, mask_BL, batch, probability, max_answer_tokens)
        gold_B = gold_loss(reading, mask_BL, batch)
        averages = {'hard_loss': (hard_B, held_B), 'gold_loss': (gold_B, held_B)}
        contrast_B, alpha = 0.0, 0.0
        if method.alpha:
            alpha = method.alpha_at(step, steps)
            contrast_B, logged = method.contrast.loss(
                reading, batch, held_B, negative_key, max_answer_tokens
            )
            averages |= logged
        # A window without the gold has neither Z nor contrast: trained on its first token, eq. 3
        # stands for eq. 5 and weighs what eq. 5 does.
        answers_B = jnp.where(held_B, hard_B, gold_B)
        loss_B = losses.final_loss(
            contrast_B, answers_B, gold_B, alpha=alpha, gold_weight=method.gold_weight
        )
        values = {'alpha': jnp.asarray(alpha)}
        if hard.learns_weights:
            values['w'] = hard.learned_weights(params['slot_logits'], place)
        return Outcome(loss_B, averages, values)

    return objective
