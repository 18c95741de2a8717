"""The paper's tables and figures: each file is a list of entries over a configuration.

    python -m xmrc_jax.sweep --config configs/tables/alpha.py --workdir runs/alpha --seeds 3

Behind a colon, several with commas: what the entries are run on (``mlqa``, ``xquad``; ``small`` on
slices of real text, ``quickstart`` on the embedded corpus, ``xquad_split`` on a part of XQuAD), the
setting (``zero_shot`` or ``translate_train``, where not the paper's), and any variant of
``configs/paper.py``, such as ``infoxlm_base`` or ``smoke``. Other leaves as ever:
``--config.train.epochs=3``.

A table's configuration is that of a run and ``table``: name, title, axis and entries.
"""

from xmrc_jax.configs import mlqa, paper, quickstart, small, xquad, xquad_split

BASES = {
    'mlqa': (mlqa.get_config, paper.VARIANTS),
    'xquad': (xquad.get_config, paper.VARIANTS),
    'small': (small.get_config, paper.VARIANTS),
    'quickstart': (quickstart.get_config, quickstart.VARIANTS),
    'xquad_split': (xquad_split.get_config, xquad_split.VARIANTS),
}
SETTINGS = ('zero_shot', 'translate_train')
TITLES = {
    'mlqa': 'MLQA',
    'xquad': 'XQuAD',
    'small': 'small',
    'quickstart': 'embedded corpus',
    'xquad_split': 'XQuAD, 190 of 240 paragraphs trained on',
}


def entry(label: str, *variants: str, x=None, system='two_stage', paper=None, **leaves) -> dict:
    """A row of a table or a point of a figure.

    Args:
      label: unlike every other of its table; 'Ours' is the paper's own row.
      variants: of ``configs/paper.py``, on top of those behind the colon.
      x: place on the axis; None for a row.
      system: the reader it shows.
      paper: [table, row] of the transcription in ``xmrc_jax/reporting/paper.py``.
      leaves: other changes, with a double underscore for the dot: ``two_stage__alpha=0.3``.
    """
    changes = {name.replace('__', '.'): value for name, value in leaves.items()}
    return dict(label=label, variants=variants, x=x, system=system, paper=paper, changes=changes)


def base(variant: str, default: str = 'mlqa') -> str:
    """The key of ``BASES`` that a variant names."""
    return next((name for name in variant.split(',') if name in BASES), default)


def table(
    name: str,
    title: str,
    entries: list[dict],
    variant: str,
    *,
    default: str = 'mlqa',
    setting: str = '',
    axis: str = '',
    also_xquad: bool = False,
    **leaves,
):
    """The configuration of a table.

    Args:
      name: of the file.
      title: what of the paper it is.
      entries: in their order.
      variant: what stood behind the colon.
      default: the base where the variant names none.
      setting: of all entries; '': each has its own, and a setting that the variant names leaves
        only its entries.
      axis: label of the x axis.
      also_xquad: whether MLQA's readers are tested on XQuAD too.
      leaves: changes to the base, as those of an entry.

    Raises:
      ValueError: no such variant.
    """
    chosen = base(variant, default)
    get_config, variants = BASES[chosen]
    names = [each for each in variant.split(',') if each not in ('', chosen)]
    asked = [each for each in names if each in SETTINGS][-1:]
    config = get_config(','.join([setting or 'zero_shot', *names]))
    if not setting and asked:
        entries = [
            each
            for each in entries
            if {*asked, *each['variants']}.isdisjoint(set(SETTINGS) - {*asked})
        ]
    shown = (asked or [setting])[0].replace('_', '-')
    with config.unlocked():
        config.update_from_flattened_dict(entry('', **leaves)['changes'])
        if also_xquad and chosen == 'mlqa':
            config.data.tests += xquad.get_config().data.tests
        config.table = dict(
            name=name,
            title=', '.join(filter(None, [title, shown, TITLES[chosen]])),
            axis=axis,
            entries=tuple(_resolved(each, variants, chosen) for each in entries),
        )
    return config.lock()


def _resolved(entry: dict, variants: dict, chosen: str) -> dict:
    """An entry whose variants are changes of leaves; the print is of the paper's corpora alone."""
    changes = {}
    for name in entry['variants']:
        changes |= variants[name]
    paper = entry['paper'] if chosen in ('mlqa', 'xquad') else None
    kept = {name: entry[name] for name in ('label', 'x', 'system')}
    return kept | {'paper': paper, 'changes': changes | entry['changes']}
