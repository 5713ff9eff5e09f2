"""What the bench plants is found, by ours and by comparing every pair."""

import numpy as np

from vdata.bench.planted import SEARCH_DISTANCE, brute_force, plant, search_all
from vdata.leaks import LeakConfig


def test_both_find_every_copy(tmp_path):
    hashes = plant(3000, 300)
    distances = np.bitwise_count(hashes[:300] ^ hashes[-300:])
    assert set(distances.tolist()) == set(range(SEARCH_DISTANCE + 1))
    np.save(tmp_path / "hashes.npy", hashes)
    ours, theirs = search_all(tmp_path / "hashes.npy"), brute_force(tmp_path / "hashes.npy")
    assert ours.detail["pairs"] == theirs.detail["pairs"] == 300
    assert ours.work == theirs.work == 3000
    assert LeakConfig().search_distance == SEARCH_DISTANCE
