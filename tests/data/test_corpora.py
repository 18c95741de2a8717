"""Names to corpora: folders, recorded hub rows, archives (a hostile one too), clear refusals."""

import dataclasses
import gzip
import io
import json
import os
import sys
import tarfile
import zipfile

import datasets
import pytest
from huggingface_hub import constants

from xmrc_jax.data import corpora, families, mending, squad
from xmrc_jax.ground.errors import UserError

PASSAGE = 'Ada Fenwick founded it in 1876.'


def squad_bytes(*ids, passage=PASSAGE):
    """SQuAD JSON whose questions all ask for the first three characters of the passage."""
    answers = [{'text': passage[:3], 'answer_start': 0}]
    qas = [{'id': id_, 'question': 'Who?', 'answers': answers} for id_ in ids]
    data = [{'title': 'T', 'paragraphs': [{'context': passage, 'qas': qas}]}]
    return json.dumps({'data': data}).encode()


@pytest.fixture
def root(tmp_path):
    (tmp_path / 'data').mkdir()
    return tmp_path / 'data'


@pytest.fixture
def cache(tmp_path):
    return tmp_path / 'cache'


@pytest.fixture
def put(root):
    def put(name, content):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return put


@pytest.fixture
def hub(monkeypatch):
    """A hub that holds the tables put into ``hub.tables`` and records what it is asked for."""

    class FakeHub:
        def __init__(self):
            self.tables, self.asked = {}, []

        def load_dataset(self, repo, **request):
            config = request.pop('name', None) or request.pop('data_dir')
            self.asked.append((repo, config, request['split'], request['revision']))
            assert set(request) == {'split', 'revision'}  # no remote code, no other option
            if (repo, config) not in self.tables:
                kind = RuntimeError if repo == 'facebook/mlqa' else ConnectionError
                raise kind(f'Cannot reach {repo}\nTraceback: many more lines')
            return self.tables[repo, config]

    fake = FakeHub()
    monkeypatch.setattr(datasets, 'load_dataset', fake.load_dataset)
    return fake


def rows(*ids, title=True):
    """Rows as the hub serves them; the second answer of each is not at its offset."""
    columns = {
        'id': [*ids],
        'context': [PASSAGE for _ in ids],
        'question': ['Who?' for _ in ids],
        'answers': [{'text': ['Ada', 'Bo'], 'answer_start': [0, 5]} for _ in ids],
    }
    return datasets.Dataset.from_dict(columns | ({'title': ['T' for _ in ids]} if title else {}))


def archived(monkeypatch, name, url, member=''):
    """Leaves one family with nothing but the archive at ``url``, which may be downloaded."""
    family = families.FAMILIES[name]
    source = family.sources[-1]
    changed = source._replace(url=url, member=member or source.member)
    monkeypatch.setitem(families.FAMILIES, name, dataclasses.replace(family, sources=(changed,)))
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', False)


