"""YouTube Instructions: tasks by name, raw spans, background without a class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vdata
from vdata.datasets import DATASETS
from vdata.errors import ConfigError

TIRE, COFFEE = "changing_tire_0001", "coffee_0007"


def listed(root: Path):
    dataset = DATASETS["youtube_instructions"](DATASETS["youtube_instructions"].Config())
    dataset.prepare(root)
    return list(dataset.videos(root, ""))


@pytest.fixture
def root(plant):
    mapping = "-1 bg\n0 jack_up\n1 undo_bolts\n2 fill_water\n"
    texts = {f"groundTruth/{TIRE}.txt": "1-3 bg\n4-5 jack_up\n6-6 undo_bolts\n", f"groundTruth/{COFFEE}": "bg\nfill_water\n"}
    return plant(texts=texts | {"groundTruth/mapping/mapping.txt": mapping})


def test_tasks_and_background(root, plant):
    plant(f"features/changing_tire/{TIRE}.txt", f"features/coffee/{COFFEE}.txt")
    tire, coffee = listed(root)
    assert [(video.label, video.label_name) for video in (tire, coffee)] == [(0, "changing_tire"), (1, "coffee")]
    # Background is no step: K of the tables leaves it out.
    assert [video.facts["num_actions"] for video in (tire, coffee)] == [2, 1]


def test_it_is_built_from_features(root, build_dataset):
    for activity, name, length in (("changing_tire", TIRE, 6), ("coffee", COFFEE, 2)):
        (root / "features" / activity).mkdir(parents=True)
        np.savetxt(root / f"features/{activity}/{name}.txt", np.arange(length * 3).reshape(length, 3))
    shards = vdata.open_shards(build_dataset("youtube_instructions", root)[""])
    labels = {sample.row["video_id"]: sample.frame_labels().tolist() for sample in shards}
    assert labels == {TIRE: [-1, -1, -1, 0, 0, 1], COFFEE: [-1, 2]}
    assert {sample.row["video_id"]: sample.features().shape for sample in shards} == {TIRE: (6, 3), COFFEE: (2, 3)}
    assert shards.classes == {
        "frame": ("jack_up", "undo_bolts", "fill_water"),
        "label": ("changing_tire", "coffee", "cpr", "jump_car", "repot"),
    }


def test_wrong_root(root):
    with pytest.raises(ConfigError, match=r"youtube_instructions: looked for the video of a file of groundTruth/"):
        listed(root)
