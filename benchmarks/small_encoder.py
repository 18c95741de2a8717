"""The quickstart's encoder: four small layers that know the embedded corpus in six languages.

    python -m benchmarks.small_encoder --output xmrc_jax/model/encyclopedia

An encoder for a reader to start from, as XLM-R is, made of text alone: passages of the corpus, and
sentences of theirs told once more, in other words or another language, with answers masked. It
learns where the passage says what is masked, by recurring span selection (Ram et al. 2021,
Splinter): first its lower layers, by a bilinear score of every mask and every token; then, with
the last layer on top and one answer masked, by the span head, with which a reader starts as in
Splinter. Names are those of the corpus' training splits; of questions the tokenizer alone has seen
words.
"""

import argparse
import dataclasses
import functools
import itertools
import json
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import safetensors.numpy
from transformers import PreTrainedTokenizerFast

from xmrc_jax.data import encyclopedia, squad, telling
from xmrc_jax.data.tokenizer import load_tokenizer
from xmrc_jax.ground.commands import command
from xmrc_jax.ground.files import new_folder
from xmrc_jax.ground.progress import progress
from xmrc_jax.model import reader, weights
from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig
from xmrc_jax.model.config_json import described

SEED = 0  # of names, text and parameters
LENGTH = 128  # L, tokens of a window
MASKS = 12  # S, at most so many answers are masked
NOTHING = ('', '', '')


class Windows(NamedTuple):
    """Sentences with masks, each with the passage that they tell of.

    Attributes:
      ids_BL: int32 tokens, padded on the right.
      length_B: int32 real tokens.
      passage_B2: int32 tokens [lo, hi) of the passage.
      mask_BS: int32 place of each mask; 0 where there is none.
      span_BS2: int32 first and last token of what it masks, in the passage.
    """

    ids_BL: np.ndarray
    length_B: np.ndarray
    passage_B2: np.ndarray
    mask_BS: np.ndarray
    span_BS2: np.ndarray


def told_again(
    article: telling.Article, rng: random.Random, language: str, mask: str, *, alone: bool
) -> tuple[str, list[str]]:
    """Sentences of an article with masks, and the slots that are masked, in order.

    Most answers of one or two sentences; or alone, one answer of one sentence, of which half of the
    others are left out. A mask alone stands in half of the sentences before all words, as most
    languages ask.
    """
    facts = [sentence for sentence in article.sentences if sentence[0] == 'facts']
    chosen = rng.sample(facts, 1 if alone else rng.choice((1, 2)))
    chosen = [(*fact, 1 - other if rng.random() < 0.7 else other) for *fact, other in chosen]
    template = telling.WORDS['en'][article.kind]['facts']
    slots = sorted(set().union(*(telling.slots(template[fact][0]) for _, fact, _ in chosen)))
    asked = {rng.choice(slots)} if alone else {slot for slot in slots if rng.random() < 0.8}
    left_out = {slot for slot in slots if alone and slot not in asked and rng.random() < 0.5}
    instead = dict.fromkeys(left_out, NOTHING)
    for slot in asked:
        before, behind = telling.around(article, slot, language)
        instead[slot] = before, mask, behind
    text, spans = telling.passage(article._replace(sentences=chosen), language, instead)
    if alone and rng.random() < 0.5:
        text = f'{mask} {text.replace(mask, "")}'
    return text, sorted(asked, key=lambda slot: spans[slot])


def batches(
    tokenizer: PreTrainedTokenizerFast, rng: random.Random, size: int, alone: float
) -> Iterator[Windows]:
    """Windows without end; in a third, sentences and passage are in two languages.

    Args:
      alone: share of those with one mask.
    """
    names = encyclopedia.names_of(SEED, 'train')
    for number in itertools.count():
        pairs, slots, spans = [], [], []
        for _ in range(size):
            article = encyclopedia.draw(str(number), names, rng)
            language = rng.choice(telling.LANGUAGES)
            other = rng.choice(telling.LANGUAGES) if rng.random() < 0.4 else language
            passage = telling.passage(article, language)
            one, mask = rng.random() < alone, tokenizer.mask_token
            text, asked = told_again(article, rng, other, mask, alone=one)
            pairs.append((text, passage.text))
            slots.append(asked)
            spans.append(passage.spans)
        yield windows_of(tokenizer, pairs, slots, spans)


