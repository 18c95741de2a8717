"""The SQuAD reader and writer: four scripts, every defect, every broken file, real counts."""

import gzip
import hashlib
import json
import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmrc_jax.data import mending, squad
from xmrc_jax.ground.errors import UserError

PASSAGE = 'Ada Fenwick founded it in 1876.'
GOOD = {'text': '1876', 'answer_start': 26}


def record(id_='q1', answers=(GOOD,), **fields):
    return {'id': id_, 'question': 'When?', 'answers': list(answers)} | fields


def file_of(*qas, context=PASSAGE):
    return {'data': [{'title': 'Lanterns', 'paragraphs': [{'context': context, 'qas': [*qas]}]}]}


@pytest.fixture
def save(tmp_path):
    def save(content, name='some.json'):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return save


def test_every_script_is_read_with_its_languages_title_and_hash(squad_file):
    corpus = squad.read(squad_file, name='four', context_language='ar', question_language='hi')

    assert corpus.name == 'four'
    assert corpus.source == str(squad_file)
    assert corpus.sha256 == hashlib.sha256(squad_file.read_bytes()).hexdigest()
    assert corpus.drops == ()
    assert [question.id for question in corpus.questions] == [
        'latin',
        'arabic',
        'han',
        'devanagari',
    ]
    texts = ['September 1876', 'مدينة لشبونة', '艾达·芬威克', 'एडा फेनविक']
    for question, text in zip(corpus.questions, texts, strict=True):
        (answer,) = question.answers
        assert answer.text == text
        assert question.passage[answer.start :].startswith(text)
        assert question.title == 'Lanterns'
        assert (question.context_language, question.question_language) == ('ar', 'hi')


def test_unknown_keys_are_ignored_and_title_and_version_may_be_missing(save):
    file = file_of(record(offset_source='guess', is_impossible=False, plausible_answers=[]))
    del file['data'][0]['title']
    path = save(file | {'licence': 'CC'})

    corpus = squad.read(path)

    assert corpus.name == str(path)
    assert corpus.questions == (
        squad.Question('q1', 'When?', PASSAGE, (squad.Answer(26, '1876'),)),
    )


@pytest.mark.parametrize(
    ('text', 'start', 'expected'),
    [
        (' 1876', 25, (26, '1876')),
        ('it in ', 20, (20, 'it in')),
        (' in 1876', 22, (23, 'in 1876')),
        ('\u3000艾达\xa0', 31, (32, '艾达')),  # ideographic and no-break space
    ],
)
def test_white_space_at_the_edges_is_cut_and_the_start_moved(save, text, start, expected):
    file = file_of(
        record(answers=[{'text': text, 'answer_start': start}]), context=PASSAGE + '　艾达\xa0'
    )

    assert squad.read(save(file)).questions[0].answers == (expected,)


