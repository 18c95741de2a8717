"""Where each corpus is to be had: the table of corpora, and how a hub or an archive is asked.

Owns one row of ``FAMILIES`` for each kind of corpus. Never runs code that came with a data set.
Archives are not unpacked: the one wanted member is read out of them as bytes, so that no name or
link inside an archive can reach the disk.
"""

import shutil
import tarfile
import urllib.request
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from huggingface_hub import constants
from tqdm import tqdm

from xmrc_jax.data import squad, tables
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import replacing


class Hub(NamedTuple):
    """A data set on the Hugging Face hub with one row (id, context, question, answers) each.

    On a ``refs/convert/parquet`` branch configurations are plain folders, elsewhere they are names.
    Without a name it is the only one. Where a table holds several corpora, those rows are wanted
    whose id begins with ``ids``.
    """

    repo: str
    config: str
    split: str
    revision: str = 'main'
    ids: str = ''

    @property
    def target(self) -> str:
        return f'hub/{self.repo}/{self.config or "default"}/{self.ids}{self.split}.json'

    @property
    def label(self) -> str:
        return f'hub {self.repo} {self.config}'

    def fetch(self, root: Path | None, cache: Path) -> None:
        import datasets  # takes seconds, and is seldom needed

        is_folder = self.revision.startswith('refs/')
        try:
            rows = datasets.load_dataset(
                self.repo,
                **{'data_dir' if is_folder else 'name': self.config or None},
                split=self.split,
                revision=self.revision,
            )
        except Exception as error:  # whatever lies below: OSError, ValueError, HTTP errors, ...
            raise UserError(' '.join(str(error).split())[:120]) from None
        if missing := {*tables.NEEDED, 'answers'} - set(rows.column_names):
            raise UserError(f'no columns {sorted(missing)}')
        listed = (  # rows as they are: what reads the file mends or drops
            (
                _text(row.get('title')) or '',
                _text(row['context']),
                {name: row[name] for name in ('id', 'question')} | tables.answers_of(row),
            )
            for row in rows
            if str(row['id']).startswith(self.ids)
        )
        squad.write_records(cache / self.target, listed)


class Archive(NamedTuple):
    """An official download: a zip or tar file with the wanted ``member``, or the file itself.

    An archive that already lies in the data folder is used instead of a download; a downloaded
    one stays in the cache, for it holds more than one corpus.
    """

    url: str
    member: str = ''

    @property
    def name(self) -> str:
        return PurePosixPath(self.url).name

    @property
    def target(self) -> str:
        return f'archive/{self.member or self.name}'

    @property
    def label(self) -> str:
        return self.url

    def fetch(self, root: Path | None, cache: Path) -> None:
        kept = cache / 'archive' / self.name
        given = root / self.name if root and self.member else kept
        archive = given if given.is_file() else kept
        if not archive.is_file():
            _download(self.url, archive)
        if self.member:
            content = _member(archive, self.member)
            with replacing(cache / self.target) as part:
                part.write_bytes(content)


@dataclass(frozen=True)
class Family:
    """One row of the table of corpora. Templates know {split}, {hub_split}, {c}, {q} and {name}.

    Attributes:
      splits: what the spec's second part may be.
      languages: what its third part may be; none means there is no third part. Where they are
        called otherwise in the files, by that {name}.
      metric: of its official script, see ``evaluate.metrics``.
      pairs: whether the third part may also be a pair, passage-question.
      local: files below the data folder, in order of preference; each also as ``.gz``.
      sources: where else to look, in order.
      home: where the files are to be had by hand.
    """

    splits: tuple[str, ...]
    languages: Collection[str]
    local: tuple[str, ...]
    sources: tuple[Hub | Archive, ...]
    home: str
    metric: str = 'squad'
    pairs: bool = False


