"""The parted XQuAD: paragraphs and their translations on one side, ids joined."""

import json

import pytest

from benchmarks import xquad_split
from tests.conftest import squad_json, status_of
from xmrc_jax.configs.paper import LANGUAGES
from xmrc_jax.data import corpora, squad


def records(language):
    """Five paragraphs of two questions each, in another order in each language."""
    order = range(5) if language < 'f' else reversed(range(5))
    return [
        (f'id{number}{which}', f'{language} {number}: red and blue.', f'{which}?', 'blue')
        for number in order
        for which in 'ab'
    ]


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, 'CACHE', str(tmp_path / 'cache'))
    folder = tmp_path / 'data'
    (folder / 'xquad').mkdir(parents=True)
    for language in LANGUAGES:
        own = records(language)
        if language == 'hi':
            own.append(('stray', 'hi: red.', 'a?', 'red'))
        (folder / 'xquad' / f'xquad.{language}.json').write_text(json.dumps(squad_json(own)))
    return folder


def command(data, output, *words):
    argv = ['--data', str(data), '--output', str(output), *words]
    return status_of(lambda: xquad_split.main(argv))


def test_a_paragraph_and_its_translations_lie_on_one_side(data, tmp_path, capsys):
    assert command(data, tmp_path / 'out', '--train', '3') == 0
    ids = {}
    for part, paragraphs in (('train', 3), ('test', 2)):
        for language in LANGUAGES:
            questions = squad.read(tmp_path / 'out' / part / f'{language}.json').questions
            assert len({question.passage for question in questions}) == paragraphs
            assert all(question.passage.startswith(language) for question in questions)
            ids.setdefault(part, []).append({question.id for question in questions})
        assert all(own == ids[part][0] for own in ids[part])
    assert not ids['train'][0] & ids['test'][0]
    assert len(ids['train'][0] | ids['test'][0]) == 10
    said = capsys.readouterr().out.splitlines()
    assert 'hi: 6 train, 4 test questions, 1 without an English one' in said


def test_the_seed_draws_the_paragraphs(data, tmp_path):
    for name, seed in (('one', '1'), ('again', '1'), ('two', '2')):
        command(data, tmp_path / name, '--train', '3', '--seed', seed)
    one, again, two = (
        (tmp_path / name / 'train' / 'en.json').read_bytes() for name in ('one', 'again', 'two')
    )
    assert one == again != two


@pytest.mark.parametrize(
    ('words', 'line'),
    [(['--train', '5'], '--train=5: of 5 paragraphs'), (['--train', '0'], '--train=0: of 5')],
)
def test_nothing_to_test_or_train_on_is_refused(words, line, data, tmp_path, capsys):
    assert command(data, tmp_path / 'out', *words) == 2
    assert line in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_a_language_that_is_not_there_and_a_full_folder_are_refused(data, tmp_path, capsys):
    assert command(data, data, '--train', '3') == 2
    assert 'exists already' in capsys.readouterr().err
    (data / 'xquad' / 'xquad.vi.json').unlink()
    assert command(data, tmp_path / 'out', '--train', '3') == 2
    assert not (tmp_path / 'out').exists()
