"""Hugging Face folders, here or on the hub: ``config.json``, and tensors by name.

Owns which files are read, and every way in which one cannot be. Refuses to know what the tensors
are for (``weights``). PyTorch is needed only to read checkpoints that exist as ``.bin``; code that
a file asks to be run never is.
"""

import pickle
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import huggingface_hub
import numpy as np
import safetensors.numpy

from xmrc_jax.ground.errors import UserError, first_line
from xmrc_jax.ground.files import check_fetched, read_json

_WEIGHTS = (  # whole, the list of its shards, or shards; the first kind that is there is read
    ('model.safetensors', 'model.safetensors.index.json', 'model-*-of-*.safetensors'),
    ('pytorch_model.bin', 'pytorch_model.bin.index.json', 'pytorch_model-*-of-*.bin'),
)

PARALLEL = 'module.'  # what torch's DataParallel puts before every name


def config_of(source: Path | str) -> tuple[Path, dict]:
    """``config.json``, its path and its contents; of the hub's files no other is downloaded.

    Args:
      source: local folder, or hub id such as 'FacebookAI/xlm-roberta-base'.

    Raises:
      UserError: nothing there, no network, or not JSON.
    """
    path = _folder(source, ['config.json']) / 'config.json'
    config = read_json(path)
    if not isinstance(config, dict):
        raise UserError(f'{path}: describes no model')
    return path, config


def tensors_of(source: Path | str) -> dict[str, np.ndarray]:
    """All tensors by their names, in the dtype of the file or, from ``.bin``, in float32.

    Raises:
      UserError: no weights there, no network, or a file that cannot be read.
    """
    for patterns in _WEIGHTS:
        if paths := _parts(_folder(source, patterns), *patterns):
            found: dict[str, np.ndarray] = {}
            for path in paths:
                _add(found, path)
            return found
    raise UserError(f'{source}: holds neither model.safetensors nor pytorch_model.bin')


def _add(found: dict[str, np.ndarray], path: Path) -> None:
    """The tensors of a file to those of others of one checkpoint."""
    for stored, tensor in _read(path).items():
        name = stored.removeprefix(PARALLEL)
        if name in found:
            raise UserError(
                f'{path}: {name} is stored a second time; remove what is of another checkpoint'
            )
        found[name] = tensor


def _parts(folder: Path, whole: str, index: str, shards: str) -> list[Path]:
    """The files of one checkpoint: shards of another that was written there before are no part."""
    if (folder / whole).exists():
        return [folder / whole]
    if not (folder / index).exists():
        return sorted(folder.glob(shards))
    known = read_json(folder / index)
    files = known.get('weight_map') if isinstance(known, dict) else None
    if (
        not files
        or not isinstance(files, dict)
        or not all(isinstance(name, str) and Path(name).name == name for name in files.values())
    ):
        raise UserError(f'{folder / index}: names no files of tensors; fetch it again')
    return [folder / name for name in sorted(set(files.values()))]


def hub_token() -> None:
    """Raises UserError where nobody is logged in to the hub."""
    if huggingface_hub.get_token() is None:
        raise UserError('nobody is logged in to the hub: hf auth login, or set HF_TOKEN')


def push(folder: Path, hub_id: str) -> str:
    """Upload a folder as a model of the hub, made if need be.

    Returns:
      Its address.

    Raises:
      UserError: nobody is logged in, no such name, no right to it, or no network.
    """
    hub_token()
    hub = huggingface_hub.HfApi()
    try:
        hub.create_repo(hub_id, exist_ok=True)
        hub.upload_folder(repo_id=hub_id, folder_path=folder)
    except Exception as error:  # its client raises what several libraries raise
        raise UserError(f'{hub_id}: not pushed to the hub: {first_line(error)}') from None
    return f'https://huggingface.co/{hub_id}'


def _folder(source: Path | str, patterns: Sequence[str]) -> Path:
    """The local folder itself, or the cached copy of those of the hub's files."""
    if Path(source).is_dir():
        return Path(source)
    try:
        found = huggingface_hub.snapshot_download(str(source), allow_patterns=list(patterns))
    except (OSError, ValueError) as error:
        offline = huggingface_hub.constants.HF_HUB_OFFLINE
        reason = 'HF_HUB_OFFLINE is set, so it is not looked for' if offline else first_line(error)
        raise UserError(f'{source}: neither a folder here nor on the hub ({reason})') from None
    return Path(found)


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        check_fetched(path)
        found = _read_safetensors(path) if path.suffix == '.safetensors' else _read_torch(path)
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror or error})') from None
    whole = [name for name in found if name.endswith('weight') and found[name].dtype.kind in 'iub']
    if whole:
        raise UserError(
            f'{path}: {whole[0]} holds {found[whole[0]].dtype}, a quantised model; '
            'name the one that it was made of, in float32, float16 or bfloat16'
        )
    return found


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        return safetensors.numpy.load_file(path)
    except Exception as error:  # SafetensorError, or what a dtype that numpy lacks raises
        raise UserError(f'{path}: {_damaged(error)}') from None


def _read_torch(path: Path) -> dict[str, np.ndarray]:
    try:
        import torch
    except ImportError:
        raise UserError(
            f'{path}: needs PyTorch: pip install torch, or convert it to safetensors'
        ) from None
    try:
        # Files from before torch 1.6 are no zip archives and cannot be memory-mapped.
        mmap = zipfile.is_zipfile(path)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of how its unpickler is told what to do
            found = torch.load(path, map_location='cpu', weights_only=True, mmap=mmap)
    except pickle.UnpicklingError:
        raise UserError(
            f'{path}: a pickled module or other objects, which are code and not run, or no file of '
            'PyTorch; save tensors alone, with model.save_pretrained or as model.state_dict()'
        ) from None
    except Exception as error:  # torch raises whatever its unpickler stumbles over
        raise UserError(f'{path}: {_damaged(error)}') from None
    if not isinstance(found, dict):
        raise UserError(f'{path}: a {type(found).__name__}, not tensors by name; save a state_dict')
    if others := [str(name) for name, value in found.items() if not torch.is_tensor(value)]:
        raise UserError(
            f'{path}: a checkpoint that holds {", ".join(others[:6])}, not tensors by name; '
            "save the model's state_dict that is in it as a file of its own"
        )
    wide = {
        str(name): tensor.detach().float() if tensor.is_floating_point() else tensor
        for name, tensor in found.items()
    }
    try:
        return {name: tensor.numpy() for name, tensor in wide.items()}
    except (TypeError, RuntimeError) as error:  # sparse, or quantised
        raise UserError(f'{path}: {_damaged(error)}') from None


def _damaged(error: Exception) -> str:
    return f'cannot be read ({first_line(error)}); it may be cut or damaged: fetch it again'
