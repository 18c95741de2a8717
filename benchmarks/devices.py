"""Twenty steps on one device and on eight simulated ones: the same losses?

    python -m benchmarks.devices

trains a small reader on the embedded corpus, with both objectives and dropout, on the CPU. Meshes
are (data, fsdp, model): data splits the batch, fsdp batch and parameters, model heads and MLP.
"""

import dataclasses
import tempfile
from functools import partial
from pathlib import Path

import jax
import numpy as np
from tqdm import tqdm

from benchmarks.training import random_candidates
from xmrc_jax.configs.paper import paper_config
from xmrc_jax.data import encyclopedia, squad
from xmrc_jax.data.batches import Batches
from xmrc_jax.data.tokenizer import load_tokenizer
from xmrc_jax.data.windows import WindowSize, build
from xmrc_jax.model import reader
from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig
from xmrc_jax.recipe import settings
from xmrc_jax.reporting.tables import pipes
from xmrc_jax.train import sharding
from xmrc_jax.train.objective import base_objective
from xmrc_jax.train.optimizer import build as adamw
from xmrc_jax.train.step import compiled_step, initial_state
from xmrc_jax.train.two_stage import two_stage_objective

STEPS = 20
MESHES = ((1, 1, 1), (8, 1, 1), (2, 4, 1), (2, 2, 2))
CANDIDATES = 8
RUN = settings.vary(
    settings.read(paper_config()), {'train.peak_lr': 1e-3, 'mine.candidates': CANDIDATES}
)
ADAMW, METHOD = RUN.train.optimizer, RUN.method.reading


def inputs(folder: Path):
    """The encoder and the batches, from the embedded corpus in English."""
    encyclopedia.write(folder, encyclopedia.Passages(50, 1, 1), seed=0)
    questions = squad.read(folder / 'encyclopedia' / 'train.en.json').questions
    tokenizer = load_tokenizer(encyclopedia.train_tokenizer(questions, folder / 'tokenizer'))
    windows = build(questions, tokenizer, WindowSize(128, 32, 32))
    tiny = EncoderConfig.of(ENCODERS['tiny'], PLAIN)
    encoder = dataclasses.replace(tiny, vocabulary=len(tokenizer))
    mined = random_candidates(windows, CANDIDATES, seed=0)
    return encoder, Batches(windows, batch_size=16, max_tokens=128, seed=0, candidates=mined)


def losses(mesh: jax.sharding.Mesh, objective, params: dict, batches: Batches) -> list[float]:
    """The loss of every step on a mesh."""
    init = partial(initial_state, optimizer=adamw(ADAMW, STEPS))
    shardings = sharding.of(jax.eval_shape(init, params), mesh)
    state = jax.jit(init, out_shardings=shardings)(params)
    step, key = compiled_step(objective, ADAMW, STEPS, shardings), jax.random.key(1)
    share, found = sharding.Share(mesh, batches.batch_size), []
    for number in tqdm(range(STEPS), desc=str(tuple(mesh.devices.shape)), unit=' steps'):
        state, metrics = step(state, share.put(batches.batch_at(number)), key)
        found.append(float(metrics['loss']))
    return found


def main() -> None:
    """Prints the losses of both objectives on all meshes and how far they are apart."""
    jax.config.update('jax_platforms', 'cpu')
    jax.config.update('jax_num_cpu_devices', 8)
    with tempfile.TemporaryDirectory() as folder:
        encoder, batches = inputs(Path(folder))
    params = {'reader': reader.init(encoder, jax.random.key(0))}
    objectives = {
        'Base objective': (base_objective(encoder, METHOD.normalisation), params),
        'Two-stage objective': (
            two_stage_objective(encoder, METHOD, STEPS, RUN.evaluate.ask.max_answer_tokens),
            params | METHOD.hard.initial_slots(CANDIDATES),
        ),
    }
    for name, (objective, start) in objectives.items():
        columns = []
        for sizes in MESHES:
            devices = np.array(jax.devices()[: int(np.prod(sizes))]).reshape(sizes)
            mesh = jax.sharding.Mesh(devices, sharding.AXES)
            columns.append(losses(mesh, objective, start, batches))
        one = np.array(columns[0])
        rows = [
            [str(step), *(f'{loss:.7f}' for loss in row)]
            for step, row in enumerate(zip(*columns, strict=True))
        ]
        apart = [f'{np.max(np.abs(column - one) / one):.1e}' for column in columns]
        rows.append(['relative', *apart])
        print(f'{name}\n\n{pipes(["step", *map(str, MESHES)], rows)}\n', flush=True)


if __name__ == '__main__':
    main()
