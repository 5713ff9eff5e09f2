"""Random numbers: against Philox written from its paper."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from pipelines.philox import NUM_UNIFORMS, ORDER, SAMPLE, raw_numbers, uniforms

MASK = 2**64 - 1


def philox(counter: list[int], key: list[int]) -> list[int]:
    """One block of Philox4x64-10. Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 4.3."""
    c, k = list(counter), list(key)
    for _ in range(10):
        left, right = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [(right >> 64) ^ c[1] ^ k[0], right & MASK, (left >> 64) ^ c[3] ^ k[1], left & MASK]
        k = [(k[0] + 0x9E3779B97F4A7C15) & MASK, (k[1] + 0xBB67AE8584CAA73B) & MASK]
    return c


@pytest.mark.parametrize("view", [2, SAMPLE, ORDER])
def test_uniforms_are_philox_of_position_view_and_epoch(view):
    key = np.random.SeedSequence(11).generate_state(2, np.uint64).tolist()
    blocks = NUM_UNIFORMS // 4
    # NumPy counts on before it makes a block.
    raw = [philox([7 * blocks + i + 1, 0, view, 3], key) for i in range(blocks)]
    expected = [(value >> 11) / 2**53 for value in itertools.chain(*raw)]
    assert uniforms(11, 3, np.array([7]), view)[0].tolist() == expected
    assert raw_numbers(11, [7 * blocks, 0, view, 3], 6).tolist() == [*raw[0], *raw[1]][:6]


@pytest.mark.parametrize("positions", [[100, 101, 102], [5], [8, 9, 0, 1], [3, 3, 4], [9, 2, 7, 1], []])
def test_a_positions_numbers_do_not_depend_on_those_around_it(positions):
    rows = uniforms(0, 1, np.array(positions, np.int64), view=0)
    assert rows.shape == (len(positions), NUM_UNIFORMS)
    for row, position in zip(rows, positions, strict=True):
        assert np.array_equal(row, uniforms(0, 1, np.array([position]), view=0)[0])


def test_seed_epoch_position_and_view_each_change_all_numbers():
    addresses = [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (0, 0, 0, SAMPLE)]
    rows = [uniforms(seed, epoch, np.array([position]), view) for seed, epoch, position, view in addresses]
    for one, other in itertools.combinations(rows, 2):
        assert not np.any(one == other)


def test_the_numbers_are_uniform():
    rows = uniforms(0, 0, np.arange(500), view=0)
    assert rows.min() >= 0
    assert rows.max() < 1
    assert stats.kstest(rows.ravel(), "uniform").pvalue > 0.01


def test_no_number_is_no_number():
    assert raw_numbers(0, [0, 0, 0, 0], 0).shape == (0,)
    assert raw_numbers(0, [0, 0, 0, 0], 1).shape == (1,)