@pytest.mark.parametrize('end', ['', '.gz'])
@pytest.mark.parametrize(
    ('spec', 'file', 'languages'),
    [
        ('squad/train', 'squad/train-v1.1.json', ('en', 'en')),
        ('squad/dev', 'squad/dev-v1.1.json', ('en', 'en')),
        ('squad2/train', 'squad2/train-v2.0.json', ('en', 'en')),
        ('mlqa/dev/es', 'mlqa/dev/dev-context-es-question-es.json', ('es', 'es')),
        ('mlqa/test/es-hi', 'mlqa/test/test-context-es-question-hi.json', ('es', 'hi')),
        ('mlqa/test/zh-en', 'MLQA_V1/test/test-context-zh-question-en.json', ('zh', 'en')),
        ('xquad/test/el', 'xquad/xquad.el.json', ('el', 'el')),
        (
            'mlqa_translate_train/train/de',
            'mlqa-translate-train/de_squad-translate-train-train-v1.1.json',
            ('de', 'de'),
        ),
        (
            'mlqa_translate_train/dev/vi',
            'mlqa_translate_train/vi_squad-translate-train-dev-v1.1.json',
            ('vi', 'vi'),
        ),
        (
            'mlqa_translate_train/train/hi',
            'mlqa-translate-train/squad.translate.train.en-hi.json',
            ('hi', 'hi'),
        ),
        ('mlqa_translate_train/train/en', 'squad/train-v1.1.json', ('en', 'en')),
        ('mlqa_translate_train/dev/en', 'squad/dev-v1.1.json', ('en', 'en')),
        ('encyclopedia/test/ar', 'encyclopedia/test.ar.json', ('ar', 'ar')),
        (
            'tydiqa/train/en',
            'tydiqa/tydiqa-goldp-v1.1-train/tydiqa.goldp.en.train.json',
            ('en', 'en'),
        ),
        (
            'tydiqa/dev/sw',
            'tydiqa/tydiqa-goldp-v1.1-dev/tydiqa-goldp-dev-swahili.json',
            ('sw', 'sw'),
        ),
    ],
)
def test_a_name_finds_its_file_in_the_data_folder(root, cache, put, spec, file, languages, end):
    content = squad_bytes('q1')
    path = put(file + end, gzip.compress(content) if end else content)

    corpus = corpora.load(spec, root=root, cache=cache)

    assert corpus.name == spec
    assert corpus.source == str(path)
    assert (corpus.context_language, corpus.question_language) == languages
    (question,) = corpus.questions
    assert (question.context_language, question.question_language) == languages
    assert not cache.exists()


@pytest.mark.parametrize(
    ('end', 'languages'),
    [
        ('', ('en', 'en')),
        ('@es', ('es', 'es')),
        ('@ar-vi', ('ar', 'vi')),
        ('@pt-BR', ('pt-BR', 'pt-BR')),
        ('@pt-BR:en', ('pt-BR', 'en')),
    ],
)
@pytest.mark.parametrize('file', ['my@home/own.json', 'own.json.gz'])
def test_a_path_is_a_corpus_with_an_optional_language(put, cache, file, end, languages):
    path = put(file, squad_bytes('q1'))

    corpus = corpora.load(f'{path}{end}', root=None, cache=cache)

    assert corpus.source == str(path)
    assert (corpus.context_language, corpus.question_language) == languages


@pytest.mark.parametrize(
    ('end', 'metric'),
    [('', 'mlqa'), ('@de:fr', 'mlqa'), ('@fr:de', 'squad'), ('@tr', 'squad')]
    + [('@zh-TW', 'mlqa'), ('@pt-BR', 'squad')],
)
def test_the_metric_of_a_file_is_that_of_its_passages_language(put, cache, end, metric):
    path = put('own.json', squad_bytes('q1'))
    assert corpora.load(f'{path}{end}', root=None, cache=cache).metric == metric


@pytest.mark.parametrize(('end', 'metric'), [('', 'squad2'), ('@en-GB', 'squad2'), ('@es', 'mlqa')])
def test_a_file_with_questions_that_have_no_answer_has_the_metric_for_it(root, cache, end, metric):
    questions = [
        squad.Question('1', 'Who?', PASSAGE, ()),
        squad.Question('2', 'Who?', PASSAGE, (squad.Answer(0, 'Ada'),)),
    ]
    squad.write(root / 'own.json', questions)
    corpus = corpora.load(f'{root}/own.json{end}', root=None, cache=cache)
    assert (corpus.metric, corpus.unanswerable) == (metric, 1)


def test_what_has_no_answer_comes_from_the_hub_too(cache, hub):
    table = rows('asked', 'none').to_list()
    table[1]['answers'] = {'text': [], 'answer_start': []}
    hub.tables['rajpurkar/squad_v2', 'squad_v2'] = datasets.Dataset.from_list(table)
    corpus = corpora.load('squad2/train', root=None, cache=cache)
    assert [len(question.answers) for question in corpus.questions] == [1, 0]
    assert corpus.metric == 'squad2'


def test_the_real_half_of_squad_2_dev_is_kept_whole(real_data, cache):
    corpus = corpora.load(str(real_data / 'squad2/dev-part-v2.0.json'), root=None, cache=cache)
    # Counts of data/README.md.
    assert (len(corpus.questions), corpus.unanswerable, corpus.metric) == (6_078, 3_168, 'squad2')
    assert (corpus.drops, corpus.mends) == ((), ())


