"""Hugging Face folders: what is read, in which forms, and every way in which it cannot be."""

import json
import sys
import warnings

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import folders

TENSORS = {
    'a.weight': np.arange(6, dtype=np.float32).reshape(2, 3),
    'b.bias': np.array([0.5, -2.0], np.float32),
}


def assert_read(folder, expected=TENSORS):
    found = folders.tensors_of(folder)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor)


def refusal(source) -> str:
    """The one line that says why the weights cannot be read."""
    with pytest.raises(UserError) as caught:
        folders.tensors_of(source)
    line = str(caught.value)
    assert '\n' not in line
    assert '\x1b' not in line  # no colours
    assert 'weights_only' not in line  # no advice to run what is in the file
    return line


@pytest.fixture
def torch():
    return pytest.importorskip('torch')


@pytest.fixture
def bin_file(tmp_path):
    return tmp_path / 'pytorch_model.bin'


# -- what is read ----------------------------------------------------------------------------------


@pytest.mark.parametrize('dtype', [np.float32, np.float16, ml_dtypes.bfloat16])
def test_safetensors_of_any_precision(dtype, tmp_path):
    tensors = {name: tensor.astype(dtype) for name, tensor in TENSORS.items()}
    safetensors.numpy.save_file(tensors, tmp_path / 'model.safetensors')
    assert_read(tmp_path)


def test_names_as_data_parallel_writes_them(tmp_path):
    tensors = {f'module.{name}': tensor for name, tensor in TENSORS.items()}
    safetensors.numpy.save_file(tensors, tmp_path / 'model.safetensors')
    assert_read(tmp_path)


def test_shards(tmp_path):
    for number, (name, tensor) in enumerate(TENSORS.items(), 1):
        path = tmp_path / f'model-0000{number}-of-00002.safetensors'
        safetensors.numpy.save_file({name: tensor}, path)
    assert_read(tmp_path)


def shards_of(folder, of, tensors=TENSORS):
    """Written as the library does, one tensor in each; the list of them."""
    files = {
        name: f'model-0000{number}-of-0000{of}.safetensors' for number, name in enumerate(tensors)
    }
    for name, file in files.items():
        safetensors.numpy.save_file({name: tensors[name]}, folder / file)
    (folder / 'model.safetensors.index.json').write_text(json.dumps({'weight_map': files}))
    return files


def test_what_is_left_of_another_checkpoint_is_no_part_of_this_one(tmp_path):
    other = {name: tensor + 1 for name, tensor in TENSORS.items()}
    shards_of(tmp_path, 9, other | {'stray.weight': TENSORS['b.bias']})
    shards_of(tmp_path, 2)
    assert_read(tmp_path)
    safetensors.numpy.save_file(other, tmp_path / 'model.safetensors')
    assert_read(tmp_path, other)


@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'before torch 1.6'])
@pytest.mark.parametrize('dtype', ['float32', 'float16', 'bfloat16'])
def test_files_of_torch(dtype, zipped, torch, bin_file):
    state = {name: torch.tensor(x).to(getattr(torch, dtype)) for name, x in TENSORS.items()}
    torch.save(state, bin_file, _use_new_zipfile_serialization=zipped)
    assert_read(bin_file.parent)


def test_of_an_older_pickle_nothing_is_said(torch, bin_file):
    state = {name: torch.tensor(x) for name, x in TENSORS.items()}
    torch.save(state, bin_file, pickle_protocol=3)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert_read(bin_file.parent)


def test_parameters_that_were_saved_as_such(torch, bin_file):
    state = {name: torch.nn.Parameter(torch.tensor(x)) for name, x in TENSORS.items()}
    torch.save(state, bin_file)
    assert_read(bin_file.parent)


def test_safetensors_come_before_files_of_torch(bin_file):
    bin_file.write_bytes(b'not looked at')
    safetensors.numpy.save_file(TENSORS, bin_file.with_name('model.safetensors'))
    assert_read(bin_file.parent)


def test_of_the_hub_the_config_comes_first_and_safetensors_before_bin(tmp_path, monkeypatch):
    asked = []

    def snapshot_download(repo_id, *, allow_patterns):
        assert repo_id == 'some/model'
        asked.append(allow_patterns)
        return str(tmp_path)

    monkeypatch.setattr('huggingface_hub.snapshot_download', snapshot_download)
    (tmp_path / 'config.json').write_text(json.dumps({'model_type': 'bert'}))
    assert folders.config_of('some/model') == (tmp_path / 'config.json', {'model_type': 'bert'})
    assert asked == [['config.json']]
    assert 'some/model: holds neither model.safetensors nor' in refusal('some/model')
    assert asked[1:] == [
        ['model.safetensors', 'model.safetensors.index.json', 'model-*-of-*.safetensors'],
        ['pytorch_model.bin', 'pytorch_model.bin.index.json', 'pytorch_model-*-of-*.bin'],
    ]
    safetensors.numpy.save_file(TENSORS, tmp_path / 'model.safetensors')
    assert_read('some/model')
    assert len(asked) == 4


# -- what is not -----------------------------------------------------------------------------------


@pytest.mark.parametrize('source', ['no/such-model', '/no/such/folder', 'not a hub id at all'])
def test_nothing_there_and_no_network(source, monkeypatch, tmp_path):
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path))
    assert refusal(source).startswith(f'{source}: neither a folder here nor on the hub')
    with pytest.raises(UserError, match=f'^{source}: neither a folder here nor on the hub'):
        folders.config_of(source)


