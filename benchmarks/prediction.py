"""Answering windows, ours against a PyTorch loop: same weights, same windows, no dropout.

    python -m benchmarks.prediction
    python -m benchmarks.prediction --encoder mminilm
    python -m benchmarks.prediction --batch 256 --dtype bfloat16       (on a GPU)

Windows are as long as SQuAD's. PyTorch's loop pads every batch to its longest window and hands
back logits, which is where ``run_qa`` begins to look for answers; it takes windows as they come, as
``run_qa`` does, or sorted by length. Ours sorts them, pads to the next of a few lengths, each a
program, and hands back the 20 best answers with their probabilities; on a CPU it takes fewer at a
time. Sides alternate in one process; ratios are taken within a round.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
import torch

from benchmarks import report
from benchmarks.torch_reader import torch_reader
from benchmarks.torch_trainer import DEVICE
from benchmarks.training import Setting, first_params, random_windows
from xmrc_jax.data.batches import of_windows
from xmrc_jax.data.windows import Windows
from xmrc_jax.ground.commands import documented
from xmrc_jax.model import weights
from xmrc_jax.model.architectures import ENCODERS, EncoderConfig
from xmrc_jax.recipe.ask import Ask, AskOptions
from xmrc_jax.reporting.tables import pipes
from xmrc_jax.train import sharding

N_BEST, MAX_ANSWER_TOKENS = 20, 30


class TorchLoop:
    """Logits of windows, by the library's own model."""

    def __init__(self, folder: Path, cfg: EncoderConfig, windows: Windows, batch: int):
        self._model, self._half = torch_reader(folder).to(DEVICE), cfg.dtype == 'bfloat16'
        self._cfg, self._windows, self._batch = cfg, windows, batch

    def __call__(self, *, sort: bool) -> np.ndarray:
        """Those of every window's first token, which stands for no answer: float32 [W, 2]."""
        length_W = self._windows.length_W
        order_W = np.argsort(-length_W if sort else 0 * length_W, kind='stable')
        null_W2 = np.zeros((len(length_W), 2), np.float32)
        for first in range(0, len(order_W), self._batch):
            windows_B = order_W[first : first + self._batch]
            null_W2[windows_B] = self._logits(windows_B)[:, :, 0].T
        return null_W2

    @torch.inference_mode()
    def _logits(self, windows_B: np.ndarray) -> np.ndarray:
        longest = int(self._windows.length_W[windows_B].max())
        own, place_L = of_windows(self._windows, windows_B, longest), np.arange(longest)
        mask_BL = place_L < own['length_B'][:, None]
        inputs = {'input_ids': own['ids_BL'], 'attention_mask': mask_BL}
        if self._cfg.types:
            behind_BL = place_L >= own['passage_B2'][:, :1]
            inputs['token_type_ids'] = self._cfg.passage_type * behind_BL
        given = {name: torch.tensor(each).long().to(DEVICE) for name, each in inputs.items()}
        with torch.autocast(DEVICE, torch.bfloat16, enabled=self._half):
            output = self._model(**given)
        both = torch.stack([output.start_logits, output.end_logits])
        return both.float().cpu().numpy()


def ours(params: dict, cfg: EncoderConfig, windows: Windows, batch: int) -> np.ndarray:
    """The same logits, and the best answers of every window, as if each were a question."""
    mesh = sharding.make_mesh(devices=jax.devices()[:1])
    ask = Ask(cfg, mesh, AskOptions(batch, N_BEST, MAX_ANSWER_TOKENS))
    return ask(params, windows, len(windows)).null_Q3[:, :2]


def main(argv: Sequence[str] | None = None) -> None:
    """Prints windows per second of both, and how far apart their logits are."""
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = documented('benchmarks.prediction', __doc__)
    parser.add_argument('--encoder', default='xlmr_base', choices=ENCODERS)
    parser.add_argument('--batch', type=int, default=32, help='windows')
    parser.add_argument('--windows', type=int, default=512)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--dtype', default='float32', choices=('float32', 'bfloat16'))
    args = parser.parse_args(argv)
    setting = Setting(encoder=args.encoder, batch=args.batch, dtype=args.dtype)
    cfg, params = setting.config, first_params(setting)
    windows = random_windows(cfg, args.windows)
    with tempfile.TemporaryDirectory() as folder:
        weights.save(Path(folder, 'reader'), jax.device_get(params), cfg)
        theirs = TorchLoop(Path(folder, 'reader'), cfg, windows, args.batch)
    runs = {
        'ours': lambda _: ours(params, cfg, windows, args.batch),
        'torch, sorted': lambda _: theirs(sort=True),
        'torch': lambda _: theirs(sort=False),
    }
    first, *others = (run(0) for run in runs.values())
    apart = max(np.abs(first - other).max() for other in others)
    seconds = report.alternated(runs, args.rounds)
    print(report.head('benchmarks.prediction', argv))
    print(
        f'{args.encoder}, {args.dtype}: {len(windows):,} windows of {windows.length_W.mean():.0f} '
        f'tokens, {args.batch} at a time; torch {torch.__version__}\n'
    )
    rows = [
        [name, *report.spread(len(windows) / own, ',.1f'), *report.spread(seconds['torch'] / own)]
        for name, own in seconds.items()
    ]
    print(pipes(['reader', 'windows/s', 'range', 'speed / torch', 'range'], rows))
    print(f'\nlargest difference of a logit: {apart:.1e}')


if __name__ == '__main__':
    main()
