"""Desktop Assembly: .npy features with time first in the folder of the one activity."""

from __future__ import annotations

import numpy as np
import pytest

import vdata
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import FeatureFile

NAME = "2020-04-02-150120"


def test_it_is_listed_and_built_from_features(plant, build_dataset):
    root = plant(texts={f"groundTruth/{NAME}": "bg\nfan\nfan\n", "mapping/mapping.txt": "0 bg\n1 fan\n"})
    (root / "features/2020").mkdir(parents=True)
    given = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.save(root / f"features/2020/{NAME}.npy", given)
    dataset = DATASETS["desktop_assembly"](DATASETS["desktop_assembly"].Config())
    dataset.prepare(root)
    (video,) = dataset.videos(root, "")
    assert video.features == FeatureFile(f"features/2020/{NAME}.npy", "TD")
    assert (video.label, video.label_name, video.facts) == (0, "2020", {"num_labels": 3, "num_actions": 2})
    sample = vdata.open_shards(build_dataset("desktop_assembly", root)[""])[0]
    np.testing.assert_array_equal(sample.features(), given)
    assert sample.frame_labels().tolist() == [0, 1, 1]


def test_wrong_root(plant):
    dataset = DATASETS["desktop_assembly"](DATASETS["desktop_assembly"].Config())
    with pytest.raises(ConfigError, match="desktop_assembly: looked for groundTruth/ with a file for each video"):
        dataset.prepare(plant("DA/features.txt"))
