"""Names to corpora: the local folder, then the Hugging Face hub, then the official archive.

Owns where each corpus lies in each of those places, one row of ``FAMILIES`` apiece, and the
manifest. It refuses to know the file format (``squad.read`` and ``squad.write`` do) and never runs
code that came with a data set. Archives are not unpacked: the one wanted member is read out of them
as bytes, so that no name or link inside an archive can reach the disk.

A corpus is named by a spec::

    squad/train  squad/dev  squad_dev_minus_xquad
    mlqa/{dev,test}/{c}  or  mlqa/{dev,test}/{c}-{q}     passage language c, question language q
    xquad/test/{l}
    mlqa_translate_train/{train,dev}/{l}                 en is SQuAD itself
    encyclopedia/{train,dev,test}/{l}
    folder/file.json  file.json.gz@es  file.json@es-en   any SQuAD-format file, English by default
"""

import dataclasses
import difflib
import hashlib
import http.client
import re
import shutil
import tarfile
import urllib.request
import zipfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from huggingface_hub import constants
from tqdm import tqdm

from xmrc_jax.data import squad
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import replacing

CACHE = Path('~/.cache/xmrc_jax')  # by default, of what is fetched and of tokenised windows


class Hub(NamedTuple):
    """A data set on the Hugging Face hub with one row (id, context, question, answers) each.

    On a ``refs/convert/parquet`` branch configurations are plain folders, elsewhere they are names.
    """

    repo: str
    config: str
    split: str
    revision: str = 'main'

    @property
    def target(self) -> str:
        return f'hub/{self.repo}/{self.config}/{self.split}.json'

    @property
    def label(self) -> str:
        return f'hub {self.repo} {self.config}'

    def fetch(self, root: Path | None, cache: Path) -> None:
        import datasets  # takes seconds, and is seldom needed

        is_folder = self.revision.startswith('refs/')
        try:
            rows = datasets.load_dataset(
                self.repo,
                **{'data_dir' if is_folder else 'name': self.config},
                split=self.split,
                revision=self.revision,
            )
        except Exception as error:  # whatever lies below: OSError, ValueError, HTTP errors, ...
            raise UserError(' '.join(str(error).split())[:120]) from None
        missing = {'id', 'context', 'question', 'answers'} - set(rows.column_names)
        if missing:
            raise UserError(f'no columns {sorted(missing)}')
        squad.write(
            cache / self.target,
            (
                squad.Question(
                    id=row['id'],
                    text=row['question'],
                    passage=row['context'],
                    answers=tuple(
                        map(squad.Answer, row['answers']['answer_start'], row['answers']['text'])
                    ),
                    title=row.get('title') or '',
                )
                for row in rows
            ),
        )


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
    """One row of the table of corpora. Templates know {split}, {hub_split}, {c} and {q}.

    Attributes:
      splits: what the spec's second part may be.
      languages: what its third part may be; none means there is no third part.
      metric: of its official script, see ``evaluate.metrics``.
      pairs: whether the third part may also be a pair, passage-question.
      local: files below the data folder, in order of preference; each also as ``.gz``.
      sources: where else to look, in order.
      home: where the files are to be had by hand.
    """

    splits: tuple[str, ...]
    languages: tuple[str, ...]
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


def load(spec: str, *, root: Path | None, cache: Path, strict: bool = False) -> squad.Corpus:
    """Finds, fetches if need be, and reads a corpus.

    Args:
      spec: the corpus's name as the module describes it, or a file.
      root: the local data folder, looked at first; None for none.
      cache: where what is fetched from the hub or an archive is kept as SQuAD-format files. Only
        what neither holds is fetched, and nothing while ``HF_HUB_OFFLINE`` is set.
      strict: refuse defective records instead of dropping them.

    Returns:
      The corpus, called ``spec``. ``squad_dev_minus_xquad`` is SQuAD dev without every passage that
      XQuAD's English part holds (all of XQuAD is translated from SQuAD dev, so selecting a model on
      the rest would leak); its hash is that of the two files' hashes.

    Raises:
      UserError: no such name, split or language; found nowhere; or as ``squad.read``.
    """
    if spec == SQUAD_DEV_MINUS_XQUAD:
        return _without(
            load('squad/dev', root=root, cache=cache, strict=strict),
            load('xquad/test/en', root=root, cache=cache, strict=strict),
        )
    file = re.fullmatch(r'(?P<path>.+\.json(\.gz)?)(@(?P<language>.*))?', spec)
    if file:
        path, language = Path(file['path']).expanduser(), file['language']
        if language is None:
            language = 'en'
        elif not re.fullmatch('[a-z]{2,3}(-[a-z]{2,3})?', language):
            raise UserError(f'{spec}: no language {language!r}; end in one such as @es or @es-en')
        c, _, q = language.partition('-')
        q, metric = q or c, 'squad'
    else:
        family, fields = _parse(ALIASES.get(spec, spec))
        c, q, metric = fields['c'], fields['q'], family.metric
        if root and not root.is_dir():
            raise UserError(f'{root}: no such data folder; set data.root or XMRC_DATA')
        path = _find(spec, family, fields, root, cache)
    return squad.read(
        path, name=spec, context_language=c, question_language=q, metric=metric, strict=strict
    )