def test_a_folder_without_its_files(tmp_path):
    assert 'holds neither model.safetensors nor pytorch_model.bin' in refusal(tmp_path)
    with pytest.raises(UserError, match=r'config.json: cannot be read'):
        folders.config_of(tmp_path)


@pytest.mark.parametrize('name', ['model.safetensors', 'pytorch_model.bin'])
def test_a_pointer_in_the_place_of_the_weights(name, tmp_path):
    pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:0f4e\nsize 470641600\n'
    (tmp_path / name).write_text(pointer)
    assert refusal(tmp_path) == (
        f'{tmp_path / name}: a pointer of Git LFS in its place; fetch it with `git lfs pull` in '
        'its folder'
    )


def test_a_shard_that_is_not_there_is_named(tmp_path):
    path = tmp_path / shards_of(tmp_path, 2)['b.bias']
    path.unlink()
    assert refusal(tmp_path) == f'{path}: cannot be read (No such file or directory)'


@pytest.mark.parametrize(
    'text',
    ['[]', '{}', '{"weight_map": 1}', '{"weight_map": {"a": 1}}', '{"weight_map": {"a": "../b"}}'],
)
def test_a_list_of_shards_that_names_none(text, tmp_path):
    index = tmp_path / 'model.safetensors.index.json'
    index.write_text(text)
    assert refusal(tmp_path) == f'{index}: names no files of tensors; fetch it again'


def test_cut_safetensors(tmp_path):
    path = tmp_path / 'model.safetensors'
    safetensors.numpy.save_file(TENSORS, path)
    path.write_bytes(path.read_bytes()[:-4])
    assert refusal(tmp_path).startswith(f'{path}: cannot be read (')


@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'before torch 1.6'])
@pytest.mark.parametrize('share', [0, 0.5, 0.95])
def test_cut_files_of_torch(share, zipped, torch, bin_file):
    state = {name: torch.tensor(x) for name, x in TENSORS.items()}
    torch.save(state, bin_file, _use_new_zipfile_serialization=zipped)
    content = bin_file.read_bytes()
    bin_file.write_bytes(content[: int(share * len(content))])
    assert refusal(bin_file.parent).startswith(f'{bin_file}: cannot be read (')


def test_a_page_in_the_place_of_the_weights(torch, bin_file):
    bin_file.write_text('<!DOCTYPE html><html>Not found</html>')
    assert 'PyTorch; save tensors alone' in refusal(bin_file.parent)


def test_files_of_torch_without_torch(bin_file, monkeypatch):
    bin_file.write_bytes(b'')
    monkeypatch.setitem(sys.modules, 'torch', None)
    message = f'{bin_file}: needs PyTorch: pip install torch, or convert it to safetensors'
    assert refusal(bin_file.parent) == message


def test_a_pickled_module_is_not_run(torch, bin_file):
    torch.save(torch.nn.Linear(2, 2), bin_file)
    assert refusal(bin_file.parent) == (
        f'{bin_file}: a pickled module or other objects, which are code and not run, or no file of '
        'PyTorch; save tensors alone, with model.save_pretrained or as model.state_dict()'
    )


def test_code_in_a_pickle_is_not_run(torch, bin_file, tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path / 'ran').touch, ()

    torch.save({'x': Trap()}, bin_file)
    assert 'code and not run' in refusal(bin_file.parent)
    assert not (tmp_path / 'ran').exists()


def test_a_quantised_checkpoint(tmp_path):
    file = tmp_path / 'model.safetensors'
    tensors = {'up.weight': np.ones((2, 3), np.int8), 'position_ids': np.zeros((1, 4), np.int64)}
    safetensors.numpy.save_file(tensors, file)
    assert refusal(tmp_path) == (
        f'{file}: up.weight holds int8, a quantised model; name the one that it was made of, in '
        'float32, float16 or bfloat16'
    )


def test_a_quantised_file_of_torch(torch, bin_file):
    torch.save({'up.weight': torch.ones(2, 3, dtype=torch.int8)}, bin_file)
    assert 'up.weight holds int8, a quantised model; name the one' in refusal(bin_file.parent)
    torch.save({'up.weight': torch.ones(2, 3).to_sparse()}, bin_file)
    assert refusal(bin_file.parent).startswith(f'{bin_file}: cannot be read (')


def test_a_tensor_that_is_stored_twice(tmp_path):
    for number in (1, 2):
        file = tmp_path / f'model-0000{number}-of-00002.safetensors'
        safetensors.numpy.save_file(
            {f'{"module." * (number - 1)}a.weight': TENSORS['a.weight']}, file
        )
    assert refusal(tmp_path) == (
        f'{file}: a.weight is stored a second time; remove what is of another checkpoint'
    )


def test_a_nested_checkpoint(torch, bin_file):
    state = {name: torch.tensor(x) for name, x in TENSORS.items()}
    torch.save({'state_dict': state, 'epoch': 3}, bin_file)
    assert refusal(bin_file.parent) == (
        f'{bin_file}: a checkpoint that holds state_dict, epoch, not tensors by name; '
        "save the model's state_dict that is in it as a file of its own"
    )


def test_a_list_of_tensors(torch, bin_file):
    torch.save([torch.tensor(x) for x in TENSORS.values()], bin_file)
    assert refusal(bin_file.parent) == (
        f'{bin_file}: a list, not tensors by name; save a state_dict'
    )
