"""What a run runs on: versions and devices, for the record, and the programs it keeps."""

import hashlib
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import jax

import xmrc_jax
from xmrc_jax.data.corpora import CACHE

PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'transformers', 'tokenizers')


def software() -> dict[str, str]:
    """Versions of what computes, and the hash of this package's own files."""
    root, digest = Path(xmrc_jax.__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob('*.py')):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return {
        'xmrc_jax': f'{xmrc_jax.__version__} ({digest.hexdigest()[:12]})',
        'python': platform.python_version(),
    } | {name: version(name) for name in PACKAGES}


def commit() -> str:
    """The git commit of this package's files, and whether they have changed since."""
    root = Path(xmrc_jax.__file__).parent

    def git(*words: str) -> str:
        command = ['git', '--no-optional-locks', '-C', str(root), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git('ls-files', '--error-unmatch', '__init__.py')  # not just inside of another's checkout
        head, changed = git('rev-parse', '--short=12', 'HEAD'), git('status', '--porcelain', '.')
    except (OSError, subprocess.CalledProcessError):
        return 'not a checkout'
    return f'{head}, changed since' if changed else head


def hardware() -> str:
    """The devices of the run: '8 x TPU v5 lite'."""
    return f'{jax.device_count()} x {jax.devices()[0].device_kind}'


def keep_compiled(cache: Path = CACHE) -> None:
    """From here on XLA keeps what it compiles in that folder, unless told of another place."""
    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update('jax_compilation_cache_dir', str(cache.expanduser() / 'compiled'))
    # Of hundreds of programs most are small; JAX would compile those again in every run.
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)