FAMILIES = {
    'squad': Family(
        splits=('train', 'dev'),
        languages=(),
        local=('squad/{split}-v1.1.json',),
        sources=(
            Hub('rajpurkar/squad', 'plain_text', '{hub_split}'),
            Archive('https://rajpurkar.github.io/SQuAD-explorer/dataset/{split}-v1.1.json'),
        ),
        home='https://rajpurkar.github.io/SQuAD-explorer',
    ),
    'squad2': Family(
        splits=('train', 'dev'),
        languages=(),
        local=('squad2/{split}-v2.0.json',),
        sources=(
            Hub('rajpurkar/squad_v2', 'squad_v2', '{hub_split}'),
            Archive('https://rajpurkar.github.io/SQuAD-explorer/dataset/{split}-v2.0.json'),
        ),
        home='https://rajpurkar.github.io/SQuAD-explorer',
        metric='squad2',
    ),
    'mlqa': Family(
        splits=('dev', 'test'),
        languages=('ar', 'de', 'en', 'es', 'hi', 'vi', 'zh'),
        metric='mlqa',
        pairs=True,
        local=(
            'mlqa/{split}/{split}-context-{c}-question-{q}.json',
            'MLQA_V1/{split}/{split}-context-{c}-question-{q}.json',
        ),
        sources=(
            Hub('google/xtreme', 'MLQA.{c}.{q}', '{hub_split}'),
            Hub('facebook/mlqa', 'mlqa.{c}.{q}', '{hub_split}', 'refs/convert/parquet'),
            Archive(
                'https://dl.fbaipublicfiles.com/MLQA/MLQA_V1.zip',
                'MLQA_V1/{split}/{split}-context-{c}-question-{q}.json',
            ),
        ),
        home='https://github.com/facebookresearch/MLQA',
    ),
    'xquad': Family(
        splits=('test',),
        languages=('ar', 'de', 'el', 'en', 'es', 'hi', 'ro', 'ru', 'th', 'tr', 'vi', 'zh'),
        local=('xquad/xquad.{c}.json',),
        sources=(
            Hub('google/xquad', 'xquad.{c}', 'validation'),
            Archive('https://github.com/google-deepmind/xquad/raw/master/xquad.{c}.json'),
        ),
        home='https://github.com/google-deepmind/xquad',
    ),
    'tydiqa': Family(  # GoldP, as in XTREME
        splits=('train', 'dev'),
        languages={
            'ar': 'arabic',
            'bn': 'bengali',
            'en': 'english',
            'fi': 'finnish',
            'id': 'indonesian',
            'ko': 'korean',
            'ru': 'russian',
            'sw': 'swahili',
            'te': 'telugu',
        },
        local=(
            'tydiqa/tydiqa-goldp-v1.1-{split}/tydiqa.goldp.{c}.{split}.json',  # XTREME's
            'tydiqa/tydiqa-goldp-v1.1-{split}/tydiqa.{c}.{split}.json',
            'tydiqa/tydiqa-goldp-v1.1-{split}/tydiqa-goldp-{split}-{name}.json',  # as unpacked
        ),
        sources=(
            Hub('google/xtreme', 'tydiqa', '{hub_split}', ids='{name}-'),
            Hub('google-research-datasets/tydiqa', 'secondary_task', '{hub_split}', ids='{name}-'),
        ),
        home='https://github.com/google-research-datasets/tydiqa',
    ),
    'mlqa_translate_train': Family(
        splits=('train', 'dev'),
        languages=('ar', 'de', 'en', 'es', 'hi', 'vi', 'zh'),
        local=tuple(
            f'{folder}/{file}'
            for file in (
                '{c}_squad-translate-train-{split}-v1.1.json',  # Meta's translations
                'squad.translate.{split}.en-{c}.json',  # XTREME's
            )
            for folder in ('mlqa-translate-train', 'mlqa_translate_train')
        ),
        sources=(
            Hub('facebook/mlqa', 'mlqa-translate-train.{c}', '{hub_split}', 'refs/convert/parquet'),
            Archive(
                'https://dl.fbaipublicfiles.com/MLQA/mlqa-translate-train.tar.gz',
                'mlqa-translate-train/{c}_squad-translate-train-{split}-v1.1.json',
            ),
        ),
        home='https://github.com/facebookresearch/MLQA',
        metric='mlqa',
    ),
    'encyclopedia': Family(
        splits=('train', 'dev', 'test'),
        languages=('ar', 'de', 'en', 'es', 'hi', 'vi'),
        local=('encyclopedia/{split}.{c}.json',),
        sources=(),
        home='xmrc_jax.data.encyclopedia, which writes it',
        metric='mlqa',  # for its six languages
    ),
}
ALIASES = {
    'mlqa_translate_train/train/en': 'squad/train',
    'mlqa_translate_train/dev/en': 'squad/dev',
}
SQUAD_DEV_MINUS_XQUAD = 'squad_dev_minus_xquad'
CORPORA = (*FAMILIES, SQUAD_DEV_MINUS_XQUAD)


def _text(value: object) -> str | None:
    """A text, by which rows are put together; None for what is none."""
    return value if isinstance(value, str) else None


def _download(url: str, path: Path) -> None:
    if constants.HF_HUB_OFFLINE:
        raise UserError('not downloaded, as HF_HUB_OFFLINE is set')
    with urllib.request.urlopen(url, timeout=60) as response, replacing(path) as part:
        size = int(response.headers.get('Content-Length') or 0)
        with (
            open(part, 'wb') as file,
            tqdm.wrapattr(response, 'read', total=size, desc=path.name) as reader,
        ):
            shutil.copyfileobj(reader, file)
        if size and part.stat().st_size != size:
            raise UserError(f'broke off after {part.stat().st_size} of {size} bytes')


def _member(archive: Path, member: str) -> bytes:
    """The bytes of one regular file in a zip or tar archive; nothing else of it is looked at."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                return opened.read(member)
        with tarfile.open(archive) as opened:
            info = opened.getmember(member)
            if not info.isreg():
                raise UserError(f'{archive}: {member} is not a regular file')
            return opened.extractfile(info).read()
    except KeyError:
        raise UserError(f'{archive}: holds no {member}') from None
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UserError(f'{archive}: broken archive, delete it: {error}') from None