@pytest.mark.parametrize(
    ('spec', 'message'),
    [
        ('sqaud/train', "no corpus 'sqaud'; did you mean 'squad'? choose from squad, squad2, mlqa"),
        ('', "no corpus ''; choose from squad, squad2, mlqa"),
        ('mlqa', 'write mlqa/{dev,test}/{ar,de,en,es,hi,vi,zh} or a pair such as es-en'),
        ('mlqa/dev', 'write mlqa/{dev,test}/'),
        ('mlqa/dev/en/', 'write mlqa/{dev,test}/'),
        ('mlqa/tset/en', "no split 'tset'; did you mean 'test'? choose from dev, test"),
        ('mlqa/train/en', "no split 'train'"),
        ('mlqa/dev/fr', "no language 'fr'; choose from ar, de, en, es, hi, vi, zh"),
        ('mlqa/dev/en-fr', "no language 'fr'"),
        ('mlqa/dev/en-', "no language ''"),
        ('mlqa/dev/en-es-de', "no language 'es-de'"),
        ('xquad/test/es-en', "no language 'es-en'"),
        ('squad/train/en', 'write squad/{train,dev}'),
        ('squad_dev_minus_xquad/dev', 'write squad_dev_minus_xquad'),
        ('some.json@spanish', "no language 'spanish'"),
        ('some.json@', "no language ''"),
        ('some.json@pt-br', "some.json@pt-br: 'pt-br' may be a language with a region"),
        ('some.json', 'some.json: no such file'),
    ],
)
def test_a_wrong_name_is_refused_in_one_line_with_the_choices(root, cache, spec, message):
    with pytest.raises(UserError) as error:
        corpora.load(spec, root=root, cache=cache)
    assert message in str(error.value)
    assert '\n' not in str(error.value)


def test_a_data_folder_that_is_not_there_is_refused_rather_than_passed_over(tmp_path, cache, hub):
    with pytest.raises(UserError, match='typo: no such data folder'):
        corpora.load('squad/dev', root=tmp_path / 'typo', cache=cache)
    assert hub.asked == []


def test_strict_reaches_the_reader(root, cache, put):
    put('squad/dev-v1.1.json', squad_bytes('q1', 'q1'))

    assert len(corpora.load('squad/dev', root=root, cache=cache).drops) == 1
    with pytest.raises(UserError, match='duplicate id'):
        corpora.load('squad/dev', root=root, cache=cache, strict=True)


def test_hub_rows_become_a_file_that_is_checked_and_read_from_then_on(root, cache, hub):
    hub.tables['google/xtreme', 'MLQA.es.hi'] = rows('q1', 'q2')

    first = corpora.load('mlqa/dev/es-hi', root=root, cache=cache)
    again = corpora.load('mlqa/dev/es-hi', root=None, cache=cache)

    assert hub.asked == [('google/xtreme', 'MLQA.es.hi', 'validation', 'main')]
    assert first == again
    assert first.source == str(cache / 'hub/google/xtreme/MLQA.es.hi/validation.json')
    assert [q.id for q in first.questions] == ['q1', 'q2']
    question = first.questions[0]
    assert (question.passage, question.title, question.answers) == (PASSAGE, 'T', ((0, 'Ada'),))
    assert (question.context_language, question.question_language) == ('es', 'hi')
    # The hub's rows go through the same check as any file's.
    assert {mend.reason for mend in first.mends} == {
        f'{mending.NOT_THERE} (its other answers are kept)'
    }
    with pytest.raises(UserError, match='2 defective'):
        corpora.load('mlqa/dev/es-hi', root=None, cache=cache, strict=True)
    assert corpora.load('mlqa/dev/es-hi', root=None, cache=cache) == first


