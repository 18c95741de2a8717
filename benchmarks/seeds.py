"""The results of several runs that differ in their seed: mean and sample standard deviation.

python -m benchmarks.seeds runs/small-1 runs/small-2 runs/small-3
"""

import argparse
import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from xmrc_jax.audit import markdown


def report(runs: Iterable[Sequence[dict]]) -> str:
    """A Markdown table with a row for each system and test set.

    Args:
      runs: the records of each run's ``results.json``.
    """
    groups: dict[tuple, list[dict]] = {}
    for records in runs:
        for record in records:
            name = f'{record["dataset"]} {record["context_language"]}'
            groups.setdefault((name, record['system']), []).append(record)
    ks = sorted({k for group in groups.values() for k in group[0]['top_k']}, key=int)
    rows = [
        [
            name,
            system,
            str(len(group)),
            *(_spread([record[score] for record in group]) for score in ('f1', 'exact_match')),
            *(_spread([record['top_k'][k] for record in group]) for k in ks if k != '1'),
        ]
        for (name, system), group in sorted(groups.items())
    ]
    top_k = [f'EM, best {k}' for k in ks if k != '1']
    return markdown(['test set', 'reader', 'runs', 'F1', 'EM', *top_k], rows)


def _spread(values: list[float]) -> str:
    deviation = f' ± {statistics.stdev(values):.1f}' if len(values) > 1 else ''
    return f'{statistics.fmean(values):.1f}{deviation}'


def main() -> None:
    parser = argparse.ArgumentParser(prog='benchmarks.seeds', description=__doc__.splitlines()[0])
    parser.add_argument('workdir', nargs='+', type=Path, help='of a finished run')
    paths = [workdir / 'results.json' for workdir in parser.parse_args().workdir]
    print(report(json.loads(path.read_text('utf-8')) for path in paths))


if __name__ == '__main__':
    main()
