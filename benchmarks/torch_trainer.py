"""The trainer that a PyTorch user would write: windows padded to one length, AdamW over all rows.

SDPA attention where the model has it, fused AdamW, bfloat16 autocast on a GPU, gradients clipped, a
linear schedule. It gets our batches and computes our loss: cross entropy of the start and of the
end over real tokens.
"""

from pathlib import Path

import numpy as np
import torch

from benchmarks.torch_reader import torch_reader
from xmrc_jax.data.batches import Batch

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'


class TorchTrainer:
    """Whole training steps of the question answering model of a folder.

    Args:
      folder: a Hugging Face folder with the first weights, and the rates of dropout.
      half: compute in bfloat16.
      passage_type: token type of the passage; None where the model has no types.
      compiled: by ``torch.compile``.
      steps: of the schedule.
    """

    def __init__(
        self, folder: Path, *, half: bool, passage_type: int | None, compiled: bool, steps: int
    ):
        self._model = torch_reader(folder).to(DEVICE).train()
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
        arrays = {'input_ids': batch.ids_BL, 'attention_mask': mask_BL, 'gold': batch.gold_B2}
        if self._passage_type is not None:
            arrays['token_type_ids'] = self._passage_type * behind_BL
        return {k: torch.tensor(v, dtype=torch.long).to(DEVICE) for k, v in arrays.items()}

    def _loss(self, gold, **windows):
        with torch.autocast(DEVICE, torch.bfloat16, enabled=self._half):
            output = self._model(**windows)
        mask, loss = windows['attention_mask'], 0.0
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
