"""Desktop Assembly: .npy features with time first in the folder of the one activity."""

from __future__ import annotations

import numpy as np
import pytest

import vdata
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import FeatureFile

NAME = "2020-04-02-150120"


@pytest.mark.parametrize("folder", ["features/2020", "features"])
def test_it_is_listed_and_built_from_features(plant, build_dataset, folder):
    truth = "bg\n" + "fan\n" * 29
    root = plant(texts={f"groundTruth/{NAME}": truth, "mapping/mapping.txt": "0 bg\n1 fan\n"})
    (root / folder).mkdir(parents=True)
    given = np.random.default_rng(0).normal(size=(30, 512)).astype(np.float32)
    np.save(root / folder / f"{NAME}.npy", given)
    dataset = DATASETS["desktop_assembly"](DATASETS["desktop_assembly"].Config())
    dataset.prepare(root)
    (video,) = dataset.videos(root, "")
    assert video.features == FeatureFile(f"{folder}/{NAME}.npy", "TD")
    assert (video.label, video.label_name, video.facts) == (0, "2020", {"num_labels": 30, "num_actions": 2})
    sample = vdata.open_shards(build_dataset("desktop_assembly", root)[""])[0]
    np.testing.assert_array_equal(sample.features(), given.astype(np.float16))
    assert sample.frame_labels().tolist() == [0] + [1] * 29


def test_wrong_root(plant):
    dataset = DATASETS["desktop_assembly"](DATASETS["desktop_assembly"].Config())
    with pytest.raises(ConfigError, match="desktop_assembly: looked for groundTruth/ with a file for each video"):
        dataset.prepare(plant("DA/features.txt"))
