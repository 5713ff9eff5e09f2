"""50 Salads: the real lists and the start of a ground truth; names, persons, the two numberings of CTE."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import vdata
from vdata.config import from_mapping
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Segment, Skipped, Video


def listed(root: Path, split: str = "", **config) -> list[Video | Skipped]:
    dataset = DATASETS["50salads"](from_mapping(DATASETS["50salads"].Config, config))
    dataset.prepare(root)
    return list(dataset.videos(root, split))


def test_published_lists_and_truth(annotations_root, plant):
    root = plant("features/rgb-01-1.npy", texts={"mapping.txt": "3 cut_tomato\n17 action_start\n18 action_end\n"})
    for folder in ("splits", "groundTruth"):
        shutil.copytree(annotations_root / "50salads" / folder, root / folder)
    first, *others = listed(root, "test")
    assert len(others) == 9
    assert {entry.reason for entry in others if isinstance(entry, Skipped)} == {"missing"}
    assert first.segments == (Segment(0, 604, 17), Segment(604, 1200, 3))
    assert (first.splits, first.label_name, first.facts["person"]) == (("test1",), "rgb", "01")
    (root / "groundTruth/rgb-06-1.txt").write_text("cut_tomato\n")
    (root / "features/rgb-06-1.npy").touch()
    train = listed(root, "train")
    assert (len(train), train[0].video_id) == (40, "rgb-06-1")


def test_two_numberings(plant):
    texts = {
        "mapping/mappingeval.txt": "0 cut_tomato\n0 cut_cheese\n1 mix\n",
        "mapping/mappingmid.txt": "0 cut_tomato\n1 cut_cheese\n2 mix\n",
        "groundTruth/rgb-01-1": "cut_tomato\ncut_cheese\nmix\n",
    }
    root = plant("features/rgb/rgb-01-1.txt", texts=texts)
    assert listed(root, mapping="eval")[0].segments == (Segment(0, 2, 0), Segment(2, 3, 1))
    assert [listed(root, mapping=name)[0].facts["num_actions"] for name in ("eval", "mid")] == [2, 3]
    with pytest.raises(ConfigError, match=r"found mappingeval\.txt, mappingmid\.txt; --set 50salads\.mapping=eval"):
        listed(root)


def test_a_video_is_built(plant, make_video, build_dataset):
    root = plant(texts={"groundTruth/rgb-01-2.txt": "action_start\n" * 8 + "cut\n" * 4, "mapping.txt": "0 cut\n1 action_start\n"})
    make_video(root / "rgb/rgb-01-2.avi", num_frames=10, size=(64, 48), fps=30, codec="mpeg4")
    shards = vdata.open_shards(build_dataset("50salads", root, extract=("keyframes",))[""])
    assert shards[0].frame_labels().tolist() == [1] * 8 + [0] * 2
    # Two labels more than frames: the count keeps them.
    assert (shards[0].row["num_labels"], shards[0].row["num_frames"], shards[0].row["person"]) == (12, 10, "01")
