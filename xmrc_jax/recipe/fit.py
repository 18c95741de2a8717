"""One stage of training: a split, an objective and a start become a reader in its folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from xmrc_jax.data.batches import Batches
from xmrc_jax.data.masking import Masking
from xmrc_jax.data.mixing import examples
from xmrc_jax.data.turns import Turns
from xmrc_jax.data.windows import Windows
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.values import leaf, part
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.model.tuning import Tuning
from xmrc_jax.recipe.inputs import DataOptions, Split
from xmrc_jax.recipe.store import Store
from xmrc_jax.train import sharding
from xmrc_jax.train.loop import LoopConfig, Training, train
from xmrc_jax.train.optimizer import OptimizerConfig
from xmrc_jax.train.regularisation import Regularisation
from xmrc_jax.train.step import Objective
from xmrc_jax.train.throughput import train_flops
from xmrc_jax.train.two_stage import Method
from xmrc_jax.train.vocabulary import Vocabulary


@dataclass(frozen=True)
class TrainOptions:
    """How every stage is trained."""

    batch_size: int = leaf(at_least=1)
    batch_size_per: str = leaf(one_of=('run', 'device'))
    accumulate: int = leaf(before=1, where=True, at_least=1)
    epochs: float = leaf(above=0)
    tuning: Tuning = part()
    optimizer: OptimizerConfig = part()
    regularisation: Regularisation = part()
    loop: LoopConfig = part()

    def global_batch(self, devices: int) -> int:
        """Windows of the global batch on that many devices."""
        return self.batch_size * (devices if self.batch_size_per == 'device' else 1)

    def check(self, mesh: Mesh, encoder: EncoderConfig) -> None:
        """UserError for a batch that does not divide, or where nothing is left to be trained."""
        sharding.check_batch(mesh, self.global_batch(mesh.size), self.accumulate)
        self.tuning.encoder(encoder)


@dataclass(frozen=True)
class TwoStageOptions:
    """Where the second stage starts, and how the paper's method is read."""

    start: str = leaf(one_of=('pretrained', 'base'))
    reading: Method = part()


class Masked(NamedTuple):
    """Windows of texts whose phrases are masked and guessed beside, see ``data.masking``."""

    windows: Windows
    chars: Sequence[np.ndarray]
    share: float
    mask_id: int


class Stage(NamedTuple):
    """What one training differs in from another.

    Attributes:
      split: what the reader learns from.
      kind: a key of ``OBJECTIVES``.
      start: makes the reader's first parameters.
      extras: of the rows in use, makes the parameters that the objective has besides the reader's.
      candidates, targets: of the split's windows, see ``Batches``.
      masked: what is learnt in turn with the split.
    """

    split: Split
    kind: str
    start: Callable[[], dict]
    extras: Callable[[Vocabulary], dict] = lambda vocabulary: {}
    candidates: tuple[np.ndarray, np.ndarray] | None = None
    targets: Sequence[np.ndarray] | None = None
    masked: Masked | None = None


@dataclass(frozen=True)
class Fit:
    """Trains readers of one encoder on one mesh; ``dev_f1`` scores parameters, in percent, and
    ``objectives`` are what each kind of stage minimises, of an encoder and the number of steps."""

    encoder: EncoderConfig
    mesh: Mesh
    options: TrainOptions
    data: DataOptions
    seed: int
    profile: int
    objectives: Mapping[str, Callable[[EncoderConfig, int], Objective]]
    dev_f1: Callable[[dict], float] | None

    def __call__(self, store: Store, stage: Stage) -> None:
        """Train what the store is to hold, unless it does."""
        masked, accumulate = stage.masked, self.options.accumulate
        also = (masked.windows.ids_T, np.array([masked.mask_id])) if masked else ()
        vocabulary = Vocabulary.of(stage.split.windows, self.encoder, also)
        split = stage.split._replace(windows=vocabulary.windows(stage.split.windows))
        batches = self.batches(split, stage.candidates, stage.targets)
        ids = [question.id for question in split.questions]
        if masked:
            batches = Turns(batches, self._masking(masked, vocabulary), len(ids))
            ids += [f'text {number}' for number in range(len(masked.chars))]
        steps = batches.steps(self.options.epochs)
        tuning, compact = self.options.tuning, vocabulary.encoder(self.encoder)
        encoder = replace(tuning.encoder(compact), accumulate=accumulate)

        def extras() -> dict:
            return stage.extras(vocabulary) | tuning.adapters(compact, self.seed)

        training = Training(
            loop=self.options.loop,
            steps=steps,
            profile=self.profile,
            objective=self.objectives[stage.kind](encoder, steps),
            optimizer=self.options.optimizer,
            batches=batches,
            accumulate=accumulate,
            tuning=tuning,
            vocabulary=vocabulary,
            abstract_params={'reader': store.abstract} | jax.eval_shape(extras),
            init=lambda: {'reader': stage.start()} | extras(),
            mesh=self.mesh,
            seed=self.seed,
            folder=store.folder,
            flops=partial(train_flops, self.encoder, tuning=tuning),
            question_ids=lambda step: [ids[question] for question in batches.questions_at(step)],
            dev_f1=self.dev_f1,
            label=store.name,
        )
        train(training)

    def _masking(self, masked: Masked, vocabulary: Vocabulary) -> Masking:
        return Masking(
            vocabulary.windows(masked.windows),
            masked.chars,
            share=masked.share,
            mask_id=int(vocabulary.number_V[masked.mask_id]),
            batch_size=self.options.global_batch(jax.device_count()),
            max_tokens=self.data.size.max_tokens,
            seed=self.seed,
        )

    def check(self, learnt: Mapping[str, Split]) -> None:
        """Refuse splits of which one cannot be trained on.

        Raises:
          UserError: as ``batches``, behind the name.
        """
        for name, split in learnt.items():
            try:
                self.batches(split)
            except UserError as error:
                raise UserError(f'{name}: {error}') from None

    def batches(
        self,
        split: Split,
        candidates: tuple[np.ndarray, np.ndarray] | None = None,
        targets: Sequence[np.ndarray] | None = None,
    ) -> Batches:
        """Training batches; windows of one question, in whatever language, are one group.

        Raises:
          UserError: as ``Batches``.
        """
        _, group_Q = np.unique([each.id for each in split.questions], return_inverse=True)
        languages = [
            f'{each.context_language}-{each.question_language}' for each in split.questions
        ]
        _, language_Q = np.unique(languages, return_inverse=True)
        return Batches(
            split.windows,
            batch_size=self.options.global_batch(jax.device_count()),
            max_tokens=self.data.size.max_tokens,
            seed=self.seed,
            group_Q=group_Q.astype(np.int32),
            language_Q=language_Q,
            temperature=self.data.sampling_temperature,
            golds=[other.windows for other in split.others],
            example_Q=None if self.data.mix == 'none' else examples(split.questions),
            candidates=candidates,
            targets=targets,
            without_gold=self.data.without_gold,
        )