DEFECTS = [
    (record('bad', answers=[]), 'bad', 'no answers'),
    ({'id': 'bad', 'question': 'When?'}, 'bad', 'no answers'),
    (record('bad') | {'answers': None}, 'bad', 'no answers'),
    (record('bad') | {'answers': 7}, 'bad', 'answers are not a list'),
    (record('bad', answers=['1876']), 'bad', 'answer text missing or not text'),
    (record('bad', answers=[{'answer_start': 26}]), 'bad', 'answer text missing or not text'),
    (record('bad', answers=[GOOD | {'text': '\ud800'}]), 'bad', 'answer text missing or not text'),
    (record('bad', answers=[GOOD | {'text': ''}]), 'bad', 'empty answer'),
    (record('bad', answers=[{'text': ' ', 'answer_start': 3}]), 'bad', 'empty answer'),
    (
        record('bad', answers=[{'text': '1876'}]),
        'bad',
        'answer_start missing or not a whole number',
    ),
    (
        record('bad', answers=[GOOD | {'answer_start': 'twenty-six'}]),
        'bad',
        'answer_start missing or not a whole number',
    ),
    (
        # True == 1, and 'd' does stand at 1: only a check of the type refuses it.
        record('bad', answers=[{'text': 'd', 'answer_start': True}]),
        'bad',
        'answer_start missing or not a whole number',
    ),
    (record('bad', answers=[GOOD | {'text': '1876.!'}]), 'bad', mending.NOT_THERE),
    # 'e' stands twice; from the end, -3 would be one of them.
    (record('bad', answers=[{'text': 'e', 'answer_start': -27}]), 'bad', mending.AMBIGUOUS),
    (record('bad', answers=[{'text': 'e', 'answer_start': 31}]), 'bad', mending.AMBIGUOUS),
    (record('first'), 'first', 'duplicate id'),
    (
        {'question': 'When?', 'answers': [GOOD]},
        'data[0].paragraphs[0].qas[1]',
        'id missing or not text',
    ),
    (record(True), 'data[0].paragraphs[0].qas[1]', 'id missing or not text'),
    (record(7.5), 'data[0].paragraphs[0].qas[1]', 'id missing or not text'),
    (record(''), 'data[0].paragraphs[0].qas[1]', 'id missing or not text'),
    ('a string', 'data[0].paragraphs[0].qas[1]', 'not a JSON object'),
    ({'id': 'bad', 'answers': [GOOD]}, 'bad', 'question missing or not text'),
    (record('bad', question=None), 'bad', 'question missing or not text'),
    (record('bad', question=''), 'bad', 'question without visible text'),
    (record('bad', question='\u200b \n\ufeff'), 'bad', 'question without visible text'),
    (record('bad', answers=[{'text': '\u200b', 'answer_start': 0}]), 'bad', 'empty answer'),
]


@pytest.mark.parametrize(('defective', 'id_', 'reason'), DEFECTS)
def test_a_defective_record_is_dropped_by_name_and_its_neighbours_stay(
    save, defective, id_, reason
):
    path = save(file_of(record('first'), defective, record('last')))

    corpus = squad.read(path)

    assert [question.id for question in corpus.questions] == ['first', 'last']
    assert corpus.drops == (squad.Defect(id_, reason),)
    assert (corpus.records, corpus.mends) == (3, ())
    with pytest.raises(UserError) as error:
        squad.read(path, strict=True)
    assert str(error.value).startswith(f'{path}: 1 defective, first {id_!r}: {reason}')


def test_a_question_has_no_answer_where_its_file_is_one_of_squad_2(save):
    own = [
        record('asked'),
        record('none', answers=[], is_impossible=True),
        record('empty', answers=[], is_impossible=False),
        record('missing', is_impossible=True) | {'answers': None},
        record('answered', is_impossible=True),
        record('bad') | {'answers': 7},
    ]
    corpus = squad.read(save(file_of(*own)))
    golds = {question.id: len(question.answers) for question in corpus.questions}
    assert golds == {'asked': 1, 'none': 0, 'empty': 0, 'missing': 0, 'answered': 1}
    assert corpus.drops == (squad.Defect('bad', 'answers are not a list'),)
    assert (corpus.unanswerable, corpus.records) == (3, 6)


def test_what_has_no_answer_is_written_so_that_it_is_read_again(tmp_path):
    questions = (
        squad.Question('1', 'When?', PASSAGE, (squad.Answer(26, '1876'),)),
        squad.Question('2', 'Who?', PASSAGE, ()),
    )
    for written, version in ((questions, 'v2.0'), (questions[:1], '1.1')):
        squad.write(tmp_path / 'own.json', written)
        assert squad.read(tmp_path / 'own.json').questions == written
        assert json.loads((tmp_path / 'own.json').read_text())['version'] == version


