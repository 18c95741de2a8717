"""From span logits to the n-best answers of a test set: on the device, and as run_qa does it.

    XMRC_DATA=DIR python -m benchmarks.extract
    python -m benchmarks.extract                  # the embedded corpus

Both sides get the same logits of the same windows, smooth random ones as large as a reader's, and
find the n-best answers. Ours is what prediction does behind the reader: the best spans of every
window on the device, the merging of a question's windows on the host; scores and mined sets take
its arrays. The other is the algorithm of Hugging Face's ``run_qa``: in Python, 20 best starts by 20
best ends of every window. It is timed twice: with the windows' offsets at hand in lists, and with
a ``datasets.Dataset`` from which every window is read, as the script does. Then both with the file
of the n-best that they write. Sides alternate; ratios are taken within a round. Where others use
the machine, ``--clock cpu`` counts the seconds of this process alone.
"""

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import datasets
import jax
import numpy as np

from benchmarks import report, text
from xmrc_jax.data import prediction
from xmrc_jax.data.squad import Question
from xmrc_jax.data.windows import Windows, WindowSize, build
from xmrc_jax.evaluate import nbest, predict
from xmrc_jax.ground.files import write_text
from xmrc_jax.reporting.tables import pipes

N_BEST = 20
MAX_ANSWER_TOKENS = 30
SMOOTH = 8  # neighbouring tokens whose logits are alike
DEVIATION = 3.0  # of the logits
ALGORITHM, SCRIPT = 'run_qa, offsets in lists', 'run_qa, offsets in a Dataset'
WRITTEN = ', written'
CLOCKS = {'wall': time.perf_counter, 'cpu': time.process_time}


def random_logits(windows: Windows) -> list[np.ndarray]:
    """Start and end logits of every window, float32 [2, L]."""
    noise_2T = np.random.default_rng(0).normal(size=(2, len(windows.ids_T)))
    kernel = np.full(SMOOTH, DEVIATION / np.sqrt(SMOOTH))
    logits_2T = np.stack([np.convolve(side_T, kernel, 'same') for side_T in noise_2T])
    logits_2T = logits_2T.astype(np.float32)
    return [logits_2T[:, first:past] for first, past in windows.bounds_W2]


class Ours:
    """The answers of a test set, from logits that lie on the device in prediction's batches."""

    def __init__(self, questions: Sequence[Question], windows: Windows, logits, batch: int):
        self._questions, self._windows = questions, windows
        self._batches = []
        for planned in prediction.by_length(windows, batch):
            logits_B2L = np.zeros((batch, 2, planned.max_tokens), np.float32)
            for row, window in enumerate(planned.windows_B):
                logits_B2L[row, :, : logits[window].shape[1]] = logits[window]
            edge_BL = prediction.prediction_batch(windows, planned).edge_BL
            self._batches.append(
                (planned, jax.device_put((logits_B2L[:, 0], logits_B2L[:, 1], edge_BL)))
            )

    def spans(self) -> list[tuple[np.ndarray, ...]]:
        """What `predict.predict_windows` yields, a batch being fetched while the next is found."""

        def fetched(planned, answers):
            real = slice(planned.real)
            spans_BK2, logits_BK2 = (answer[real] for answer in jax.device_get(answers))
            null_B3 = np.zeros((planned.real, 3), np.float32)  # no part of what is measured
            return planned.windows_B[real], spans_BK2, logits_BK2, logits_BK2.sum(axis=2), null_B3

        found, pending = [], None
        for planned, arrays in self._batches:
            answers = predict.best_spans(*arrays, N_BEST, MAX_ANSWER_TOKENS)
            if pending:
                found.append(fetched(*pending))
            pending = planned, answers
        return [*found, fetched(*pending)]

    def merged(self, spans: list) -> nbest.NBest:
        return predict.gather(self._windows, spans, questions=len(self._questions), k=N_BEST)

    def text(self, answers: nbest.NBest) -> str:
        """Of the file of the n-best."""
        return nbest.nbest_json(self._questions, answers)

    def __call__(self) -> nbest.NBest:
        return self.merged(self.spans())


def features_of(windows: Windows, max_tokens: int) -> list[dict[str, list]]:
    """The windows as ``run_qa`` prepares them, padded.

    Offsets are None outside the passage, and at blank pieces too, where no answer of ours begins
    or ends.
    """
    features = []
    for (first, past), question in zip(
        windows.bounds_W2.tolist(), windows.question_W.tolist(), strict=True
    ):
        padding = max_tokens - (past - first)
        pairs = windows.chars_T2[first:past].tolist()
        offsets = [pair if pair[0] < pair[1] else None for pair in pairs]
        features.append(
            {
                'example': question,
                'input_ids': windows.ids_T[first:past].tolist() + padding * [windows.pad_id],
                'attention_mask': (past - first) * [1] + padding * [0],
                'offset_mapping': offsets + padding * [None],
            }
        )
    return features


