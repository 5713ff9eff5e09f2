"""Numbers out of one number: uniform, of no visible relation to one another, and the same in Python's own integers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipelines.expand import expanded


def split_mix(seed: int, count: int) -> list[float]:
    """SplitMix64 from its authors' C, in integers without a limit; the seed goes through its finaliser first."""
    whole = 2**64

    def mixed(z: int) -> int:
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % whole
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % whole
        return z ^ (z >> 31)

    return [(mixed((mixed(seed) + (i + 1) * 0x9E3779B97F4A7C15) % whole) >> 11) / 2**53 for i in range(count)]


@pytest.mark.parametrize("u", [0.0, 0.5, 0.1, 1 - 2**-53])
def test_numbers_are_split_mix_s(u):
    assert expanded(u, 5).tolist() == split_mix(int(u * 2**53), 5)


def test_every_number_of_an_array_has_a_row_of_its_own_and_more_begin_with_the_same():
    u = np.random.default_rng(0).random((3, 2))
    rows = expanded(u, 7)
    assert rows.shape == (3, 2, 7)
    assert np.array_equal(expanded(u, 20)[..., :7], rows)
    assert np.array_equal(rows[2, 1], expanded(u[2, 1], 7))
    assert expanded(u, 0).shape == (3, 2, 0)


@pytest.mark.parametrize("u", [np.arange(2000) / 2000, np.random.default_rng(0).random(2000), np.arange(2000) * 2.0**-53])
def test_numbers_are_uniform_and_unrelated(u):
    """Equal steps from seed to seed, down to the smallest, are the hardest case."""
    rows = expanded(u, 50)
    assert 0 <= rows.min() < rows.max() < 1
    assert stats.kstest(rows.ravel(), "uniform").pvalue > 0.01
    # Correlations of 2,000 pairs have a standard deviation of 0.022.
    related = np.corrcoef(rows.T) - np.eye(50)
    assert np.abs(related).max() < 0.022 * 5
    assert abs(np.corrcoef(rows[:-1].ravel(), rows[1:].ravel())[0, 1]) < 0.02