@pytest.mark.parametrize(
    ('article', 'drop'),
    [
        (['a list'], squad.Defect('data[1]', "no list 'paragraphs'")),
        ({'id': 'q', 'context': PASSAGE}, squad.Defect('data[1]', "no list 'paragraphs'")),
        ({'paragraphs': ['text']}, squad.Defect('data[1].paragraphs[0]', "no list 'qas'")),
        ({'paragraphs': [{'qas': [record()]}]}, squad.Defect('q1', 'context missing or not text')),
        (
            {'paragraphs': [{'context': '\u200d', 'qas': [record()]}]},
            squad.Defect('q1', 'context without visible text'),
        ),
    ],
)
def test_an_article_of_another_shape_is_dropped_by_its_position(save, article, drop):
    file = file_of(record('first'))
    file['data'].append(article)

    corpus = squad.read(save(file))

    assert [question.id for question in corpus.questions] == ['first']
    assert corpus.drops == (drop,)


def test_valid_answers_are_kept_beside_a_defective_one_which_is_still_listed(save):
    elsewhere = {'text': 'Porto', 'answer_start': 3}
    path = save(file_of(record(answers=[elsewhere, GOOD, {'text': 'it', 'answer_start': 20}])))

    corpus = squad.read(path)

    assert corpus.questions[0].answers == ((26, '1876'), (20, 'it'))
    assert corpus.drops == ()
    cause = f'{mending.NOT_THERE} (its other answers are kept)'
    assert corpus.mends == (squad.Defect('q1', cause),)
    assert corpus.mends[0].golds == ('Porto', '1876', 'it')
    with pytest.raises(UserError, match='1 defective'):
        squad.read(path, strict=True)


MENDED = [
    (record(7), '7', mending.NUMBER_AS_ID),
    (record(answers=[GOOD | {'answer_start': '26'}]), 'q1', mending.TEXT_AS_START),
    (record(answers=[GOOD | {'answer_start': 26.0}]), 'q1', mending.TEXT_AS_START),
    (record(answers=[GOOD | {'answer_start': 25}]), 'q1', mending.MOVED),
    # From the end, -5 would slice '1876' out of the passage.
    (record(answers=[GOOD | {'answer_start': -5}]), 'q1', mending.MOVED),
    (record(answers=[GOOD | {'answer_start': 10**30}]), 'q1', mending.MOVED),
]


@pytest.mark.parametrize(('odd', 'id_', 'cause'), MENDED)
def test_what_needs_no_guess_is_mended_and_listed(save, odd, id_, cause):
    path = save(file_of(odd))

    corpus = squad.read(path)

    assert [(question.id, question.answers) for question in corpus.questions] == [
        (id_, ((26, '1876'),))
    ]
    assert (corpus.mends, corpus.drops) == ((squad.Defect(id_, cause),), ())
    with pytest.raises(UserError, match=f'1 defective, first {id_!r}: {cause}'):
        squad.read(path, strict=True)


def test_a_number_and_its_text_are_one_id(save):
    corpus = squad.read(save(file_of(record(7), record('7'))))
    assert corpus.drops == (squad.Defect('7', 'duplicate id'),)


FERRY = 'The ferry 🚢 leaves at nine from Quay 4, at ten from Quay 5.'


def asked(*answers, passage=FERRY, unit=mending.CHARACTERS):
    """Records that ask for texts of a passage, at their last place, counted in a unit."""
    before = [passage[: passage.rindex(text)] for text in answers]
    starts = [mending.UNITS[unit](each) for each in before]
    return [
        record(f'q{number}', [{'text': text, 'answer_start': start}])
        for number, (text, start) in enumerate(zip(answers, starts, strict=True))
    ]


@pytest.mark.parametrize(
    ('unit', 'passage'),
    [
        ('UTF-16 units', FERRY),
        ('UTF-8 bytes', FERRY),
        ('characters without \\r', FERRY.replace('🚢 ', '\r\n')),
        ('composed characters', FERRY.replace('🚢', 'n\u0303ata')),
    ],
)
def test_the_unit_of_most_records_is_named_and_used(save, unit, passage):
    # 'from' stands twice: only its offset tells which.
    records = asked('ferry', 'from', 'nine', passage=passage, unit=unit)
    astray = record('astray', [{'text': 'Quay 4', 'answer_start': 0}])
    lost = record('lost', [{'text': 'at', 'answer_start': 0}])

    corpus = squad.read(save(file_of(*records, astray, lost, context=passage)))

    texts = ['ferry', 'from', 'nine', 'Quay 4']
    starts = [passage.rindex(text) for text in texts]
    answers = [question.answers for question in corpus.questions]
    assert answers == [(each,) for each in zip(starts, texts, strict=True)]
    cause = f'answer_start counts {unit}'
    mends = [squad.Defect(id_, cause) for id_ in ('q1', 'q2')]  # for 'ferry' all units agree
    assert corpus.mends == (*mends, squad.Defect('astray', mending.MOVED))
    assert corpus.drops == (squad.Defect('lost', mending.AMBIGUOUS),)


