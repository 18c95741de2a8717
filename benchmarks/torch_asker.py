"""What a PyTorch user would ask a reader with: run_qa's loop, and a server of it.

    python -m benchmarks.torch_asker exported --port 8001

Windows in batches, n-best on the host from the best starts and ends of every window. The server is
Starlette and uvicorn, like ours, with one thread that asks; it takes ``{"question", "context"}``.
"""

import argparse
import asyncio
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import transformers

from benchmarks.torch_reader import torch_reader

MAX_TOKENS, STRIDE, N_BEST, MAX_ANSWER_TOKENS, BATCH = 384, 128, 20, 30, 32  # run_qa's, and ours


class TorchAsker:
    """A reader's folder, asked as run_qa does.

    Args:
      folder: in Hugging Face's layout.
      padding: of windows: 'max_length', as run_qa pads, or 'longest', of their batch.
    """

    def __init__(self, folder: Path, padding: str):
        self._model, self._padding = torch_reader(folder), padding
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self._names = {'input_ids', 'attention_mask', *self._tokenizer.model_input_names}

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> list[list[dict]]:
        """The n-best answers to each question and passage, best first."""
        windows = self._tokenizer(
            *map(list, zip(*pairs, strict=True)),
            truncation='only_second',
            max_length=MAX_TOKENS,
            stride=STRIDE,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            padding=self._padding,
        )
        found = [[] for _ in pairs]
        for window, (start_L, end_L) in enumerate(self._logits(windows)):
            pair = windows['overflow_to_sample_mapping'][window]
            offsets = windows['offset_mapping'][window]
            is_passage = [part == 1 for part in windows.sequence_ids(window)]
            found[pair] += _best(start_L, end_L, offsets, is_passage)
        return [
            _listed(answers, passage) for answers, (_, passage) in zip(found, pairs, strict=True)
        ]

    def _logits(self, windows) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for first in range(0, len(windows['input_ids']), BATCH):
            batch = {
                name: torch.tensor(windows[name][first : first + BATCH])
                for name in self._names & set(windows)
            }
            with torch.inference_mode():
                output = self._model(**batch)
            yield from zip(output.start_logits.numpy(), output.end_logits.numpy(), strict=True)


def _best(start_L, end_L, offsets, is_passage) -> list[dict]:
    """Of the N_BEST best starts and ends those that are an answer."""
    return [
        {'start': offsets[s][0], 'end': offsets[e][1], 'score': float(start_L[s] + end_L[e])}
        for s in np.argsort(-start_L)[:N_BEST].tolist()
        for e in np.argsort(-end_L)[:N_BEST].tolist()
        if is_passage[s] and is_passage[e] and s <= e < s + MAX_ANSWER_TOKENS
    ]


def _listed(answers: list[dict], passage: str) -> list[dict]:
    listed = sorted(answers, key=lambda each: -each['score'])[:N_BEST]
    weights = np.exp([each['score'] - listed[0]['score'] for each in listed])
    for each, share in zip(listed, (weights / weights.sum()).tolist(), strict=True):
        each |= {'text': passage[each['start'] : each['end']], 'probability': share}
    return listed


def main() -> None:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('reader', type=Path, help='a folder in the layout of Hugging Face')
    parser.add_argument('--port', type=int, default=0, help='0: any that is free')
    args = parser.parse_args()
    asker, pool = TorchAsker(args.reader, 'longest'), ThreadPoolExecutor(1)

    async def answer(request):
        record = await request.json()
        pairs = [(record['question'], record['context'])]
        loop = asyncio.get_running_loop()
        (listed,) = await loop.run_in_executor(pool, asker, pairs)
        return JSONResponse({'n_best': listed})

    app = Starlette(routes=[Route('/answer', answer, methods=['POST'])])
    with socket.create_server(('127.0.0.1', args.port)) as listener:
        print(f'serving: http://127.0.0.1:{listener.getsockname()[1]}/', flush=True)
        config = uvicorn.Config(app, log_level='warning', access_log=False)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == '__main__':
    main()