def test_of_a_table_of_many_languages_one_is_taken(cache, hub):
    hub.tables['google/xtreme', 'tydiqa'] = rows('finnish-1', 'korean-1', 'finnish-2')
    found = corpora.load('tydiqa/dev/fi', root=None, cache=cache)
    assert [question.id for question in found.questions] == ['finnish-1', 'finnish-2']
    other = corpora.load('tydiqa/dev/ko', root=None, cache=cache)
    assert [question.id for question in other.questions] == ['korean-1']
    assert (other.context_language, other.metric) == ('ko', 'squad')
    with pytest.raises(UserError, match=r"no language 'de'; .*choose from ar, bn, en, fi, id, ko"):
        corpora.load('tydiqa/dev/de', root=None, cache=cache)


@pytest.mark.parametrize(
    ('spec', 'asked'),
    [
        ('squad/train', [('rajpurkar/squad', 'plain_text', 'train', 'main')]),
        ('squad/dev', [('rajpurkar/squad', 'plain_text', 'validation', 'main')]),
        ('squad2/dev', [('rajpurkar/squad_v2', 'squad_v2', 'validation', 'main')]),
        ('xquad/test/ro', [('google/xquad', 'xquad.ro', 'validation', 'main')]),
        (
            'mlqa/test/ar',
            [
                ('google/xtreme', 'MLQA.ar.ar', 'test', 'main'),
                ('facebook/mlqa', 'mlqa.ar.ar', 'test', 'refs/convert/parquet'),
            ],
        ),
        (
            'mlqa_translate_train/dev/zh',
            [('facebook/mlqa', 'mlqa-translate-train.zh', 'validation', 'refs/convert/parquet')],
        ),
    ],
)
def test_each_corpus_asks_the_hub_for_its_own_table_and_falls_back(cache, hub, spec, asked):
    hub.tables[asked[-1][:2]] = rows('q1', title=False)

    corpus = corpora.load(spec, root=None, cache=cache)

    assert hub.asked == asked
    assert corpus.questions[0].title == ''


def test_the_convert_branch_is_read_by_folder_with_the_real_library(tmp_path, cache, monkeypatch):
    # On that branch configurations are folders: {config}/{split}/0000.parquet, and no card.
    for folder, id_ in (
        ('mlqa-translate-train.de/train', 'de-train'),
        ('mlqa-translate-train.de/validation', 'de-dev'),
        ('mlqa-translate-train.es/train', 'es-train'),
    ):
        (tmp_path / 'repo' / folder).mkdir(parents=True)
        rows(id_).to_parquet(tmp_path / 'repo' / folder / '0000.parquet')
    monkeypatch.setattr(datasets.config, 'HF_DATASETS_CACHE', tmp_path / 'library')
    family = families.FAMILIES['mlqa_translate_train']
    local = family.sources[0]._replace(repo=str(tmp_path / 'repo'))
    changed = dataclasses.replace(family, sources=(local,))
    monkeypatch.setitem(families.FAMILIES, 'mlqa_translate_train', changed)

    for split, id_ in (('train', 'de-train'), ('dev', 'de-dev')):
        corpus = corpora.load(f'mlqa_translate_train/{split}/de', root=None, cache=cache)
        assert [question.id for question in corpus.questions] == [id_]


def test_a_table_without_the_columns_is_passed_over_by_name(cache, hub):
    hub.tables['google/xquad', 'xquad.es'] = rows('q1').remove_columns('answers')

    with pytest.raises(UserError, match=r"google/xquad xquad\.es: no columns \['answers'\]"):
        corpora.load('xquad/test/es', root=None, cache=cache)


def test_offline_one_line_names_every_place_and_the_way_out(root, cache, hub):
    with pytest.raises(UserError) as error:
        corpora.load('mlqa/test/es-en', root=root, cache=cache)

    line = str(error.value)
    assert '\n' not in line
    for part in (
        "corpus 'mlqa/test/es-en' not found",
        'mlqa/test/test-context-es-question-en.json',
        str(root),
        'hub google/xtreme MLQA.es.en: Cannot reach google/xtreme Traceback: many more lines;',
        'hub facebook/mlqa mlqa.es.en',
        'MLQA_V1.zip: not downloaded, as HF_HUB_OFFLINE is set',
        'XMRC_DATA',
        'https://github.com/facebookresearch/MLQA',
    ):
        assert part in line
    assert not cache.exists()