def joined(translated: squad.Corpus, original: squad.Corpus, strict: bool = False) -> squad.Corpus:
    """A translated corpus without the questions whose id the original does not have.

    Those are listed among its drops.

    Args:
      translated: such as ``mlqa_translate_train/train/de``.
      original: what it is translated from.
      strict: refuse it if there is such a question.

    Raises:
      UserError: no question is left, or, if ``strict``, one had to go.
    """
    ids = {question.id for question in original.questions}
    ids |= {drop.id for drop in original.drops}
    kept = tuple(question for question in translated.questions if question.id in ids)
    strays = [question.id for question in translated.questions if question.id not in ids]
    reason = f'id not in {original.name}'
    if not kept or (strict and strays):
        raise UserError(
            f'{translated.source}: {len(strays)} of {len(translated.questions)} questions have an '
            f'{reason}, first {strays[0]!r}; is it a translation of it?'
        )
    drops = translated.drops + tuple(squad.Drop(stray, reason) for stray in strays)
    return dataclasses.replace(translated, questions=kept, drops=drops)


def original(spec: str) -> str:
    """The corpus that a translated one is to be joined with, or ''.

    >>> original('mlqa_translate_train/train/de'), original('squad/train')
    ('squad/train', '')
    """
    english = re.sub('/[^/]+$', '/en', spec)
    return '' if spec == english else ALIASES.get(english, '')


def manifest(corpora: Iterable[squad.Corpus], ids_per_reason: int = 5) -> dict[str, dict]:
    """What a run read: JSON-ready counts, hashes and drops of each corpus, by its name.

    Args:
      corpora: the corpora of the run.
      ids_per_reason: how many of the dropped records are named for each reason.

    Returns:
      ``{name: {source, sha256, context_language, question_language, questions, passages, drops}}``,
      where ``drops`` is ``{reason: {count, first_ids}}``.
    """

    def drops(corpus):
        ids = {}
        for drop in corpus.drops:
            ids.setdefault(drop.reason, []).append(drop.id)
        return {
            reason: {'count': len(dropped), 'first_ids': dropped[:ids_per_reason]}
            for reason, dropped in ids.items()
        }

    return {
        corpus.name: {
            'source': corpus.source,
            'sha256': corpus.sha256,
            'context_language': corpus.context_language,
            'question_language': corpus.question_language,
            'questions': len(corpus.questions),
            'passages': len({question.passage for question in corpus.questions}),
            'drops': drops(corpus),
        }
        for corpus in corpora
    }


def _without(dev: squad.Corpus, held_out: squad.Corpus) -> squad.Corpus:
    """``dev`` without the passages ``held_out`` asks of, told by their text or a question's id."""
    ids = {question.id for question in held_out.questions}
    passages = {question.passage for question in held_out.questions}
    passages |= {question.passage for question in dev.questions if question.id in ids}
    questions = tuple(question for question in dev.questions if question.passage not in passages)
    if not questions:
        raise UserError(f'{dev.source}: holds no question outside {held_out.source}')
    return dataclasses.replace(
        dev,
        name=SQUAD_DEV_MINUS_XQUAD,
        questions=questions,
        source=f'{dev.source} minus the passages of {held_out.source}',
        sha256=hashlib.sha256((dev.sha256 + held_out.sha256).encode()).hexdigest(),
    )


def _parse(spec: str) -> tuple[Family, dict[str, str]]:
    """The family of a spec and the values of its templates' fields."""

    def check(kind, value, choices):
        if value not in choices:
            close = difflib.get_close_matches(value, choices, n=1)
            hint = f'did you mean {close[0]!r}? ' if close else ''
            raise UserError(
                f'corpus {spec!r}: no {kind} {value!r}; {hint}choose from {", ".join(choices)}'
                + (' or a path to a .json or .json.gz file' if choices is CORPORA else '')
            )

    name, *parts = spec.split('/')
    check('corpus', name, CORPORA)
    family = FAMILIES.get(name)
    if not family:
        raise UserError(f'corpus {spec!r}: write {name}, which has no parts')
    if len(parts) != 1 + bool(family.languages):
        form = f'{name}/{{{",".join(family.splits)}}}'
        if family.languages:
            form += f'/{{{",".join(family.languages)}}}'
        pair = ' or a pair such as es-en (passage-question)' if family.pairs else ''
        raise UserError(f'corpus {spec!r}: write {form}{pair}')
    split, *language = parts
    check('split', split, family.splits)
    c = q = language[0] if language else 'en'
    if family.pairs and '-' in c:
        c, q = c.split('-', 1)
    for value in (c, q) if language else ():
        check('language', value, family.languages)
    hub_split = 'validation' if split == 'dev' else split
    return family, {'split': split, 'hub_split': hub_split, 'c': c, 'q': q}


def _find(
    spec: str, family: Family, fields: dict[str, str], root: Path | None, cache: Path
) -> Path:
    """The file of a corpus: (1) local, (2) fetched before, (3) fetched now, in table order."""
    names = [template.format(**fields) for template in family.local]
    sources = [
        source._make(template.format(**fields) for template in source) for source in family.sources
    ]
    candidates = [root / (name + end) for name in names for end in ('', '.gz')] if root else []
    candidates += [cache / source.target for source in sources]
    for path in candidates:
        if path.exists():
            return path
    failures = [f'no {" or ".join(names)} (or .gz) below {root or "a data folder (none is set)"}']
    for source in sources:
        path = cache / source.target
        print(f'{spec}: not here, asking {source.label}', flush=True)
        try:
            source.fetch(root, cache)
            squad.read(path)
        except (UserError, OSError, http.client.HTTPException) as error:
            with suppress(OSError):
                path.unlink()
            failures.append(f'{source.label}: {error}')
        else:
            return path
    raise UserError(
        f'corpus {spec!r} not found: {"; ".join(failures)}; put the file into the data folder '
        f'(data.root or XMRC_DATA), see {family.home}'
    )


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
