"""A reader by its path alone: of a run, or in Hugging Face's layout."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.small import small
from xmrc_jax.configs.paper import paper_config
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import reader, weights
from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig
from xmrc_jax.recipe import trained
from xmrc_jax.recipe.experiment import Experiment


def test_a_folder_gives_what_its_stage_reports(finished):
    own = Experiment(small(), finished)
    found = trained.load(finished / 'two_stage')
    jax.tree.map(np.testing.assert_array_equal, found.params, own.store('two_stage').reported())
    assert found.encoder == own.inputs.encoder
    assert len(found.tokenizer) == len(own.inputs.tokenizer)
    store = own.store('two_stage')
    calibration = store.calibration(store.chosen()[1])
    assert len(calibration.confidence) == 2
    assert found.asking == trained.Asking(own.run.data.size, own.run.evaluate.ask, calibration)
    assert found.says_how


def test_a_checkpoint_gives_itself(finished):
    found = trained.load(finished / 'base' / 'checkpoints' / '3')
    own = Experiment(small(), finished).store('base')
    expected = own.load([3])
    assert found.asking.calibration == own.calibration([3])
    jax.tree.map(np.testing.assert_array_equal, found.params, expected)


def test_what_is_no_reader_or_of_no_run_is_named(finished, tmp_path):
    with pytest.raises(UserError, match='no trained reader'):
        trained.load(finished / 'candidates')
    (tmp_path / 'reader').mkdir()
    (tmp_path / 'reader' / 'selected.json').write_text('{}')
    with pytest.raises(UserError, match=r'no encoder\.json above'):
        trained.load(tmp_path / 'reader')


def test_of_a_working_folder_the_last_finished_reader_is_taken(finished, tmp_path):
    assert trained.load(finished).name == str(finished / 'two_stage')
    run = tmp_path / 'run'
    shutil.copytree(finished, run)
    (run / 'two_stage' / 'selected.json').unlink()
    assert trained.load(str(run)).name == str(run / 'base')
    (run / 'base' / 'selected.json').unlink()
    with pytest.raises(UserError, match=r'run: no reader is trained to the end here'):
        trained.load(run)


def test_several_readers_are_named_and_a_run_s_folder_stands_for_all_of_its_own(tmp_path):
    run = tmp_path / 'run'
    for name in ('base', 'two_stage'):
        (run / name).mkdir(parents=True)
        (run / name / 'selected.json').touch()
    both = [('two_stage', f'{run}/two_stage'), ('base', f'{run}/base')]
    assert list(trained.offered([str(run)]).items()) == both
    named = trained.offered([f'mine={run}', f'{run}/base', 'someone/reader'])
    assert named == {'mine': str(run), 'base': f'{run}/base', 'reader': 'someone/reader'}
    with pytest.raises(UserError, match='two readers have the same name; write NAME=READER'):
        trained.offered([str(run), 'other/base'])
    for word in (f'{run}/..', 'mine='):
        with pytest.raises(UserError, match='write NAME=READER'):
            trained.offered([word])


def test_an_exported_reader_is_asked_as_the_run_asks_it(finished, tmp_path):
    own = trained.load(finished / 'base')
    weights.save(tmp_path / 'out', own.params, own.encoder, own.tokenizer, own.asking)
    again = trained.load(tmp_path / 'out')
    jax.tree.map(np.testing.assert_array_equal, again.params, own.params)
    assert again.encoder.architecture == own.encoder.architecture
    assert (again.asking, again.says_how) == (own.asking, True)


@pytest.fixture
def copied(exported, tmp_path):
    shutil.copytree(exported, tmp_path / 'copied')
    return tmp_path / 'copied'


@pytest.mark.parametrize(
    ('positions', 'lengths'),
    [(514, (384, 128, 64)), (386, (384, 128, 64)), (66, (64, 21, 10)), (8, (6, 2, 1))],
)
def test_another_s_reader_is_asked_as_the_paper_s_in_windows_that_it_can_read(
    copied, positions, lengths
):
    (copied / 'xmrc.json').unlink()
    config = json.loads((copied / 'config.json').read_text())
    (copied / 'config.json').write_text(json.dumps(config | {'max_position_embeddings': positions}))
    tensors = load_file(copied / 'model.safetensors')
    name = 'roberta.embeddings.position_embeddings.weight'
    tensors[name] = np.zeros((positions, tensors[name].shape[1]), np.float32)
    save_file(tensors, copied / 'model.safetensors', {'format': 'pt'})
    found = trained.load(copied)
    size, options = found.asking.size, found.asking.options
    assert (size.max_tokens, size.stride, size.max_question_tokens) == lengths
    paper = paper_config()
    assert options.max_answer_tokens == paper.evaluate.max_answer_tokens
    assert not found.says_how


@pytest.mark.parametrize(
    ('file', 'change', 'message'),
    [
        ('xmrc.json', {'stride': 'wide'}, "does not say how the reader is asked: stride: 'wide'"),
        ('xmrc.json', {'colour': 1}, 'does not say how the reader is asked: colour: no such leaf'),
        ('config.json', {'model_type': 'gpt2'}, "model_type 'gpt2'"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named(copied, file, change, message):
    content = json.loads((copied / file).read_text())
    (copied / file).write_text(json.dumps(content | change))
    with pytest.raises(UserError, match=message) as error:
        trained.load(copied)
    assert str(copied) in str(error.value)


def test_how_it_is_asked_is_said_in_a_file_that_can_be_read(copied):
    (copied / 'xmrc.json').write_text('{')
    with pytest.raises(UserError, match=f'^{copied}/xmrc.json: broken JSON'):
        trained.load(copied)


def test_an_encoder_without_a_span_head_is_no_reader(exported, copied, caplog):
    tensors = load_file(exported / 'model.safetensors')
    headless = {name: tensor for name, tensor in tensors.items() if 'qa_outputs' not in name}
    save_file(headless, copied / 'model.safetensors', {'format': 'pt'})
    with pytest.raises(UserError, match='an encoder without a span head'):
        trained.load(copied)
    assert caplog.text == ''  # nothing of a fresh head


def test_a_hub_id_that_is_not_there_is_named():
    with pytest.raises(
        UserError, match=r'nobody/nothing: neither a folder here nor on the hub \(HF_HUB_OFFLINE'
    ):
        trained.load('nobody/nothing')


def test_the_tokenizer_says_what_another_s_reader_is_fed(tokenizer, tmp_path):
    """A BERT with a tokenizer of XLM-R's shape: it pads with 1 and gives no token types."""
    bert = EncoderConfig.of(ENCODERS['minilm'], PLAIN)
    bert = dataclasses.replace(
        bert, vocabulary=len(tokenizer), width=16, mlp=32, heads=2, layers=1, positions=64
    )
    assert (bert.pad_id, bert.passage_type) == (0, 1)
    weights.save(tmp_path / 'bert', reader.init(bert, jax.random.key(0)), bert, tokenizer)
    found = trained.load(tmp_path / 'bert').encoder
    assert found == dataclasses.replace(bert, pad_id=1, passage_type=0)
