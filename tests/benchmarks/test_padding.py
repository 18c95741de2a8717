"""A stage's own lengths lie between one program and one for every length, in both respects."""

import pytest

from benchmarks import padding


@pytest.mark.parametrize('steps', [30, 3000])
def test_own_lengths_are_between_the_extremes(steps):
    row = dict(zip(padding.HEADER[:-1], padding.row(16, steps), strict=False))
    *_, finest = padding.row(16, steps)
    shares = [float(each.rstrip('%')) for each in (finest, row['padding'], row['one program'])]
    assert shares == sorted(shares)
    assert 1 <= int(row['programs']) < int(row['every length'])
    if steps == 3000:  # most of what may be spared is
        assert shares[1] - shares[0] < (shares[2] - shares[0]) / 4
