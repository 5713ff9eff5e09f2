"""Breakfast: the real ground truths and lists, the folders of the videos, and a build with labels by frame."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import vdata
from vdata.config import from_mapping
from vdata.datasets import DATASETS
from vdata.records import Skipped, Video

VIDEOS = "BreakfastII_15fps_qvga_sync"


def listed(root: Path, split: str = "", **config) -> list[Video | Skipped]:
    dataset = DATASETS["breakfast"](from_mapping(DATASETS["breakfast"].Config, config))
    dataset.prepare(root)
    return list(dataset.videos(root, split))


def test_published_truths_of_cte(annotations_root, plant):
    real = annotations_root / "breakfast"
    # The pieces have the features of one of the two.
    root = plant("features/coffee/P03_cam01_P03_coffee.txt")
    for folder in ("groundTruth", "mapping", "features"):
        shutil.copytree(real / folder, root / folder, dirs_exist_ok=True)
    first, second = listed(root)
    assert (first.video_id, second.video_id) == ("P03_cam01_P03_coffee", "P08_webcam01_P08_coffee")
    # As `uniq -c` counts them: SIL, take_cup, pour_coffee, pour_milk, SIL.
    assert [(s.end - s.start, s.label) for s in first.segments] == [(38, 0), (161, 6), (179, 5), (397, 2), (142, 0)]
    lines = (real / "groundTruth" / second.video_id).read_text().split()
    names = DATASETS["breakfast"](DATASETS["breakfast"].Config()).classes(root)["frame"]
    assert [names[s.label] for s in second.segments for _ in range(s.start, s.end)] == lines
    assert (len(names), names[0], names[7], names[47]) == (48, "SIL", "spoon_sugar", "stir_tea")
    assert second.facts == {"person": "P08", "camera": "webcam01", "num_labels": 271, "num_actions": 4}
    assert (second.label, second.label_name) == (1, "coffee")


def test_published_list_of_ms_tcn(annotations_root, plant):
    real = annotations_root / "breakfast"
    root = plant("features/P03_cam01_P03_coffee.npy", "features/P03_stereo01_P03_coffee.npy")
    shutil.copytree(real / "ms-tcn", root, dirs_exist_ok=True)
    shutil.copy(real / "mapping/mapping.txt", root)
    (root / "splits/train.split1.bundle").write_text("P03_stereo01_P03_coffee.txt\n")
    entries = listed(root, "test")
    there = [entry for entry in entries if isinstance(entry, Video)]
    assert (len(entries), [video.video_id for video in there]) == (
        60,
        ["P03_cam01_P03_coffee", "P03_stereo01_P03_coffee"],
    )
    assert {entry.reason for entry in entries if isinstance(entry, Skipped)} == {"missing"}
    assert [video.facts["num_labels"] for video in there] == [917, 917]
    assert there[1].splits == ("test1", "train1")


@pytest.mark.parametrize("top", [f"{VIDEOS}/", ""])
def test_videos_are_found_by_person_and_camera(plant, top):
    names = ["P03_cam01_P03_coffee", "P03_stereo01_P03_coffee", "P10_webcam02_P10_tea", "P04_stereo01_P04_tea"]
    files = ["P03/cam01/P03_coffee", "P03/stereo/P03_coffee_ch1", "P03/stereo/P03_coffee_ch0", "P10/webcam02/P10_tea"]
    texts = {f"groundTruth/{name}": "SIL\n" for name in names} | {"mapping.txt": "0 SIL\n"}
    root = plant(*(f"{top}{name}.avi" for name in [*files, "P04/stereo/P04_tea_ch1", "P04/stereo/P04_juice_ch0"]), texts=texts)
    assert {video.video_id: video.source for video in listed(root)} == {
        names[0]: f"{top}P03/cam01/P03_coffee.avi",
        # Of the two channels the first.
        names[1]: f"{top}P03/stereo/P03_coffee_ch0.avi",
        names[2]: f"{top}P10/webcam02/P10_tea.avi",
        names[3]: f"{top}P04/stereo/P04_tea_ch1.avi",
    }


def test_videos_are_built_with_labels_and_features(plant, make_video, build_dataset):
    name = "P03_cam01_P03_coffee"
    labels = ["SIL"] * 4 + ["take_cup"] * 9 + ["SIL"] * 5
    root = plant(texts={f"groundTruth/{name}.txt": "\n".join(labels) + "\n", "mapping/mapping.txt": "0 SIL\n6 take_cup\n"})
    make_video(root / f"{VIDEOS}/P03/cam01/P03_coffee.avi", num_frames=18, size=(64, 48), fps=15, codec="mpeg4")
    given = np.random.default_rng(0).normal(size=(18, 5))
    (root / "features/coffee").mkdir(parents=True)
    np.savetxt(root / f"features/coffee/{name}.txt", given)
    folder = build_dataset("breakfast", root, clip={"seconds": 0.4, "min_seconds": 0.1}, extract=("keyframes",))[""]
    shards = vdata.open_shards(folder)
    clips = sorted(shards, key=lambda sample: sample.row["clip_in_video"])
    assert [clip.row["num_frames"] for clip in clips] == [6, 6, 6]
    assert [shards.classes["frame"][i] for clip in clips for i in clip.frame_labels()] == labels
    np.testing.assert_array_equal(np.concatenate([clip.features() for clip in clips]), given.astype(np.float16))
    row = clips[2].row
    assert (row["label"], row["label_name"], row["person"], row["camera"]) == (1, "coffee", "P03", "cam01")
    assert (row["num_labels"], row["num_actions"], row["num_labelled"]) == (18, 2, 6)