def mlqa_zip(path, members):
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def tar_gz(path, members):
    """A tar file of regular files (bytes) and symbolic links (str targets)."""
    with tarfile.open(path, 'w:gz') as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if not path.is_dir())


def test_one_downloaded_zip_serves_every_corpus_in_it(tmp_path, cache, monkeypatch):
    official = tmp_path / 'server' / 'MLQA_V1.zip'
    official.parent.mkdir()
    member = 'MLQA_V1/dev/dev-context-{}-question-{}.json'
    mlqa_zip(
        official,
        {
            member.format('es', 'es'): squad_bytes('es'),
            member.format('es', 'hi'): squad_bytes('es-hi'),
            '../../escaped.json': b'{}',
        },
    )
    archived(monkeypatch, 'mlqa', official.as_uri())

    first = corpora.load('mlqa/dev/es', root=None, cache=cache)
    official.unlink()
    second = corpora.load('mlqa/dev/es-hi', root=None, cache=cache)

    assert [first.questions[0].id, second.questions[0].id] == ['es', 'es-hi']
    assert files_below(tmp_path) == [
        'cache/archive/MLQA_V1.zip',
        'cache/archive/MLQA_V1/dev/dev-context-es-question-es.json',
        'cache/archive/MLQA_V1/dev/dev-context-es-question-hi.json',
    ]
    with pytest.raises(UserError, match=r'holds no MLQA_V1/dev/dev-context-de-question-de\.json'):
        corpora.load('mlqa/dev/de', root=None, cache=cache)


def test_an_archive_in_the_data_folder_is_read_with_no_network_and_not_copied(root, cache, hub):
    tar_gz(
        root / 'mlqa-translate-train.tar.gz',
        {'mlqa-translate-train/de_squad-translate-train-train-v1.1.json': squad_bytes('de')},
    )

    corpus = corpora.load('mlqa_translate_train/train/de', root=root, cache=cache)

    assert constants.HF_HUB_OFFLINE
    assert corpus.questions[0].id == 'de'
    assert files_below(cache) == [
        'archive/mlqa-translate-train/de_squad-translate-train-train-v1.1.json'
    ]


def test_nothing_of_a_hostile_archive_but_the_wanted_file_reaches_the_disk(root, cache, hub):
    wanted = 'mlqa-translate-train/{}_squad-translate-train-train-v1.1.json'
    secret = root.parent / 'secret.json'
    secret.write_bytes(squad_bytes('secret'))
    tar_gz(
        root / 'mlqa-translate-train.tar.gz',
        {
            '../escaped.json': b'{}',
            str(root.parent / 'absolute.json'): b'{}',
            'mlqa-translate-train': str(root.parent),
            wanted.format('es'): str(secret),
            wanted.format('de'): squad_bytes('de'),
        },
    )

    assert corpora.load('mlqa_translate_train/train/de', root=root, cache=cache).questions
    with pytest.raises(
        UserError, match=r'es_squad-translate-train-train-v1\.1\.json is not a regular'
    ):
        corpora.load('mlqa_translate_train/train/es', root=root, cache=cache)
    assert files_below(root.parent) == [
        f'cache/archive/{wanted.format("de")}',
        'data/mlqa-translate-train.tar.gz',
        'secret.json',
    ]


ZIP = ('mlqa/dev/es', 'MLQA_V1.zip')
TAR = ('mlqa_translate_train/train/de', 'mlqa-translate-train.tar.gz')


