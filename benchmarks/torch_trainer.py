"""The trainer that a PyTorch user would write: windows padded to one length, AdamW over all rows.

SDPA attention, fused AdamW, bfloat16 autocast on a GPU, gradients clipped, a linear schedule. It
gets our batches and computes our loss: cross entropy of the start and of the end over real tokens.
"""

from pathlib import Path

import numpy as np
import torch
import transformers

from xmrc_jax.data.batches import Batch

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'


class TorchTrainer:
    """Whole training steps of ``AutoModelForQuestionAnswering``.

    Args:
      folder: a Hugging Face folder with the first weights.
      dropout, attention_dropout: rates.
      half: compute in bfloat16.
      passage_type: token type of the passage.
      compiled: by ``torch.compile``.
      steps: of the schedule.
    """

    def __init__(
        self,
        folder: Path,
        *,
        dropout: float,
        attention_dropout: float,
        half: bool,
        passage_type: int,
        compiled: bool,
        steps: int,
    ):
        self._model = transformers.AutoModelForQuestionAnswering.from_pretrained(
            folder,
            attn_implementation='sdpa',
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=attention_dropout,
        ).to(DEVICE)
        self._model.train()
        plain = [p for p in self._model.parameters() if p.ndim < 2]
        groups = [
            {'params': [p for p in self._model.parameters() if p.ndim >= 2], 'weight_decay': 0.01},
            {'params': plain, 'weight_decay': 0.0},
        ]
        self._optimizer = torch.optim.AdamW(groups, lr=3e-5, eps=1e-8, fused=True)
        warmup = steps // 10
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda step: min((step + 1) / warmup, 1.0)
        )
        self._half, self._passage_type = half, passage_type
        self._forward = torch.compile(self._loss) if compiled else self._loss

    def batch(self, batch: Batch) -> dict[str, torch.Tensor]:
        """One of our batches, on the device."""
        mask_BL = np.arange(batch.ids_BL.shape[1]) < batch.length_B[:, None]
        behind_BL = np.arange(mask_BL.shape[1]) >= batch.passage_B2[:, :1]
        arrays = {
            'ids': batch.ids_BL,
            'mask': mask_BL,
            'types': self._passage_type * behind_BL,
            'gold': batch.gold_B2,
        }
        return {k: torch.tensor(v, dtype=torch.long).to(DEVICE) for k, v in arrays.items()}

    def _loss(self, ids, mask, types, gold):
        with torch.autocast(DEVICE, torch.bfloat16, enabled=self._half):
            output = self._model(input_ids=ids, attention_mask=mask, token_type_ids=types)
        loss = 0.0
        for logits, place in zip((output.start_logits, output.end_logits), gold.T, strict=True):
            logits = logits.float().masked_fill(mask == 0, -torch.inf)
            loss = loss + torch.nn.functional.cross_entropy(logits, place)
        return loss

    def update(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """One step; its loss."""
        loss = self._forward(**batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        self._schedule.step()
        self._optimizer.zero_grad(set_to_none=True)
        return loss.detach()
