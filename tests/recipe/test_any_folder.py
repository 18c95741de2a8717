"""Whatever the folder of a reader holds: its tensors are loaded, or one line says why they are not.

Folders of tiny encoders of several architectures, changed in one way or several: their tensors, the
layout of their files, values in their JSON, bytes.
"""

import dataclasses
import gzip
import json
import shutil
import warnings

import jax
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.tiny import KINDS
from xmrc_jax.data.queries import Query
from xmrc_jax.data.windows import WindowSize
from xmrc_jax.evaluate.calibration import UNCALIBRATED
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import reader, weights
from xmrc_jax.model.architectures import PLAIN, EncoderConfig
from xmrc_jax.model.families import FAMILIES
from xmrc_jax.recipe import trained
from xmrc_jax.recipe.ask import AskOptions
from xmrc_jax.recipe.reader import Reader

torch = pytest.importorskip('torch')
POINTER = b'version https://git-lfs.github.com/spec/v1\noid sha256:0f4e\nsize 470641600\n'
WHOLE, INDEX, BIN = 'model.safetensors', 'model.safetensors.index.json', 'pytorch_model.bin'


@pytest.fixture(scope='module')
def readers(tokenizer, tmp_path_factory):
    """A folder of each architecture."""
    folders = {}
    for kind in ('xlm-roberta', 'bert', 'rembert', 'modernbert', 'gte', 'deberta-v2'):
        own = dataclasses.replace(KINDS[kind], vocabulary=len(tokenizer))
        cfg = EncoderConfig.of(own, PLAIN)
        size = WindowSize(max_tokens=36, stride=8, max_question_tokens=16)
        asking = trained.Asking(size, AskOptions(8, 6, 5), UNCALIBRATED)
        folders[kind] = tmp_path_factory.mktemp('any') / kind
        params = reader.init(cfg, jax.random.key(0))
        weights.save(folders[kind], params, cfg, tokenizer, asking)
    return folders


# -- changes ---------------------------------------------------------------------------------------

ODD = (
    *(None, True, 0, 1, -1, 7, 10**9, 10**20, 1.5, 1e-5, float('nan'), float('inf')),
    *('', 'x', '12', 'gelu', '\ud800', [], ['x'], [1], {}, {'a': 1}),
)
FLOATS = (np.float16, ml_dtypes.bfloat16, np.float64, ml_dtypes.float8_e4m3fn)
DTYPES = (*FLOATS, np.int8, np.uint8, np.int64, np.bool_, np.complex64)
NUMBERS = (np.nan, np.inf, -np.inf, 1e39, 1e-310, 0.0)
STRAYS = (
    'pooler.dense.weight',
    'lm_head.bias',
    'classifier.weight',
    'embeddings.position_ids',
    'x',
)


def change_tensors(draw, tensors):
    """In place: one is left out, called otherwise, doubled, or holds something else."""
    name = draw(st.sampled_from(sorted(tensors)))
    tensor = tensors[name]
    bare = name.partition('.')[2]
    names = [bare, f'module.{name}', f'roberta.{name}', f'{name}.x', f'new.{bare}', bare.upper()]
    names += [name.replace('weight', 'gamma').replace('bias', 'beta'), *STRAYS]
    match draw(st.sampled_from(['drop', 'call', 'all', 'double', 'shape', 'dtype', 'value'])):
        case 'drop':
            del tensors[name]
        case 'call':
            tensors[draw(st.sampled_from(names))] = tensors.pop(name)
        case 'all':
            found = {f'module.{each}': tensors[each] for each in tensors}
            tensors.clear()
            tensors.update(found)
        case 'double':
            tensors[draw(st.sampled_from(names))] = tensor + np.ones((), tensor.dtype)
        case 'shape':
            shapes = [tensor.T, tensor[:0], tensor[None], tensor.reshape(-1), tensor[:-1]]
            shapes += [np.concatenate([tensor, tensor]), np.zeros((), np.float32)]
            tensors[name] = np.ascontiguousarray(draw(st.sampled_from(shapes)))
        case 'dtype':
            dtype = draw(st.sampled_from(DTYPES))
            for each in [name] if draw(st.booleans()) else list(tensors):
                tensors[each] = tensors[each].astype(dtype)
        case 'value' if tensor.size:
            wide = tensor.astype(draw(st.sampled_from([np.float32, np.float64])))
            wide.reshape(-1)[draw(st.integers(0, tensor.size - 1))] = draw(st.sampled_from(NUMBERS))
            tensors[name] = wide


def write_tensors(draw, folder, tensors):
    """In one of the layouts that folders have."""
    (folder / WHOLE).unlink()
    layouts = ['whole', 'shards', 'index', 'bin', 'parameters', 'before 1.6', 'nested']
    match draw(st.sampled_from(layouts)):
        case 'whole':
            safetensors.numpy.save_file(tensors, folder / WHOLE)
        case 'shards' | 'index' as layout:
            files, names = {}, sorted(tensors)
            for number in (1, 2, 3):
                file = f'model-0000{number}-of-00003.safetensors'
                own = {name: tensors[name] for name in names[number - 1 :: 3]}
                if number == 3 and draw(st.integers(0, 3)) == 0:
                    own |= {name: tensors[name] for name in names[:1]}
                safetensors.numpy.save_file(own, folder / file)
                files |= dict.fromkeys(own, file)
            if layout == 'index':
                (folder / INDEX).write_text(json.dumps({'weight_map': files}))
        case layout:
            state = {name: of_torch(tensor) for name, tensor in tensors.items()}
            if layout == 'parameters':
                state = {
                    name: torch.nn.Parameter(x) if x.is_floating_point() else x
                    for name, x in state.items()
                }
            state = {'state_dict': state, 'epoch': 3} if layout == 'nested' else state
            torch.save(state, folder / BIN, _use_new_zipfile_serialization=layout != 'before 1.6')