def windows_of(tokenizer, pairs, slots, spans) -> Windows:
    options = {'truncation': 'only_second', 'max_length': LENGTH, 'padding': 'max_length'}
    encoded = tokenizer(pairs, return_tensors='np', **options)
    ids_BL = encoded['input_ids'].astype(np.int32)
    mask_BS = np.zeros((len(pairs), MASKS), np.int32)
    span_BS2 = np.zeros((len(pairs), MASKS, 2), np.int32)
    passage_B2 = np.zeros((len(pairs), 2), np.int32)
    for window, (asked, where) in enumerate(zip(slots, spans, strict=True)):
        inside = [i for i, part in enumerate(encoded.sequence_ids(window)) if part == 1]
        passage_B2[window] = inside[0], inside[-1] + 1
        (places,) = np.nonzero(ids_BL[window] == tokenizer.mask_token_id)
        for mask, (place, slot) in enumerate(zip(places[:MASKS], asked, strict=False)):
            start, end = where[slot]
            first, last = (encoded.char_to_token(window, c, 1) for c in (start, end - 1))
            if last is not None:  # not cut off
                mask_BS[window, mask], span_BS2[window, mask] = place, (first, last)
    return Windows(ids_BL, encoded['attention_mask'].sum(1), passage_B2, mask_BS, span_BS2)


def init(cfg: EncoderConfig) -> dict:
    """A reader's parameters and the pointers', from which reading is learnt soon.

    Kernels are as large as their width asks for; queries and keys of the last layer begin near
    the identity, so that tokens attend to what is like them.
    """
    params = reader.init(cfg, jax.random.key(SEED))
    params = jax.tree.map_with_path(lambda path, x: x if path[-1].key == 'scale' else 4 * x, params)
    attention = params['encoder']['blocks']['attention']
    same = jnp.eye(cfg.width).reshape(attention['query']['kernel'].shape[1:])
    for each in ('query', 'key'):
        kernel = attention[each]['kernel']
        attention[each]['kernel'] = kernel.at[-1].set(0.3 * kernel[-1] + same)
    return {'reader': params, 'pointer': jnp.stack([jnp.eye(cfg.width)] * 2)}


def by_pointers(params: dict, cfg: EncoderConfig, windows: Windows) -> tuple[jax.Array, jax.Array]:
    """Cross-entropy of every mask's start and end, and how often both are right, without the top.

    .. math:: s(m, t) = h_m^T W h_t / \\sqrt{D}
    """
    below = dataclasses.replace(cfg, layers=cfg.layers - 1)
    encoder = params['reader']['encoder']
    blocks = jax.tree.map(lambda x_N: x_N[:-1], encoder['blocks'])
    lower = params['reader'] | {'encoder': encoder | {'blocks': blocks}}
    hidden_BLD = reader.apply(lower, below, *windows[:3]).hidden_BLD
    asking_BSD = jnp.take_along_axis(hidden_BLD, windows.mask_BS[..., None], 1)
    score_2BSL = jnp.einsum('bsd,pde,ble->pbsl', asking_BSD, params['pointer'], hidden_BLD)
    score_2BSL = jnp.where(_inside(windows)[:, None], score_2BSL * cfg.width**-0.5, -1e9)
    return _entropy(score_2BSL, jnp.moveaxis(windows.span_BS2, 2, 0), windows.mask_BS > 0)


def by_head(params: dict, cfg: EncoderConfig, windows: Windows) -> tuple[jax.Array, jax.Array]:
    """Likewise of the first mask, by the logits of the whole reader."""
    reading = reader.apply(params['reader'], cfg, *windows[:3])
    logits_2BL = jnp.stack([reading.start_logits_BL, reading.end_logits_BL])
    logits_2BL = jnp.where(_inside(windows), logits_2BL, -1e9)
    return _entropy(logits_2BL, windows.span_BS2[:, 0].T, windows.mask_BS[:, 0] > 0)