@pytest.mark.parametrize(
    ('spec', 'name', 'damage'),
    [
        *((*kind, lambda content: b'') for kind in (ZIP, TAR)),
        *((*kind, lambda content: content[:100]) for kind in (ZIP, TAR)),
        *((*kind, lambda content: content[:-30]) for kind in (ZIP, TAR)),
        (*ZIP, lambda content: content.replace(b'"data"', b'"dada"')),  # stored uncompressed
    ],
)
def test_a_broken_archive_is_named_with_what_to_do(root, cache, hub, spec, name, damage):
    noise = b'{"data": "%s"}' % os.urandom(4000).hex().encode()
    make = mlqa_zip if name.endswith('zip') else tar_gz
    make(
        root / name,
        {
            'MLQA_V1/dev/dev-context-es-question-es.json': noise,
            'mlqa-translate-train/de_squad-translate-train-train-v1.1.json': noise,
        },
    )
    (root / name).write_bytes(damage((root / name).read_bytes()))

    with pytest.raises(UserError) as error:
        corpora.load(spec, root=root, cache=cache)
    assert f'{root / name}: broken archive, delete it' in ' '.join(str(error.value).split())
    assert not cache.exists()


def test_a_plain_download_is_checked_before_it_is_kept(tmp_path, cache, monkeypatch):
    portal = tmp_path / 'xquad.es.json'
    portal.write_text('<html>Sign in to this network</html>')
    archived(monkeypatch, 'xquad', portal.as_uri())

    with pytest.raises(UserError, match='broken JSON'):
        corpora.load('xquad/test/es', root=None, cache=cache)
    assert files_below(cache) == []

    portal.write_bytes(squad_bytes('q1'))
    corpus = corpora.load('xquad/test/es', root=None, cache=cache)
    assert corpus.source == str(cache / 'archive/xquad.es.json')


def test_a_download_that_breaks_off_is_not_kept(tmp_path, cache, monkeypatch):
    class Response(io.BytesIO):
        headers = {'Content-Length': '1000'}  # noqa: RUF012

    monkeypatch.setattr(
        families.urllib.request, 'urlopen', lambda url, timeout: Response(squad_bytes('q1'))
    )
    archived(monkeypatch, 'xquad', 'https://example.org/xquad.es.json')

    message = rf'broke off after {len(squad_bytes("q1"))} of 1000 bytes'
    with pytest.raises(UserError, match=message):
        corpora.load('xquad/test/es', root=None, cache=cache)
    assert files_below(cache) == []


def test_a_missing_download_and_a_cache_that_cannot_be_written_are_one_line(
    tmp_path, cache, monkeypatch
):
    archived(monkeypatch, 'xquad', (tmp_path / 'xquad.es.json').as_uri())
    with pytest.raises(UserError, match='No such file'):
        corpora.load('xquad/test/es', root=None, cache=cache)

    (tmp_path / 'xquad.es.json').write_bytes(squad_bytes('q1'))
    cache.write_text('a file, not a folder')
    with pytest.raises(UserError, match="corpus 'xquad/test/es' not found") as error:
        corpora.load('xquad/test/es', root=None, cache=cache)
    assert str(cache) in str(error.value)


def test_squad_dev_minus_xquad_leaves_out_whole_passages_by_text_or_by_id(root, cache, put):
    def questions(*records):
        return [
            squad.Question(id_, 'Who?', passage, (squad.Answer(0, passage[:3]),))
            for id_, passage in records
        ]

    held_out = questions(('renamed', 'Ada one.'), ('x2', 'Ada two, edited.'))
    squad.write(root / 'xquad/xquad.en.json', held_out)
    # One passage is told by its text alone, the other by x2 alone; all their questions go.
    dev = questions(('x1', 'Ada one.'), ('a', 'Ada one.'), ('x2', 'Ada two.'), ('b', 'Ada two.'))
    squad.write(root / 'squad/dev-v1.1.json', [*dev, *questions(('c', 'Ada three.'))])

    corpus = corpora.load('squad_dev_minus_xquad', root=root, cache=cache)

    assert corpus.name == 'squad_dev_minus_xquad'
    assert [question.id for question in corpus.questions] == ['c']
    assert 'squad/dev-v1.1.json minus the passages of' in corpus.source
    hashes = {
        corpora.load(spec, root=root, cache=cache).sha256 for spec in ('squad/dev', 'xquad/test/en')
    }
    assert corpus.sha256 not in hashes
    squad.write(root / 'xquad/xquad.en.json', held_out[:1])
    assert corpora.load('squad_dev_minus_xquad', root=root, cache=cache).sha256 != corpus.sha256

    squad.write(root / 'squad/dev-v1.1.json', dev[:2])
    with pytest.raises(UserError, match='holds no question outside'):
        corpora.load('squad_dev_minus_xquad', root=root, cache=cache)