def of_torch(tensor):
    known = {ml_dtypes.bfloat16: torch.bfloat16, ml_dtypes.float8_e4m3fn: torch.float8_e4m3fn}
    own = known.get(tensor.dtype.type)
    return torch.tensor(tensor.astype(np.float32)).to(own) if own else torch.tensor(tensor)


def change_json(draw, path):
    """A value somewhere in it."""
    try:
        content = place = json.loads(path.read_bytes())
    except (ValueError, OSError):
        return
    key = None
    while isinstance(place, dict | list) and place:
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        key, holder = draw(st.sampled_from(list(keys))), place
        place = holder[key]
        if draw(st.integers(0, 3)) == 0:
            break
    if key is None:
        return
    if draw(st.booleans()) and isinstance(holder, dict):
        del holder[key]
    else:
        holder[key] = draw(st.sampled_from([str(place), *ODD]))
    path.write_text(json.dumps(content))


def change_file(draw, path):
    """Bytes of it, or what is in its place."""
    if not path.is_file():
        return
    content = path.read_bytes()
    match draw(st.sampled_from(['cut', 'flip', 'head', 'other', 'folder', 'gone', 'link'])):
        case 'cut':
            path.write_bytes(content[: int(len(content) * draw(st.floats(0, 1)))])
        case 'flip' | 'head' as where:
            changed = bytearray(content)
            last = len(content) if where == 'flip' else min(len(content), 400)
            for _ in range(draw(st.integers(1, 3)) if last else 0):
                changed[draw(st.integers(0, last - 1))] ^= 1 << draw(st.integers(0, 7))
            path.write_bytes(changed)
        case 'other':
            page = b'<!DOCTYPE html><html>Not found</html>'
            others = [b'', b'\0', POINTER, page, gzip.compress(content), b'PK\3\4', content * 2]
            path.write_bytes(draw(st.sampled_from(others)))
        case how:
            path.unlink()
            if how == 'folder':
                path.mkdir()
            elif how == 'link':
                path.symlink_to(draw(st.sampled_from([path.name, 'nowhere'])))


# -- what holds ------------------------------------------------------------------------------------


def stored(folder):
    """Names and tensors of the floats that are stored, read by other means than the package's."""
    if (folder / WHOLE).exists():
        files = [folder / WHOLE]
    elif (folder / INDEX).exists():
        index = json.loads((folder / INDEX).read_bytes())
        files = [folder / name for name in sorted(set(index['weight_map'].values()))]
    elif not (files := sorted(folder.glob('model-*.safetensors'))):
        state = torch.load(folder / BIN, weights_only=True)
        return [(name, tensor.detach().float().numpy()) for name, tensor in state.items()]
    dtypes = {'F16': np.float16, 'BF16': ml_dtypes.bfloat16, 'F32': np.float32, 'F64': np.float64}
    found = []
    for path in files:
        content = path.read_bytes()
        size = 8 + int.from_bytes(content[:8], 'little')
        for name, own in json.loads(content[8:size]).items():
            if name != '__metadata__' and own['dtype'] in dtypes:
                first, end = (size + offset for offset in own['data_offsets'])
                tensor = np.frombuffer(content[first:end], dtypes[own['dtype']])
                found.append((name, tensor.reshape(own['shape'])))
    return found


def bare(name, family):
    """A tensor's name without what may come before it, as newer files spell it."""
    name = name.removeprefix('module.')
    for prefix in family.prefixes:
        name = name.removeprefix(prefix)
    return name.replace('Norm.gamma', 'Norm.weight').replace('Norm.beta', 'Norm.bias')


def check_tensors(own, folder, told):
    """Each of a reader's tensors is stored once, and no other that matters is there."""
    family, left = FAMILIES[own.encoder.family], stored(folder)
    for name, tensor in weights.to_hf(own.params, own.encoder).items():
        same = [each for each in left if bare(each[0], family) == bare(name, family)]
        assert len(same) == 1, f'{name} is stored {len(same)} times'
        np.testing.assert_array_equal(same[0][1].astype(np.float32), tensor)
        left = [each for each in left if each is not same[0]]
    harmless = ('pooler.', 'lm_head.', 'cls.', 'decoder.', 'embeddings.position_ids')
    lost = [name for name, _ in left if not bare(name, family).startswith(harmless)]
    assert [name for name in lost if name not in told] == []


@pytest.mark.slow
@settings(
    max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_folder_is_loaded_or_refused_in_one_line(readers, tmp_path, caplog, data):
    draw, folder, several = data.draw, tmp_path / 'any', st.sampled_from([0, 0, 0, 1, 2])
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(readers[draw(st.sampled_from(sorted(readers)))], folder)
    with np.errstate(all='ignore'), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        tensors = safetensors.numpy.load_file(folder / WHOLE)
        for _ in range(draw(several)):
            change_tensors(draw, tensors)
        write_tensors(draw, folder, tensors)
    for _ in range(draw(several)):
        change, names = draw(st.sampled_from([(change_file, '*'), (change_json, '*.json')]))
        change(draw, draw(st.sampled_from(sorted(folder.glob(names)))))
    caplog.clear()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            own = trained.load(folder)
            Reader(own).prepare([Query('', '', 'When was it?', ('Founded in 1876.',))])
    except UserError as error:
        line = str(error)
        event('refused')
        assert line.startswith(str(folder))
        assert '\n' not in line
        assert '\x1b' not in line
        assert 'weights_only' not in line
    else:
        event('loaded')
        check_tensors(own, folder, caplog.text)
