"""Training steps, ours against a PyTorch trainer: same weights, same batches, same loss.

    python -m benchmarks.train_step
    python -m benchmarks.train_step --encoder mmbert_small --batch 32
    python -m benchmarks.train_step --batch 32 --dtype bfloat16 --steps 40       (on a GPU)

Every trainer runs in a process of its own, and one at a time: in each round all of them make the
same few steps, in an order that alternates from round to round. Ratios are taken within a round.
Peak memory is that of the timed steps: resident memory of the process on a CPU, what the
framework's allocator gave out on a GPU. Windows are as long as SQuAD's.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from tqdm import tqdm

from xmrc_jax.data.batches import Batches
from xmrc_jax.ground.commands import documented
from xmrc_jax.plan.roofline import WINDOWS
from xmrc_jax.reporting.tables import pipes

TORCH = 'torch'
TUNED = {'MALLOC_MMAP_MAX_': '0', 'MALLOC_TRIM_THRESHOLD_': '99999999999'}
OURS = {
    'ours': {},
    'ours, two-stage': {'stage': 'two_stage'},
    'ours, padded': {'packed': False},
    'ours, padded, all rows': {'packed': False, 'compact': False},
}
EPOCHS = 8  # the paper's
THEIRS = {TORCH: {}, 'torch, allocator tuned': TUNED, 'torch, compiled': {}}


# -- in the process of one trainer -----------------------------------------------------------------


def work(name: str, args: argparse.Namespace) -> None:
    """Make steps whenever a line on stdin says how many; answer with seconds, losses, memory."""
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # whatever libraries print
    run, peak = (theirs if name in THEIRS else ours)(name, args)
    for line in sys.stdin:
        first, count = json.loads(line)
        print(json.dumps({**run(range(first, first + count)), 'peak': peak()}), file=answers)
        answers.flush()


def ours(name: str, args: argparse.Namespace) -> tuple[Callable, Callable]:
    """(make these steps, peak memory in bytes) of one of our trainers."""
    import jax

    from benchmarks.training import Trainer

    trainer = Trainer(dataclasses.replace(setting_of(args), **OURS[name]))
    on_gpu = jax.default_backend() == 'gpu'

    def run(numbers):
        batches = jax.block_until_ready([trainer.batch(number) for number in numbers])
        start = time.perf_counter()
        losses = jax.block_until_ready([trainer.update(batch) for batch in batches])
        return {'seconds': time.perf_counter() - start, 'losses': [float(x) for x in losses]}

    for number in range(args.rounds * args.steps + 1):
        trainer.compile(trainer.batch(number))
    run([0])
    if not on_gpu:
        restart_peak()
        return run, resident_peak
    return run, lambda: jax.devices()[0].memory_stats()['peak_bytes_in_use']


def theirs(name: str, args: argparse.Namespace) -> tuple[Callable, Callable]:
    """The same of a PyTorch trainer."""
    import torch

    from benchmarks.torch_trainer import DEVICE, TorchTrainer
    from benchmarks.training import STEPS

    setting = setting_of(args)
    trainer = TorchTrainer(
        Path(args.weights),
        half=setting.dtype == 'bfloat16',
        passage_type=setting.config.passage_type if setting.config.types else None,
        compiled='compiled' in name,
        steps=STEPS,
    )
    batches = batches_of(setting)
    on_gpu = DEVICE == 'cuda'

    def run(numbers):
        made = [trainer.batch(batches.batch_at(number)) for number in numbers]
        if on_gpu:
            torch.cuda.synchronize()
        start = time.perf_counter()
        losses = [trainer.update(batch) for batch in made]
        if on_gpu:
            torch.cuda.synchronize()
        return {'seconds': time.perf_counter() - start, 'losses': [float(x) for x in losses]}

    run([0])
    if not on_gpu:
        restart_peak()
        return run, resident_peak
    torch.cuda.reset_peak_memory_stats()
    return run, torch.cuda.max_memory_allocated


def restart_peak() -> None:
    Path('/proc/self/clear_refs').write_text('5')


def resident_peak() -> int:
    """Bytes, since ``restart_peak``."""
    lines = Path('/proc/self/status').read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith('VmHWM'))


# -- in the process that compares ------------------------------------------------------------------


def setting_of(args: argparse.Namespace):
    from benchmarks.training import Setting

    return Setting(
        encoder=args.encoder,
        batch=args.batch,
        dtype=args.dtype,
        dropout=args.dropout,
        attention_dropout=args.attention_dropout,
    )


def batches_of(setting) -> Batches:
    """Those that every trainer gets, in the ids of the whole token table."""
    return Batches(setting.windows, batch_size=setting.batch, max_tokens=setting.max_tokens, seed=0)


class Worker:
    """A trainer in a process of its own."""

    def __init__(self, name: str, argv: Sequence[str], weights: str):
        command = [sys.executable, '-m', 'benchmarks.train_step', *argv]
        self._process = subprocess.Popen(
            [*command, '--worker', name, '--weights', weights],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ
            | {'OMP_WAIT_POLICY': 'PASSIVE', 'XLA_PYTHON_CLIENT_PREALLOCATE': 'false'}
            | THEIRS.get(name, {}),
        )

    def run(self, first: int, count: int) -> dict:
        print(json.dumps([first, count]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            sys.exit('a trainer ended before its time; its own message stands above')
        return json.loads(answer)

    def end(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def compare(names: Sequence[str], argv: Sequence[str], args, weights: str) -> dict[str, list[dict]]:
    """What every trainer answered in every round."""
    workers = {}
    for name in names:
        workers[name] = Worker(name, argv, weights)
        workers[name].run(1, 0)  # compiled and warm, before the next one starts
    answers = {name: [] for name in names}
    for number in tqdm(range(args.rounds), unit='round'):
        for name in names[:: 1 if number % 2 else -1]:
            answers[name].append(workers[name].run(1 + number * args.steps, args.steps))
    for worker in workers.values():
        worker.end()
    return answers


def compared(
    answers: dict[str, list[dict]], args: argparse.Namespace, reference: str
) -> list[list[str]]:
    """A row for each trainer: its speed and memory, and both against the reference."""
    from xmrc_jax.train.throughput import peak_flops, train_flops

    setting = setting_of(args)
    batches = batches_of(setting)
    lengths = [batches.lengths_at(1 + number) for number in range(args.rounds * args.steps)]
    tokens = np.mean([each.sum() for each in lengths])
    flops = np.mean([train_flops(setting.config, each) for each in lengths])
    chip = peak_flops()

    def seconds_of(name):
        return np.array([answer['seconds'] for answer in answers[name]]) / args.steps

    rows = []
    for name in answers:
        seconds = np.median(seconds_of(name))
        speed = seconds_of(reference) / seconds_of(name)
        peak, of_reference = (answers[each][-1]['peak'] for each in (name, reference))
        rows.append(
            [
                name,
                f'{seconds:.3f}',
                f'{setting.batch / seconds:.2f}',
                f'{tokens / seconds:,.0f}',
                f'{np.median(speed):.2f}',
                f'{speed.min():.2f} to {speed.max():.2f}',
                '' if chip is None else f'{100 * flops / seconds / chip:.1f} %',
                f'{peak / 1e9:.2f}',
                f'{peak / of_reference:.2f}',
            ]
        )
    return rows


def recipe(answers: dict[str, list[dict]], args: argparse.Namespace) -> str:
    """How long the paper's zero-shot recipe would take at these speeds: an estimate."""
    seconds = {
        name: np.median([answer['seconds'] for answer in answers[name]]) / args.steps
        for name in ('ours', 'ours, two-stage')
    }
    batches = -(-WINDOWS['squad/train'] // args.batch)
    training = EPOCHS * batches * sum(seconds.values())
    mining = batches * seconds['ours'] / 3
    return (
        f'The zero-shot recipe at these step times: {(training + mining) / 60:.1f} min '
        f'({EPOCHS} + {EPOCHS} epochs of {batches:,} steps, and mining at a third of a base step '
        'a batch; compiling, checkpoints and scores are not in it)'
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the comparison, or is one trainer."""
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = documented('benchmarks.train_step', __doc__)
    parser.add_argument('--encoder', default='xlmr_base')
    parser.add_argument('--batch', type=int, default=8, help='windows')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--steps', type=int, default=1, help='of each trainer in a round')
    parser.add_argument('--dtype', default='float32', choices=('float32', 'bfloat16'))
    own = {'type': float, 'default': -1.0, 'help': "-1: the encoder's own"}
    parser.add_argument('--dropout', **own)
    parser.add_argument('--attention_dropout', **own)
    parser.add_argument('--trainers', nargs='*', help='which; default: those of this device')
    parser.add_argument('--worker', help=argparse.SUPPRESS)
    parser.add_argument('--weights', help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.worker:
        work(args.worker, args)
        return
    import jax

    from benchmarks.training import first_params
    from xmrc_jax.model import weights

    on_gpu = jax.default_backend() == 'gpu'
    names = args.trainers or [
        *OURS,
        TORCH,
        'torch, compiled' if on_gpu else 'torch, allocator tuned',
    ]
    reference = TORCH if TORCH in names else names[0]
    setting = setting_of(args)
    with tempfile.TemporaryDirectory() as folder:
        weights.save(f'{folder}/first', jax.device_get(first_params(setting)), setting.config)
        jax.clear_caches()
        answers = compare(names, argv, args, f'{folder}/first')
    header = [
        'trainer', 's/step', 'sequences/s', 'real tokens/s', f'speed / {reference}',
        'lowest to highest', 'MFU', 'peak GB', f'peak / {reference}',
    ]  # fmt: skip
    print(
        f'{args.encoder}, batch {args.batch}, {setting.max_tokens} tokens, {args.dtype}, '
        f'dropout {setting.config.dropout} (attention {setting.config.attention_dropout}), '
        f'{args.rounds} rounds of {args.steps}, {jax.devices()[0].device_kind}, '
        f'jax {version("jax")}, torch {version("torch")}\n'
    )
    print(pipes(header, compared(answers, args, reference)))
    if {'ours', 'ours, two-stage'} <= set(answers):
        print('\n' + recipe(answers, args))
    first = {name: found[0]['losses'][0] for name, found in answers.items()}
    print('\nloss of the first timed step: ' + ', '.join(f'{n} {x:.6f}' for n, x in first.items()))


if __name__ == '__main__':
    main()
