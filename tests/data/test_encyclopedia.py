"""The embedded corpus: deterministic, parallel, every answer exact, a tokenizer beside it."""

import dataclasses
import os
import random
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from xmrc_jax.data import encyclopedia, squad, telling

LANGUAGES = telling.LANGUAGES
SIZE = encyclopedia.Passages(train_passages=200, dev_passages=20, test_passages=20)


def files(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(root, 'encyclopedia').iterdir())}


def training(corpora) -> list[squad.Question]:
    return [question for language in LANGUAGES for question in corpora['train', language]]


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('root')
    encyclopedia.write(root, SIZE, seed=0)
    return root


@pytest.fixture(scope='module')
def corpora(root) -> dict[tuple[str, str], tuple[squad.Question, ...]]:
    """(split, language) -> questions, as the ordinary reader gives them; strict allows no drop."""
    return {
        (split, language): squad.read(
            root / 'encyclopedia' / f'{split}.{language}.json', strict=True
        ).questions
        for split in encyclopedia.SPLITS
        for language in LANGUAGES
    }


@pytest.fixture(scope='module')
def own_tokenizer(corpora, tmp_path_factory):
    folder = tmp_path_factory.mktemp('tokenizer')
    return AutoTokenizer.from_pretrained(encyclopedia.train_tokenizer(training(corpora), folder))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_text(root, tmp_path):
    encyclopedia.write(tmp_path / 'again', SIZE, seed=0)
    encyclopedia.write(tmp_path / 'other', SIZE, seed=1)
    assert files(tmp_path / 'again') == files(root)
    other = files(tmp_path / 'other')
    assert all(other[name] != content for name, content in files(root).items())


def test_a_larger_split_begins_with_the_smaller_one_and_leaves_the_others_alone(root, tmp_path):
    encyclopedia.write(tmp_path, dataclasses.replace(SIZE, test_passages=25), seed=0)
    path = Path('encyclopedia', 'test.de.json')
    larger, smaller = (squad.read(base / path).questions for base in (tmp_path, root))
    assert set(smaller) < set(larger)
    assert files(tmp_path)['train.hi.json'] == files(root)['train.hi.json']


def test_hash_seeds_do_not_matter(tmp_path):
    """Two processes with different string hashes write the same corpus and the same tokenizer."""
    script = (
        'import sys; from pathlib import Path; from xmrc_jax.data import encyclopedia, squad\n'
        'root = Path(sys.argv[1])\n'
        'encyclopedia.write(root, encyclopedia.Passages(30, 1, 1), seed=3)\n'
        'corpus = squad.read(root / "encyclopedia" / "train.vi.json")\n'
        'questions = set(corpus.questions)\n'  # their order is that of hashes
        'encyclopedia.train_tokenizer(questions, root / "encyclopedia", vocabulary=500)\n'
    )
    for hash_seed in '12':
        environment = os.environ | {'PYTHONHASHSEED': hash_seed}
        folder = tmp_path / hash_seed
        subprocess.run([sys.executable, '-c', script, folder], env=environment, check=True)
    first, second = files(tmp_path / '1'), files(tmp_path / '2')
    assert 'tokenizer.json' in first
    assert first == second


@pytest.mark.parametrize('split', encyclopedia.SPLITS)
def test_languages_are_parallel(corpora, split):
    """The same ids in every language; years, which all six write alike, are the same as well."""
    english = {question.id: question for question in corpora[split, 'en']}
    assert len(english) == 4 * getattr(SIZE, f'{split}_passages')
    for language in LANGUAGES:
        for question in corpora[split, language]:
            parallel = english[question.id]
            assert years(question.answers[0].text) == years(parallel.answers[0].text)
            assert sorted(years(question.passage)) == sorted(years(parallel.passage))
        assert len(corpora[split, language]) == len(english)


