import numpy as np
import pytest

import vdata


def test_it_reads_what_the_loader_would(example, shards):
    found = example.mean_colours(shards)
    samples = vdata.open_shards(shards)
    assert set(found) == {sample.key for sample in samples}
    whole = samples[3].frames()
    assert found[samples[3].key] == pytest.approx(whole[[0, -1]].mean(axis=(0, 1, 2)).tolist())
    some = example.mean_colours(shards, where="label == 1")
    assert some == {sample.key: found[sample.key] for sample in samples if sample.row["label"] == 1}
    assert np.ptp([colour for colours in found.values() for colour in colours]) > 0