def test_a_few_records_do_not_change_the_unit_of_the_others(save):
    records = [*asked('ferry', 'from', 'nine'), *asked('ten', unit='UTF-16 units')]
    records[-1]['id'] = 'ten'

    corpus = squad.read(save(file_of(*records, context=FERRY)))

    assert len(corpus.questions) == 4
    assert corpus.mends == (squad.Defect('ten', mending.MOVED),)


@pytest.mark.parametrize(('own', 'theirs'), [('NFC', 'NFD'), ('NFD', 'NFC')])
def test_an_answer_is_found_in_a_passage_of_another_normal_form(save, own, theirs):
    passage = unicodedata.normalize(theirs, 'El niño vive en Málaga.')
    start = passage.index('M')
    answer = {'text': unicodedata.normalize(own, 'Málaga'), 'answer_start': start}

    corpus = squad.read(save(file_of(record(answers=[answer]), context=passage)))

    text = unicodedata.normalize(theirs, 'Málaga')
    assert corpus.questions[0].answers == ((start, text),)
    assert corpus.mends == (squad.Defect('q1', mending.OTHER_FORM),)


def test_a_second_record_of_an_id_counts_when_the_first_was_dropped(save):
    corpus = squad.read(save(file_of(record('q1', answers=[]), record('q1'))))

    assert [question.id for question in corpus.questions] == ['q1']
    assert corpus.drops == (squad.Defect('q1', 'no answers'),)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'broken JSON'),
        (b'{"data": [', 'broken JSON'),
        (b'\xff\xfe\xfd', 'broken UTF-16'),
        (b'{"data": "\xe4"}', 'broken JSON'),
        (b'[' * 100_000, 'broken JSON'),
        (b'<html>Sign in</html>', 'broken JSON'),
        (gzip.compress(json.dumps(file_of(record())).encode(), mtime=0)[:-12], 'broken gzip'),
        (
            gzip.compress(json.dumps(file_of(record())).encode(), mtime=0)[:30] + b'?' * 90,
            'broken gzip',
        ),
        ([file_of(record())], 'not in SQuAD format'),
        ({'version': '1.1'}, 'not in SQuAD format'),
        ({'data': {'title': 'x'}}, 'not in SQuAD format'),
        ({'data': []}, 'holds no usable question (it is empty)'),
        (file_of(), 'holds no usable question (it is empty)'),
        (
            file_of(record(answers=[])),
            "holds no usable question (1 defective, first 'q1': no answers)",
        ),
    ],
)
def test_a_broken_file_is_refused_in_one_line_that_names_it(save, content, message):
    path = save(content)

    with pytest.raises(UserError) as error:
        squad.read(path)
    assert str(error.value).startswith(f'{path}: {message}')
    assert '\n' not in str(error.value)


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path):
    with pytest.raises(UserError, match=r'nowhere\.json: no such file$'):
        squad.read(tmp_path / 'nowhere.json')
    with pytest.raises(UserError, match=r'cannot be read: Is a directory$'):
        squad.read(tmp_path)


def test_compression_is_recognised_by_content_and_the_hash_is_of_the_bytes_on_disk(save):
    plain = json.dumps(file_of(record())).encode()
    packed = gzip.compress(plain)
    expected = squad.read(save(plain)).questions

    for content, name in ((packed, 'a.json.gz'), (packed, 'b.json'), (plain, 'c.json.gz')):
        corpus = squad.read(save(content, name))
        assert corpus.questions == expected
        assert corpus.sha256 == hashlib.sha256(content).hexdigest()