def test_squad_dev_minus_xquad_on_the_real_files(real_data, cache):
    corpus = corpora.load('squad_dev_minus_xquad', root=real_data, cache=cache)

    assert len(corpus.questions) == 9_380
    left = {question.passage for question in corpus.questions}
    xquad = corpora.load('xquad/test/en', root=real_data, cache=cache)
    assert not left & {question.passage for question in xquad.questions}


def test_the_real_mlqa_dev_pairs_load_by_name(real_data, cache):
    # Same-language counts of data/README.md; a pair has what the rarer language has.
    for spec, count in (('en', 1_148), ('ar', 517), ('de', 512), ('hi', 507), ('vi', 511)):
        assert len(corpora.load(f'mlqa/dev/{spec}', root=real_data, cache=cache).questions) == count


def test_the_manifest_counts_and_names_a_bounded_number_of_drops(root, cache, put):
    content = json.loads(squad_bytes('q1', 'q2', *['q1'] * 7))
    content['data'].append({'paragraphs': [{'context': 'Ada.', 'qas': [{'id': 'q3'}]}]})
    put('xquad/xquad.es.json', json.dumps(content).encode())
    corpus = corpora.load('xquad/test/es', root=root, cache=cache)

    assert json.loads(json.dumps(corpora.manifest([corpus]))) == {
        'xquad/test/es': {
            'source': corpus.source,
            'sha256': corpus.sha256,
            'context_language': 'es',
            'question_language': 'es',
            'questions': 2,
            'passages': 1,
            'drops': {
                'duplicate id': {'count': 7, 'first_ids': ['q1'] * 5},
                'question missing or not text': {'count': 1, 'first_ids': ['q3']},
            },
            'mends': {},
        }
    }


def test_a_translation_is_joined_with_what_it_translates(root, cache, put):
    put('squad/train-v1.1.json', squad_bytes('q1', 'q2', 'q3'))
    put('mlqa-translate-train/squad.translate.train.en-de.json', squad_bytes('q3', 'q9', 'q1'))
    names = 'squad/train', 'mlqa_translate_train/train/de'
    squad, translated = (corpora.load(each, root=root, cache=cache) for each in names)
    corpus = corpora.joined(translated, squad)
    assert [question.id for question in corpus.questions] == ['q3', 'q1']
    (drops,) = corpora.manifest([corpus]).values()
    assert drops['drops'] == {'id not in squad/train': {'count': 1, 'first_ids': ['q9']}}
    with pytest.raises(
        UserError, match="1 of 3 questions have an id not in squad/train, first 'q9'"
    ):
        corpora.joined(translated, squad, strict=True)


def test_no_translation_of_it_at_all_is_refused(root, cache, put):
    put('squad/train-v1.1.json', squad_bytes('q1'))
    put('own.json', squad_bytes('q9'))
    own = corpora.load(str(root / 'own.json'), root=root, cache=cache)
    with pytest.raises(UserError, match='1 of 1 questions have an id not in squad/train'):
        corpora.joined(own, corpora.load('squad/train', root=root, cache=cache))


@pytest.mark.parametrize(
    ('spec', 'original'),
    [
        ('mlqa_translate_train/train/de', 'squad/train'),
        ('mlqa_translate_train/dev/vi', 'squad/dev'),
        ('mlqa_translate_train/train/en', ''),  # is SQuAD itself
        ('squad/train', ''),
        ('mlqa/dev/de', ''),
        ('mlqa_translate_train/train.json@de', ''),  # a file of the user's own
    ],
)
def test_what_a_corpus_is_a_translation_of(spec, original):
    assert corpora.original(spec) == original


def test_data_imports_no_jax():
    import subprocess

    code = 'import sys, xmrc_jax.data.corpora; sys.exit("jax" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