def _inside(windows: Windows) -> jax.Array:
    place_1L, (lo_B1, hi_B1) = jnp.arange(LENGTH)[None], jnp.split(windows.passage_B2, 2, axis=1)
    return (place_1L >= lo_B1) & (place_1L < hi_B1)


def _entropy(score_2xL, span_2x, counts_x) -> tuple[jax.Array, jax.Array]:
    log_p_2x = jnp.take_along_axis(jax.nn.log_softmax(score_2xL), span_2x[..., None], -1)[..., 0]
    right_x = (score_2xL.argmax(-1) == span_2x).all(0)
    count = jnp.maximum(counts_x.sum(), 1)
    return -(log_p_2x.sum(0) * counts_x).sum() / count, (right_x & counts_x).sum() / count


def stage(params: dict, loss, windows: Iterator[Windows], *, steps: int, every: int) -> dict:
    """The parameters after so many steps of AdamW."""
    rate = optax.warmup_cosine_decay_schedule(0.0, 1e-3, steps // 20, steps)
    adamw = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate))
    state = adamw.init(params)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(params, state, windows):
        grads, right = jax.grad(loss, has_aux=True)(params, windows=windows)
        updates, state = adamw.update(grads, state, params)
        return optax.apply_updates(params, updates), state, right

    rights = []
    with progress(itertools.islice(windows, steps), total=steps, unit=' steps') as bar:
        for number, batch in enumerate(bar, 1):
            params, state, right = step(params, state, batch)
            rights.append(right)
            if number % every == 0:
                bar.set_postfix_str(f'{100 * float(np.mean(rights)):.1f} % right')
                rights = []
    return params


def pretrain(tokenizer, *, steps: int, batch_size: int, every: int) -> tuple[dict, EncoderConfig]:
    """The reader's parameters, head included, after twice so many steps of so many windows."""
    cfg, rng = EncoderConfig.of(ENCODERS['encyclopedia'], PLAIN), random.Random(SEED)
    params = init(cfg)
    for loss, alone in ((by_pointers, 0.5), (by_head, 1.0)):
        windows = batches(tokenizer, rng, batch_size, alone)
        loss = functools.partial(loss, cfg=cfg)
        params = stage(params, loss, windows, steps=steps, every=every)
    return params['reader'], cfg


def save(folder: Path, params: dict, cfg: EncoderConfig, tokenizer) -> None:
    """A Hugging Face folder in half precision, with the span head."""
    tensors = {
        name: tensor.astype(np.float16)
        for name, tensor in weights.to_hf(jax.device_get(params), cfg).items()
    }
    with new_folder(folder) as part:
        (part / 'config.json').write_text(json.dumps(described(cfg), indent=2) + '\n')
        safetensors.numpy.save_file(tensors, part / 'model.safetensors', {'format': 'pt'})
        tokenizer.save_pretrained(part)


def own_tokenizer(folder: Path, *, passages: int) -> PreTrainedTokenizerFast:
    """Trained on passages and questions of the corpus, with a mask as XLM-R has one: the last."""
    encyclopedia.write(folder, encyclopedia.Passages(passages, 1, 1), seed=SEED)
    files = (folder / f'encyclopedia/train.{each}.json' for each in telling.LANGUAGES)
    questions = (question for file in files for question in squad.read(file).questions)
    tokenizer = load_tokenizer(encyclopedia.train_tokenizer(questions, folder / 'tokenizer'))
    tokenizer.add_special_tokens({'mask_token': '<mask>'})
    return tokenizer


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog='benchmarks.small_encoder')
    parser.add_argument('--output', type=Path, required=True, help='a new folder')
    parser.add_argument('--steps', type=int, default=800, help='in each of the two stages')
    parser.add_argument('--batch_size', type=int, default=32)
    parser.add_argument('--passages', type=int, default=600, help='for the tokenizer')
    parser.add_argument('--every', type=int, default=100, help='steps between two shares')
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = own_tokenizer(Path(scratch), passages=args.passages)
        params, cfg = pretrain(
            tokenizer, steps=args.steps, batch_size=args.batch_size, every=args.every
        )
        save(args.output, params, cfg, tokenizer)
    print(f'written: {args.output}')


if __name__ == '__main__':
    command(main)