def test_a_byte_order_mark_is_no_part_of_the_json(save):
    path = save(json.dumps(file_of(record())).encode('utf-8-sig'))

    assert squad.read(path).questions[0].id == 'q1'


TEXT = st.text(st.characters(exclude_categories=['Cs']), max_size=30)


VISIBLE = TEXT.filter(mending.is_visible)


@given(title=TEXT, question=VISIBLE, left=TEXT, answer=VISIBLE, right=TEXT)
def test_write_then_read_gives_the_questions_with_their_answers_stripped(
    tmp_path_factory, title, question, left, answer, right
):
    path = tmp_path_factory.mktemp('written') / 'one.json.gz'
    written = squad.Question(
        'q1', question, left + answer + right, (squad.Answer(len(left), answer),), title
    )

    squad.write(path, [written])
    (back,) = squad.read(path, strict=True).questions

    assert (back.text, back.passage, back.title) == (question, left + answer + right, title)
    ((start, text),) = back.answers
    assert text == answer.strip()
    assert back.passage[start : start + len(text)] == text
    # Only white space was skipped, and it was the answer's own.
    assert back.passage[len(left) : start].strip() == ''
    assert start >= len(left)


def test_write_groups_by_title_and_passage_and_repeats_its_bytes(tmp_path):
    def question(id_, title, passage):
        return squad.Question(id_, 'When?', passage, (squad.Answer(0, 'A'),), title)

    rows = [question('1', 'S', 'A.'), question('2', 'T', 'A.'), question('3', 'S', 'A.')]
    first, second = tmp_path / 'new' / 'a.json.gz', tmp_path / 'b.json.gz'
    squad.write(first, rows)
    squad.write(second, rows)

    assert first.read_bytes() == second.read_bytes()
    articles = json.loads(gzip.decompress(first.read_bytes()))['data']
    ids = [
        (article['title'], [[qa['id'] for qa in p['qas']] for p in article['paragraphs']])
        for article in articles
    ]
    assert ids == [('S', [['1', '3']]), ('T', [['2']])]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / 'kept.json'
    path.write_text('old')

    def full(source, target):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises(UserError, match=r'kept\.json: cannot be written: No space left on device$'):
        squad.write(path, [])
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['kept.json']


def test_a_write_below_a_file_is_refused_by_name(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='cannot be written'):
        squad.write(tmp_path / 'file' / 'a.json', [])


# Counts of data/README.md and docs of the data sets.
@pytest.mark.parametrize(
    ('file', 'questions'),
    [
        ('squad/dev-v1.1.json', 10_570),
        ('mlqa/dev/dev-context-en-question-en.json', 1_148),
        ('mlqa/dev/dev-context-zh-question-zh.json', 504),
        ('xquad/xquad.ar.json', 1_190),
        ('xquad/xquad.es.json', 1_190),
    ],
)
def test_real_files_are_read_whole(real_data, file, questions):
    corpus = squad.read(real_data / file, strict=True)

    assert len(corpus.questions) == questions


def test_squad_train_is_read_whole_and_its_texts_are_the_files_own(real_data):
    path = real_data / 'squad/train-v1.1.json'
    corpus = squad.read(path, strict=True)

    assert len(corpus.questions) == 87_599
    raw = {
        record['id']: record
        for article in json.loads(path.read_bytes())['data']
        for paragraph in article['paragraphs']
        for record in paragraph['qas']
    }
    for question in corpus.questions:
        start, text = question.answers[0]
        assert question.passage[start : start + len(text)] == text
        assert text == raw[question.id]['answers'][0]['text']  # none has white space at an edge
        assert question.text == raw[question.id]['question']
    # White space at the edges of questions, unlike that of answers, is left to the windows.
    assert sum(question.text != question.text.strip() for question in corpus.questions) == 3_054
