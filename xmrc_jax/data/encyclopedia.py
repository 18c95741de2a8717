"""The embedded corpus: parallel encyclopaedic passages about invented people, places and works.

Owns how an article is drawn, and the tokenizer trained on the result. Refuses to know words
(``telling``), models and windows, and whether a reader finds its questions hard.

Answers have near misses on purpose: at least three of a sort in one passage (when the painter was
born, when her sister, when a book was printed), dates as '1876', 'September 1876' or '3 September
1876', relatives of one surname, 'Velmora' against 'the river port of Velmora'. Some answers occur
in their passage a second time, before or after the sentence that is asked for.
"""

import datetime
import itertools
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from xmrc_jax.data import squad
from xmrc_jax.data.telling import KINDS, LANGUAGES, NAMES, WORDS, Article, questions, slots
from xmrc_jax.ground.values import leaf

SPLITS = {'train': (0.0, 0.7), 'dev': (0.7, 0.8), 'test': (0.8, 1.0)}  # each with names of its own
ALIKE = {'kin': 'person', 'founders': 'person', 'other_bridge': 'bridge', 'metres': 'number'}
RIVALS = 2  # of every answer, in its passage: others of its sort
SPECIALS = ['<s>', '<pad>', '</s>', '<unk>']  # ids 0 to 3, as XLM-R has them


@dataclass(frozen=True)
class Passages:
    """How many each split has, in each language."""

    train_passages: int = leaf(at_least=1)
    dev_passages: int = leaf(at_least=1)
    test_passages: int = leaf(at_least=1)


def write(folder: str | Path, size: Passages, *, seed: int) -> None:
    """Writes ``folder/encyclopedia/{train,dev,test}.{language}.json`` for ``LANGUAGES``.

    The files are SQuAD v1.1 JSON with four questions a passage. One id means the same passage and
    the same question in every language, so a question can be asked of a passage in another
    language. No two splits share the name of a family, town, society or book. A split depends on
    nothing but the seed and its size, and a larger one begins with the smaller one.

    Args:
      folder: the data root; created if missing.
      size: of the splits.
      seed: the same seed gives the same bytes.
    """
    (folder := Path(folder, 'encyclopedia')).mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        passages = getattr(size, f'{split}_passages')
        names, rng = names_of(seed, split), random.Random(f'{seed} {split}')
        articles = [draw(f'{split}-{index:04}', names, rng) for index in range(passages)]
        for language in LANGUAGES:
            asked = [question for article in articles for question in questions(article, language)]
            squad.write(folder / f'{split}.{language}.json', asked)


def names_of(seed: int, split: str) -> dict[str, list]:
    """What a split may call things: families and towns of two pieces, titles of two words."""
    names = {
        'family': list(itertools.product(*NAMES['family'].values())),
        'town': list(itertools.product(*NAMES['town'].values())),
        'title': list(itertools.permutations(range(len(WORDS['en']['titles'])), 2)),
    }
    rng, (low, high) = random.Random(seed), SPLITS[split]
    for name, pool in names.items():
        rng.shuffle(pool)
        names[name] = pool[round(low * len(pool)) : round(high * len(pool))]
    return names | {'given': list(NAMES['given'])}


def draw(prefix: str, names: dict[str, list], rng: random.Random) -> Article:
    """An article of any kind: four of its facts and often an aside, in any order.

    It is asked four questions, each for one of at least three answers of a sort.
    """
    kind = rng.choice(list(KINDS))
    table = WORDS['en'][kind]
    asked_for = ()
    while len(asked_for) < 4:
        facts = rng.sample(list(table['facts']), 4)
        stated = set().union(*(slots(table['facts'][fact][0]) for fact in facts))
        sorts = Counter(sort_of(kind, slot) for slot in stated)
        asked_for = sorted(slot for slot in stated if sorts[sort_of(kind, slot)] > RIVALS)
    sentences = [('facts', fact, rng.randrange(2)) for fact in facts]
    asides = [i for i, aside in enumerate(table['asides']) if slots(aside) <= stated]
    if asides and rng.random() < 0.9:
        sentences.append(('asides', rng.choice(asides)))
    rng.shuffle(sentences)
    questions = [(slot, rng.randrange(2)) for slot in rng.sample(asked_for, 4)]
    return Article(f'{prefix}-{kind}', kind, _fillers(kind, names, rng), sentences, questions)


