"""Names to corpora: the local folder, then the Hugging Face hub, then the official archive.

Owns the order in which those places are looked at, what becomes of what is found, and the manifest.
It refuses to know the places (``families`` does) and the file format (``squad`` does).

A corpus is named by a spec::

    squad/train  squad/dev  squad_dev_minus_xquad
    squad2/train  squad2/dev                             with questions that have no answer
    mlqa/{dev,test}/{c}  or  mlqa/{dev,test}/{c}-{q}     passage language c, question language q
    xquad/test/{l}
    tydiqa/{train,dev}/{l}                               TyDiQA-GoldP
    mlqa_translate_train/{train,dev}/{l}                 en is SQuAD itself
    encyclopedia/{train,dev,test}/{l}
    folder/file.json  file.jsonl.gz@es  file.csv@es-en  file.parquet@pt-BR:en  folder:train@de
                                                         any file or folder of ``tables``' kinds,
                                                         English by default
    hub:{id}:{split}  hub:{id}:{config}:{split}@es       any data set of the hub in SQuAD's columns
"""

import dataclasses
import difflib
import hashlib
import http.client
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from xmrc_jax.data import languages, squad, tables
from xmrc_jax.data.defects import by_reason, counted
from xmrc_jax.data.families import ALIASES, CORPORA, FAMILIES, SQUAD_DEV_MINUS_XQUAD, Family, Hub
from xmrc_jax.ground.errors import UserError

LANGUAGES = frozenset(each for family in FAMILIES.values() for each in family.languages)
HUB = re.compile(r'hub:(?P<id>[\w.-]+(/[\w.-]+)?)(:(?P<config>[\w.-]+))?:(?P<split>\w+)')
CACHE = Path('~/.cache/xmrc_jax')  # by default, of what is fetched and of tokenised windows


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
      the rest would leak); its hash is that of the two files' hashes. The metric of a file is
      MLQA's where that has rules for the language of its passages, else SQuAD's; SQuAD 2.0's where
      they are English and a question has no answer.

    Raises:
      UserError: no such name, split or language; found nowhere; or as ``squad.read``.
    """
    if spec == SQUAD_DEV_MINUS_XQUAD:
        return _without(
            load('squad/dev', root=root, cache=cache, strict=strict),
            load('xquad/test/en', root=root, cache=cache, strict=strict),
        )
    if own := _own(spec):
        source, written = own
        try:
            c, q = languages.pair(written, LANGUAGES)
        except ValueError as error:
            raise UserError(f'{spec}: {error}') from None
        metric = 'mlqa' if languages.primary(c) in FAMILIES['mlqa'].languages else 'squad'
        path = source if isinstance(source, Path) else _find(spec, source, {}, None, cache)
    else:
        family, fields = _parse(ALIASES.get(spec, spec))
        c, q, metric = fields['c'], fields['q'], family.metric
        if root and not root.is_dir():
            raise UserError(f'{root}: no such data folder; set data.root or XMRC_DATA')
        path = _find(spec, family, fields, root, cache)
    corpus = squad.read(
        path, name=spec, context_language=c, question_language=q, metric=metric, strict=strict
    )
    if own and corpus.unanswerable and languages.primary(c) == 'en':
        corpus = dataclasses.replace(corpus, metric='squad2')
    return corpus


def _own(spec: str) -> tuple[Path | Family, str] | None:
    """The file or the place on the hub that a spec names, and its languages; else None."""
    ends = '|'.join(map(re.escape, tables.ENDINGS))
    if file := re.fullmatch(f'(.+(?:{ends}))(?:@(.*))?', spec, re.IGNORECASE):
        path, written = file.groups('en')
        return Path(path).expanduser(), written
    name, _, written = spec.partition('@')
    if hub := HUB.fullmatch(name):
        source = Hub(hub['id'], hub['config'] or '', hub['split'])
        home = f'https://huggingface.co/datasets/{hub["id"]}'
        return Family((), (), (), (source,), home), written or 'en'
    path = Path(name).expanduser()
    return (path, written or 'en') if tables.is_saved(str(path)) else None


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
    drops = translated.drops + tuple(squad.Defect(stray, reason) for stray in strays)
    return dataclasses.replace(translated, questions=kept, drops=drops)


def original(spec: str) -> str:
    """The corpus that a translated one is to be joined with, or ''.

    >>> original('mlqa_translate_train/train/de'), original('squad/train')
    ('squad/train', '')
    """
    english = re.sub('/[^/]+$', '/en', spec)
    return '' if spec == english else ALIASES.get(english, '')


def hub_id(name: str) -> str:
    """The data set on the hub that a corpus is in, or ''.

    >>> hub_id('xquad/test/es'), hub_id('hub:me/own:train@de'), hub_id('own/train.json@de')
    ('google/xquad', 'me/own', '')
    """
    if hub := HUB.fullmatch(name.partition('@')[0]):
        return hub['id']
    family = FAMILIES.get(name.partition('/')[0])
    return next((source.repo for source in family.sources), '') if family else ''


def public(name: str) -> str:
    """A name as strangers may see it: of a file, not the folders of this machine it lies in.

    >>> public('/home/ada/own/train.json@de'), public('mlqa/test/es')
    ('train.json@de', 'mlqa/test/es')
    """
    return Path(name).name if name.startswith(('/', '~')) else name


def manifest(corpora: Iterable[squad.Corpus]) -> dict[str, dict]:
    """What a run read: JSON-ready counts, hashes, drops and mends of each corpus, by its name.

    Returns:
      ``{name: {source, sha256, context_language, question_language, questions, passages, drops,
      mends}}``, where ``drops`` and ``mends`` are ``{reason: {count, first_ids}}``, five of them.
    """

    def named(listed):
        return {reason: counted(ids) for reason, ids in by_reason(listed).items()}

    return {
        corpus.name: {
            'source': corpus.source,
            'sha256': corpus.sha256,
            'context_language': corpus.context_language,
            'question_language': corpus.question_language,
            'questions': len(corpus.questions),
            'passages': len({question.passage for question in corpus.questions}),
            'drops': named(corpus.drops),
            'mends': named(corpus.mends),
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
                + (f', a file: {tables.KNOWN}, or hub:ID:SPLIT' if choices is CORPORA else '')
            )

    name, *parts = spec.split('/')
    check('corpus', name or spec, CORPORA)
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
    names = family.languages
    name = names[c] if isinstance(names, Mapping) else c
    return family, {'split': split, 'hub_split': hub_split, 'c': c, 'q': q, 'name': name}


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
    below = root or 'a data folder (none is set)'
    failures = [f'no {" or ".join(names)} (or .gz) below {below}'] if names else []
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
