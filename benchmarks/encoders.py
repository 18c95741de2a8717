"""A pretrained encoder against PyTorch at full depth, on real questions, before and after export.

    python -m benchmarks.encoders FOLDER xquad/xquad.ar.json squad/dev-v1.1.json --questions 5

PyTorch gets what its own call of the tokenizer makes of a question and its passage, ours what our
windows make of them; both have the same span head, the folder's or a random one. Logits are
compared at every token, beside what PyTorch's own float32 and float64 differ by.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import numpy as np
import torch
import transformers

from benchmarks.apart import Apart, compare_exactly
from benchmarks.asked import spread
from xmrc_jax.data import squad
from xmrc_jax.data.squad import Question
from xmrc_jax.data.tokenizer import load_tokenizer
from xmrc_jax.data.windows import WindowSize, build
from xmrc_jax.ground.commands import command, documented
from xmrc_jax.model import reader, weights
from xmrc_jax.model.architectures import PLAIN, EncoderConfig
from xmrc_jax.recipe.encoders import fed_by
from xmrc_jax.reporting.tables import pipes

HEAD_DEVIATION = 1.0  # of a random span head: logits of a size at which 1e-5 says something


def compared(folder: Path, questions: Sequence[Question], scratch: Path) -> dict[str, Apart]:
    """Differences before and after export; pairs longer than the encoder takes are left out.

    Args:
      folder: Hugging Face's, of an encoder or a reader, with its tokenizer.
      questions: with passages.
      scratch: receives the folder with a head, and the export.
    """
    before, after = scratch / 'before', scratch / 'after'
    tokenizer = load_tokenizer(folder)
    _with_head(folder, before)
    tokenizer.save_pretrained(before)
    cfg = fed_by(tokenizer, EncoderConfig.of(weights.architecture_of(before), PLAIN))
    params = weights.load(before, cfg, {})
    weights.save(after, params, cfg, tokenizer)

    pairs = [(question.text.lstrip(), question.passage) for question in questions]
    most = cfg.positions - cfg.first_position
    pairs = [pair for pair in pairs if len(tokenizer(*pair)['input_ids']) <= most]
    ours = list(_ours(params, cfg, tokenizer, pairs, most))
    return {
        name: _apart(ours, _theirs(where, pairs, torch.float32), _theirs(where, pairs))
        for name, where in (('before export', before), ('after export', after))
    }


def _with_head(folder: Path, output: Path) -> None:
    """The folder as a reader; a head that it lacks is drawn."""
    torch.manual_seed(0)
    model, report = transformers.AutoModelForQuestionAnswering.from_pretrained(
        folder, output_loading_info=True
    )
    if any(name.startswith('qa_outputs') for name in report['missing_keys']):
        torch.nn.init.normal_(model.qa_outputs.weight, std=HEAD_DEVIATION)
    model.save_pretrained(output)


def _ours(params, cfg, tokenizer, pairs, most: int) -> Iterator[np.ndarray]:
    """Start and end logits [2, L] of each pair."""
    questions = [Question(str(q), *pair, ()) for q, pair in enumerate(pairs)]
    windows = build(questions, tokenizer, WindowSize(most, 0, most))
    apply = jax.jit(reader.apply, static_argnums=1)
    longest = int(windows.length_W.max())
    for window, (first, past) in enumerate(windows.bounds_W2):
        ids_BL = np.full((1, longest), windows.pad_id, np.int32)
        ids_BL[0, : past - first] = windows.ids_T[first:past]
        one = slice(window, window + 1)
        reading = apply(params, cfg, ids_BL, windows.length_W[one], windows.passage_W2[one])
        logits_2BL = np.stack([reading.start_logits_BL, reading.end_logits_BL])
        yield logits_2BL[:, 0, : past - first]


def _theirs(folder: Path, pairs, dtype=torch.float64) -> Iterator[np.ndarray]:
    """The same of PyTorch, with nothing but the folder to go by."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForQuestionAnswering.from_pretrained(folder).to(dtype).eval()
    with torch.no_grad():
        for pair in pairs:
            output = model(**tokenizer(*pair, return_tensors='pt'))
            yield torch.cat([output.start_logits, output.end_logits]).numpy()


def _apart(*sides: Iterator[np.ndarray]) -> Apart:
    """Over all pairs."""
    return Apart(*np.max([Apart.of(*each) for each in zip(*sides, strict=True)], axis=0).tolist())


def main(argv: Sequence[str] | None = None) -> None:
    parser = documented('benchmarks.encoders', __doc__)
    parser.add_argument('folder', type=Path, help='of Hugging Face, with a tokenizer')
    parser.add_argument('data', type=Path, nargs='+', help='SQuAD-format files')
    parser.add_argument('--questions', type=int, default=20, help='of each file, evenly spaced')
    args = parser.parse_args(argv)
    compare_exactly()
    questions = [
        question
        for path in args.data
        for question in spread(squad.read(path).questions, args.questions)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        found = compared(args.folder, questions, Path(scratch))
    rows = [
        [name, f'{apart.largest:.2f}', *(f'{x:.1e}' for x in apart[1:])]
        for name, apart in found.items()
    ]
    print(f'{len(questions)} questions of {", ".join(path.name for path in args.data)}\n')
    print(pipes(['', 'largest logit', 'torch float32', 'torch float64', 'torch 32 to 64'], rows))


if __name__ == '__main__':
    command(main)