class RunQA:
    """The answers of a test set as ``run_qa`` finds them.

    Args:
      features: of ``features_of``, in a list or in a ``datasets.Dataset``, where the script has
        them: it reads a row whenever it looks at one.
      logits: of every window.
    """

    def __init__(self, questions: Sequence[Question], features: Sequence[dict], logits):
        self._questions, self._features, self._logits = questions, features, logits
        self._windows_Q = [[] for _ in questions]
        for window, feature in enumerate(features):
            self._windows_Q[feature['example']].append(window)

    def __call__(self) -> dict[str, list[dict]]:
        answers = {}
        for question, windows in zip(self._questions, self._windows_Q, strict=True):
            legal = [answer for window in windows for answer in self.legal(window)]
            best = sorted(legal, key=lambda answer: answer['score'], reverse=True)[:N_BEST]
            scores = np.array([answer.pop('score') for answer in best])
            weights = np.exp(scores - scores.max(initial=-np.inf))
            for answer, probability in zip(best, weights / weights.sum(), strict=True):
                start, end = answer.pop('offsets')
                answer['text'] = question.passage[start:end]
                answer['probability'] = float(probability)
            answers[question.id] = best
        return answers

    def legal(self, window: int) -> list[dict]:
        """Of the 20 best starts by the 20 best ends of a window, the legal answers."""
        start_L, end_L = self._logits[window]
        offsets = self._features[window]['offset_mapping']
        found = []
        ends = np.argsort(end_L)[-1 : -N_BEST - 1 : -1].tolist()
        for start in np.argsort(start_L)[-1 : -N_BEST - 1 : -1].tolist():
            for end in ends:
                if start >= len(offsets) or end >= len(offsets):
                    continue
                if offsets[start] is None or offsets[end] is None:
                    continue
                if end < start or end - start + 1 > MAX_ANSWER_TOKENS:
                    continue
                found.append(
                    {
                        'offsets': (offsets[start][0], offsets[end][1]),
                        'score': start_L[start] + end_L[end],
                        'start_logit': float(start_L[start]),
                        'end_logit': float(end_L[end]),
                    }
                )
        return found


def best(answers_K: list[dict]) -> tuple[str, float]:
    """Text and score of the first answer."""
    if not answers_K:
        return '', -np.inf
    first = answers_K[0]
    return first['text'], np.float32(first['start_logit']) + np.float32(first['end_logit'])


def compared(ours: dict[str, list[dict]], theirs: dict[str, list[dict]]) -> str:
    """How often both have the same best answer, and whose scores are higher where they do not."""
    same = better = worse = 0
    for ours_K, theirs_K in zip(ours.values(), theirs.values(), strict=True):
        (text, score), (their_text, their_score) = best(ours_K), best(theirs_K)
        same += text == their_text
        better += score > their_score
        worse += score < their_score
    return (
        f'The best answers of {same:,} of {len(ours):,} questions are the same text; our score is '
        f'higher for {better:,} and lower for {worse:,}.'
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Prints seconds of both and of the parts of ours, and how their answers differ."""
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(prog='benchmarks.extract', description=__doc__.split('\n')[0])
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--batch', type=int, default=128, help='windows')
    parser.add_argument('--questions', type=int, help='the first so many; default: all')
    parser.add_argument('--clock', default='wall', choices=CLOCKS, help='cpu: of this process')
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        source, questions, tokenizer = text.read(text.MLQA_DEV, 'dev', Path(folder))
        questions = questions[: args.questions]
        windows = build(questions, tokenizer, WindowSize(384, 128, 64))
    logits = random_logits(windows)
    ours = Ours(questions, windows, logits, args.batch)
    spans = ours.spans()
    features = features_of(windows, WindowSize(384, 128, 64).max_tokens)
    theirs = RunQA(questions, features, logits)
    script = RunQA(questions, datasets.Dataset.from_list(features), logits)
    with tempfile.NamedTemporaryFile(suffix='.json') as file:
        written = partial(write_text, Path(file.name))
        runs = {
            SCRIPT: script,
            ALGORITHM: theirs,
            'ours': ours,
            'ours: best spans of every window': ours.spans,
            'ours: windows merged': partial(ours.merged, spans),
            SCRIPT + WRITTEN: lambda: written(json.dumps(script(), indent=4)),
            ALGORITHM + WRITTEN: lambda: written(json.dumps(theirs(), indent=4)),
            'ours' + WRITTEN: lambda: written(ours.text(ours())),
        }
        for run in runs.values():
            run()
        gc.collect()
        gc.freeze()  # the collector need not look at what only the benchmark keeps
        seconds = report.alternated(
            {name: lambda _, run=run: run() for name, run in runs.items()},
            args.rounds,
            clock=CLOCKS[args.clock],
        )
        gc.unfreeze()
    rows = []
    for name, values in seconds.items():
        end = WRITTEN if name.endswith(WRITTEN) else ''  # like with like
        ratios = (seconds[other + end] / values for other in (ALGORITHM, SCRIPT))
        spreads = [cell for ratio in ratios for cell in report.spread(ratio, '.1f')]
        rows.append([name, *report.spread(values, '.3f'), *spreads])
    legal = np.mean([len(theirs.legal(window)) for window in range(len(windows))])
    print(report.head('benchmarks.extract', argv))
    print(
        f'{len(questions):,} questions, {len(windows):,} windows of {windows.length_W.mean():.0f} '
        f'tokens: {source}. {legal:.0f} of {N_BEST**2} pairs of a window are legal.\n'
    )
    header = ['n-best answers', 'seconds', 'range', 'algorithm / this', 'range']
    print(pipes([*header, 'script / this', 'range'], rows))
    print(f'\n{compared(json.loads(ours.text(ours())), theirs())}')


if __name__ == '__main__':
    main()
