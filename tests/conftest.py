"""Shared fixtures: eight simulated devices, a strict JAX, tiny text in three scripts."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import jax
import pytest

from xmrc_jax.ground.commands import command

jax.config.update('jax_num_cpu_devices', 8)
jax.config.update('jax_numpy_rank_promotion', 'raise')
# Compiling takes most of the time of these tests, and running next to none.
jax.config.update('jax_disable_most_optimizations', True)
jax.config.update('jax_compilation_cache_dir', str(Path(tempfile.gettempdir(), 'xmrc_jax_tests')))
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.3)
os.environ['HF_HUB_OFFLINE'] = '1'  # no test may depend on a network

# (id, passage, question, answer, language): Latin, Arabic, Han and Devanagari script.
RECORDS = (
    (
        'latin',
        'The Lantern Society was founded in September 1876 by Ada Fenwick, and refounded in 1876.',
        'When was the Lantern Society founded?',
        'September 1876',
        'en',
    ),
    (
        'arabic',
        'تأسست جمعية الفانوس في سبتمبر 1876 على يد آدا فينويك في مدينة لشبونة.',
        'أين تأسست جمعية الفانوس؟',
        'مدينة لشبونة',
        'ar',
    ),
    (
        'han',
        '灯笼协会由艾达·芬威克于1876年9月在里斯本创立。',
        '灯笼协会是谁创立的?',
        '艾达·芬威克',
        'zh',
    ),
    (
        'devanagari',
        'लालटेन समाज की स्थापना सितंबर 1876 में एडा फेनविक ने लिस्बन में की थी।',
        'लालटेन समाज की स्थापना किसने की?',
        'एडा फेनविक',
        'hi',
    ),
)


def squad_json(records) -> dict:
    """SQuAD-format JSON of (id, passage, question, answer, ...) records, one paragraph each."""
    paragraphs = [
        {
            'context': passage,
            'qas': [
                {
                    'id': id_,
                    'question': question,
                    'answers': [{'text': answer, 'answer_start': passage.index(answer)}],
                }
            ],
        }
        for id_, passage, question, answer, *_ in records
    ]
    return {'version': '1.1', 'data': [{'title': 'Lanterns', 'paragraphs': paragraphs}]}


def status_of(body) -> int:
    """The exit status of a command's body."""
    try:
        command(body)
    except SystemExit as ended:
        return ended.code
    return 0


@pytest.fixture
def key() -> jax.Array:
    return jax.random.key(0)


@pytest.fixture
def compilations():
    """What XLA compiles, or fetches compiled, from here on, one entry each."""
    from jax import monitoring

    events = []

    def heard(event, seconds, **_):
        if event == '/jax/core/compile/backend_compile_duration':
            events.append(event)

    monitoring.register_event_duration_secs_listener(heard)
    jax.jit(lambda number: number * len(events))(1.0)
    assert events  # it is heard
    events.clear()
    yield events
    monitoring.unregister_event_duration_listener(heard)


@pytest.fixture
def squad_file(tmp_path) -> Path:
    """A four-question SQuAD file in Latin, Arabic, Han and Devanagari script."""
    path = tmp_path / 'four.json'
    path.write_text(json.dumps(squad_json(RECORDS), ensure_ascii=False), encoding='utf-8')
    return path


@pytest.fixture(scope='session')
def tokenizer(tmp_path_factory):
    """A Unigram tokenizer of XLM-R's shape (leading-space pieces), trained on the text above."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    from xmrc_jax.data.encyclopedia import SPECIALS, with_special_tokens

    inner = Tokenizer(models.Unigram())
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Metaspace()
    text = [field for record in RECORDS for field in record[1:4]]
    inner.train_from_iterator(
        text, trainers.UnigramTrainer(vocab_size=300, special_tokens=SPECIALS, unk_token='<unk>')
    )
    return with_special_tokens(inner)


@pytest.fixture(scope='session')
def words():
    """Every word with its punctuation is one token; U+200B is dropped; no special tokens."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({'<pad>': 0, '<unk>': 1}, unk_token='<unk>'))
    inner.normalizer = normalizers.Replace('\u200b', '')
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token='<pad>')


@pytest.fixture(scope='session')
def exported(tmp_path_factory, tokenizer) -> Path:
    """An exported reader that was never trained, of small windows; its answers are all unlike."""
    import dataclasses

    from xmrc_jax.data.windows import WindowSize
    from xmrc_jax.evaluate.calibration import UNCALIBRATED
    from xmrc_jax.model import reader, weights
    from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig
    from xmrc_jax.recipe.ask import AskOptions
    from xmrc_jax.recipe.trained import Asking

    encoder = EncoderConfig.of(ENCODERS['tiny'], PLAIN)
    encoder = dataclasses.replace(
        encoder, vocabulary=len(tokenizer), width=16, mlp=32, heads=2, positions=66
    )
    params = reader.init(encoder, jax.random.key(0))
    params['span']['kernel'] *= 10
    size = WindowSize(max_tokens=36, stride=8, max_question_tokens=16)
    asking = Asking(size, AskOptions(batch_size=8, n_best=6, max_answer_tokens=5), UNCALIBRATED)
    folder = tmp_path_factory.mktemp('exported') / 'reader'
    weights.save(folder, params, encoder, tokenizer, asking)
    return folder


@pytest.fixture(scope='session')
def finished(tmp_path_factory) -> Path:
    """The working folder of a finished run of the whole recipe, to be read and not changed."""
    from tests.small import small
    from xmrc_jax.recipe import experiment

    workdir = tmp_path_factory.mktemp('finished')
    experiment.run(small(), workdir)
    return workdir


@pytest.fixture(scope='session')
def another(exported, tmp_path_factory) -> Path:
    """The same reader with another span head."""
    from xmrc_jax.model import weights
    from xmrc_jax.recipe import trained

    own = trained.load(exported)
    own.params['span']['kernel'] = own.params['span']['kernel'][:, ::-1]
    folder = tmp_path_factory.mktemp('exported') / 'another'
    weights.save(folder, own.params, own.encoder, own.tokenizer, own.asking)
    return folder


@pytest.fixture(scope='session')
def real_data() -> Path:
    """The folder of real corpora (``XMRC_DATA``); tests that ask for it skip where it is absent."""
    folder = Path(os.environ.get('XMRC_DATA', '../shared/data'))
    if not folder.is_dir():
        pytest.skip('no real corpora here: set XMRC_DATA')
    return folder


@pytest.fixture
def stub(tmp_path):
    """Writes a shell script under a command's name; returns a PATH on which it comes first."""
    folder = tmp_path / 'bin'

    def written(name, script):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(f'#!/usr/bin/env bash\n{script}\n')
        (folder / name).chmod(0o755)
        return f'{folder}{os.pathsep}{os.environ["PATH"]}'

    return written


CHROMIUM = next(
    filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None
)


@pytest.fixture(scope='session')
def browser():
    if CHROMIUM is None:
        pytest.skip('no Chromium here: install chromium to look at the page')
    playwright = pytest.importorskip('playwright.sync_api', reason='playwright drives Chromium')
    with playwright.sync_playwright() as driver:
        flags = ['--no-sandbox'] if os.geteuid() == 0 else []
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()