def sort_of(kind: str, slot: str) -> str:
    """What answers the question for a slot: 'person', 'date', 'place', ..."""
    sort = KINDS[kind][slot].split()[0]
    return ALIKE.get(sort, sort)


def _fillers(kind: str, names: dict[str, list], rng: random.Random) -> dict[str, tuple]:
    """Something for every slot of a kind; within the article no name is drawn twice."""
    drawn = {name: iter(rng.sample(pool, 12)) for name, pool in names.items()}
    family = next(drawn['family'])
    first_day = datetime.date(1700, 1, 1) + datetime.timedelta(days=rng.randrange(80_000))

    def draw(sort: str, low: int = 0, high: int = 0) -> tuple:
        match sort:
            case 'kin':
                return 'person', [next(drawn['given'])], family
            case 'founders':
                givens = [next(drawn['given']) for _ in range(rng.choice((1, 2)))]
                return 'person', givens, family
            case 'person':
                return sort, [next(drawn['given'])], next(drawn['family'])
            case 'bridge':
                return sort, family
            case 'other_bridge':
                return 'bridge', next(drawn['family'])
            case 'town' | 'title':
                return sort, next(drawn[sort])
            case 'craft':
                return sort, rng.randrange(len(WORDS['en']['crafts']))
            case 'society':
                return sort, rng.randrange(len(WORDS['en']['societies'])), next(drawn['town'])
            case 'place':  # half of them plain
                return sort, rng.choice((0, 0, 1, 2)), next(drawn['town'])
            case 'date':
                days = rng.randint(365 * low, 365 * high)
                return sort, rng.randrange(3), first_day + datetime.timedelta(days=days)
            case 'number' | 'metres':  # after numbers in 11..99 Arabic nouns have one form
                return sort, rng.choice([n for n in range(low, high + 1) if n % 100 > 10])
        raise ValueError(f'kinds.toml: unknown sort {sort!r}')

    recipes = {slot: recipe.split() for slot, recipe in KINDS[kind].items()}
    return {slot: draw(sort, *map(int, bounds)) for slot, (sort, *bounds) in recipes.items()}


def train_tokenizer(
    questions: Iterable[squad.Question], folder: str | Path, *, vocabulary: int = 4000
) -> Path:
    """Trains a small tokenizer of XLM-R's shape and writes it as a Hugging Face folder.

    Pieces carry their leading space as in XLM-R, special tokens have its ids and places:
    ``<s> A </s>`` and ``<s> A </s> </s> B </s>``. Punctuation and pairs of digits stand alone, so
    no answer of the corpus ends inside a piece.

    Differs from XLM-R's own in the model: BPE, because the trainer of Unigram models does not give
    the same pieces twice.

    Args:
      questions: whose texts and passages it learns, in any order, repeats ignored.
      folder: created if missing; its tokenizer files are replaced.
      vocabulary: number of pieces, special tokens included; fewer if the texts are few.

    Returns:
      The folder, for ``transformers.AutoTokenizer.from_pretrained``.
    """
    tokenizer = Tokenizer(models.BPE(unk_token='<unk>'))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(),
            pre_tokenizers.Split(Regex(r'▁?\d\d?'), behavior='isolated'),
            pre_tokenizers.Punctuation(),
        ]
    )
    tokenizer.decoder = decoders.Metaspace()
    settings = {'vocab_size': vocabulary, 'special_tokens': SPECIALS, 'show_progress': False}
    texts = {text for question in questions for text in (question.passage, question.text)}
    tokenizer.train_from_iterator(sorted(texts), trainers.BpeTrainer(**settings))
    with_special_tokens(tokenizer).save_pretrained(folder)
    return Path(folder)


def with_special_tokens(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """A tokenizer that begins with ``SPECIALS``, with them where XLM-R has them."""
    tokenizer.post_processor = processors.TemplateProcessing(
        single='<s> $A </s>',
        pair='<s> $A </s> </s> $B </s>',
        special_tokens=[('<s>', 0), ('</s>', 2)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token='<s>',
        cls_token='<s>',
        pad_token='<pad>',
        eos_token='</s>',
        sep_token='</s>',
        unk_token='<unk>',
    )
