"""A reader that guesses whole masked phrases beside answering questions.

After LAKM (Yuan et al. 2020): masked language modelling in the fine-tuning stage, with the head of
the encoder's own pretraining where the checkpoint has it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import jax
import numpy as np

from xmrc_jax.data import masking
from xmrc_jax.data.recovery import question
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.values import leaf
from xmrc_jax.model import lm_head
from xmrc_jax.recipe.fit import Fit, Masked, Stage
from xmrc_jax.recipe.inputs import Inputs
from xmrc_jax.recipe.store import Store
from xmrc_jax.train.vocabulary import Vocabulary


@dataclass(frozen=True)
class LakmOptions:
    """How much is masked, and how much the guesses weigh."""

    share: float = leaf(before=0.15, above=0, below=1)
    weight: float = leaf(before=1.0, above=0)


@dataclass(frozen=True)
class Lakm:
    """Trains the reader ``lakm`` on questions and masked phrases in turn."""

    options: LakmOptions
    seed: int
    inputs: Inputs
    fit: Fit
    store: Callable[[str], Store]  # of a reader's name

    def train(self) -> None:
        """Train what is not trained yet."""
        if (store := self.store('lakm')).is_done():
            return
        own = self.inputs.train, 'lakm', self.inputs.pretrained, self._head
        self.fit(store, Stage(*own, masked=self._masked))

    @property
    def summary(self) -> dict:
        """What the manifest says of the head, the mask and the windows of texts.

        Raises:
          UserError: there is none in which a phrase is masked.
        """
        imported, masked = self.inputs.lm_head is not None, self._masked
        own = masked.windows, masked.chars, masked.share, self.fit.data.size.max_tokens
        maskable_W = masking.maskable(*own)
        if not maskable_W.any():
            raise UserError(
                f'{self.inputs.phrases.source}: no phrase would be masked: each is too long for '
                f'lakm.share={masked.share:g} of the tokens of a window that holds it; raise that, '
                'or take longer texts or shorter phrases'
            )
        return {
            'language_model_head': 'of the checkpoint' if imported else 'fresh',
            'mask': self.inputs.tokenizer.convert_ids_to_tokens(self._mask_id),
            'windows_of_texts': len(maskable_W),
            'windows_of_texts_without_a_mask': int((~maskable_W).sum()),
        }

    @property
    def _mask_id(self) -> int:
        """The tokenizer's mask; where it has none, what stands for unknown words."""
        tokenizer = self.inputs.tokenizer
        for own in (tokenizer.mask_token_id, tokenizer.unk_token_id):
            if own is not None:
                return own
        raise UserError(
            f'{tokenizer.name_or_path}: a tokenizer without a mask or an unknown token, one of '
            'which whole phrases are masked with; name another encoder'
        )

    def _head(self, vocabulary: Vocabulary) -> dict:
        """The head over the rows in use."""
        fresh = lm_head.init(self.inputs.encoder, jax.random.key(self.seed))
        head = self.inputs.lm_head or fresh
        return {'lm': lm_head.of_rows(head, np.flatnonzero(vocabulary.used_V))}

    @cached_property
    def _masked(self) -> Masked:
        texts = self.inputs.phrases.texts
        questions = [question(f'text {number}', text, 0) for number, text in enumerate(texts)]
        chars = [np.array(each.spans) for each in texts]
        windows = self.inputs.windows_of_texts(questions)
        return Masked(windows, chars, self.options.share, self._mask_id)