def test_every_answer_has_two_rivals_of_its_sort():
    names, rng = encyclopedia.names_of(0, 'train'), random.Random(0)
    for number in range(300):
        article = encyclopedia.draw(str(number), names, rng)
        assert len(set(article.questions)) == 4
        stated = telling.passage(article, 'en').spans
        for slot, _ in article.questions:
            sort = encyclopedia.sort_of(article.kind, slot)
            rivals = [each for each in stated if encyclopedia.sort_of(article.kind, each) == sort]
            assert len(rivals) >= 3


def years(text: str) -> list[str]:
    return re.findall(r'\d{4}', text)


@pytest.mark.parametrize('language', LANGUAGES)
def test_some_answers_are_repeated_before_or_after_the_gold(corpora, language):
    """10-15 % of 4000 questions; 8-18 % allows three standard deviations of these 800."""
    repeated = [
        question
        for question in corpora['train', language]
        if question.passage.count(question.answers[0].text) > 1
    ]
    assert 0.08 <= len(repeated) / len(corpora['train', language]) <= 0.18
    first = [q for q in repeated if q.passage.index(q.answers[0].text) == q.answers[0].start]
    assert 0 < len(first) < len(repeated)


def test_splits_share_no_passage_and_no_name(corpora):
    def families(split):
        drawn = encyclopedia.names_of(0, split)
        return {(pool, name) for pool in ('family', 'town', 'title') for name in drawn[pool]}

    for one, other in (('train', 'dev'), ('train', 'test'), ('dev', 'test')):
        assert not families(one) & families(other)
        for language in LANGUAGES:
            passages = [{q.passage for q in corpora[split, language]} for split in (one, other)]
            assert not passages[0] & passages[1]


def test_the_tokenizer_has_the_shape_of_xlm_r(own_tokenizer):
    assert own_tokenizer.convert_tokens_to_ids(['<s>', '<pad>', '</s>', '<unk>']) == [0, 1, 2, 3]
    encoded = own_tokenizer('Who?', 'Velmora, 1876.')
    tokens = own_tokenizer.convert_ids_to_tokens(encoded['input_ids'])
    assert tokens[:5] == ['<s>', '▁Who', '?', '</s>', '</s>']
    assert tokens[-4:] == ['▁18', '76', '.', '</s>']
    assert [own_tokenizer.cls_token_id, own_tokenizer.pad_token_id] == [0, 1]
    assert [own_tokenizer.sep_token_id, own_tokenizer.unk_token_id] == [2, 3]


def test_the_vocabulary_has_the_asked_size(corpora, tmp_path):
    folder = encyclopedia.train_tokenizer(training(corpora), tmp_path / 'new', vocabulary=700)
    assert len(AutoTokenizer.from_pretrained(folder)) == 700


@pytest.mark.parametrize('language', LANGUAGES)
def test_unseen_text_survives_the_tokenizer(corpora, own_tokenizer, language):
    """Test passages decode to themselves, hold no unknown character and are of moderate length."""
    passages = sorted({question.passage for question in corpora['test', language]})
    encoded = own_tokenizer(passages, add_special_tokens=False)['input_ids']
    assert own_tokenizer.batch_decode(encoded, clean_up_tokenization_spaces=False) == passages
    assert not any(own_tokenizer.unk_token_id in ids for ids in encoded)
    assert 60 <= statistics.median(map(len, encoded)) <= 120


@pytest.mark.parametrize('language', LANGUAGES)
def test_answers_are_whole_tokens(corpora, own_tokenizer, language):
    """No answer begins or ends inside a token (its leading space aside)."""
    for question in corpora['train', language]:
        offsets = own_tokenizer(
            question.passage, add_special_tokens=False, return_offsets_mapping=True
        )['offset_mapping']
        start, text = question.answers[0]
        starts = {a + (question.passage[a] == ' ') for a, _ in offsets}
        assert start in starts, question.id
        assert start + len(text) in {b for _, b in offsets}, question.id
