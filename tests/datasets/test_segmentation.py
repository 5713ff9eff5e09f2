"""What the segmentation datasets share: both published layouts, folds, ground truths, rows of videos or of features alone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import vdata
from vdata.config import from_mapping
from vdata.datasets import DATASETS, splits_of
from vdata.errors import ConfigError
from vdata.records import FeatureFile, Segment, Skipped, Video

COFFEE, TEA, LATE = "P03_cam01_P03_coffee", "P03_webcam01_P03_tea", "P04_stereo01_P04_coffee"
MAPPING = "0 SIL\n1 pour_coffee\n2 take_cup\n3 pour_water\n"
TRUTHS = {COFFEE: "SIL\nSIL\npour_coffee\n", TEA: "SIL\npour_water\ntake_cup\nSIL\n", LATE: "take_cup\r\npour_coffee\r\n"}


def dataset_at(root: Path, name: str = "breakfast", **config):
    dataset = DATASETS[name](from_mapping(DATASETS[name].Config, config))
    dataset.prepare(root)
    return dataset


def listed(root: Path, split: str = "", **config) -> list[Video | Skipped]:
    dataset = dataset_at(root, **config)
    assert split in (splits_of(dataset, root) or ("",))
    return list(dataset.videos(root, split))


@pytest.fixture
def cte(plant):
    """CTE's layout: no extension, a folder for each activity, the mapping in a folder, no lists."""
    texts = {f"groundTruth/{name}": text for name, text in TRUTHS.items()} | {"mapping/mapping.txt": MAPPING}
    return plant(*(f"features/{name.rpartition('_')[2]}/{name}.txt" for name in TRUTHS), texts=texts)


@pytest.fixture
def ms_tcn(plant):
    """MS-TCN's layout, with lists of two folds."""
    texts = {f"groundTruth/{name}.txt": text for name, text in TRUTHS.items()} | {"mapping.txt": MAPPING}
    lists = {"train.split1": [COFFEE, TEA], "test.split1": [LATE], "train.split2": [LATE, TEA], "test.split2": [COFFEE]}
    texts |= {f"splits/{name}.bundle": "".join(f"{video}.txt\n" for video in videos) for name, videos in lists.items()}
    return plant(*(f"features/{name}.npy" for name in TRUTHS), texts=texts)


def test_the_layout_without_lists_is_one_set(cte):
    coffee, tea, late = listed(cte)
    assert [video.video_id for video in (coffee, tea, late)] == [COFFEE, TEA, LATE]
    assert (coffee.medium, coffee.source) == ("features", f"features/coffee/{COFFEE}.txt")
    assert coffee.features == FeatureFile(f"features/coffee/{COFFEE}.txt", "TD")
    assert coffee.segments == (Segment(0, 2, 0), Segment(2, 3, 1))
    assert (coffee.split, coffee.splits, coffee.label_name) == ("", (), "coffee")
    # Coffee's two videos have SIL, pour_coffee and take_cup; the tea's, two of them and another.
    assert [video.facts["num_actions"] for video in (coffee, tea, late)] == [3, 3, 3]
    assert [video.facts["num_labels"] for video in (coffee, tea, late)] == [3, 4, 2]


def test_lists_are_splits_and_each_video_names_all_of_its_own(ms_tcn):
    coffee, tea = listed(ms_tcn, "train")
    assert (coffee.split, coffee.splits, tea.splits) == ("train", ("test2", "train1"), ("train1", "train2"))
    assert coffee.features == FeatureFile(f"features/{COFFEE}.npy", "DT")
    # K is of the whole activity, with the videos of the other list.
    assert coffee.facts["num_actions"] == 3
    assert [video.video_id for video in listed(ms_tcn, "test", fold=2)] == [COFFEE]
    assert [video.split for video in listed(ms_tcn, fold=0)] == ["", "", ""]
    assert listed(ms_tcn, "train", axes="TD")[0].features.axes == "TD"


def test_what_is_not_there_is_skipped(ms_tcn):
    (ms_tcn / f"features/{TEA}.npy").unlink()
    (ms_tcn / "splits/train.split1.bundle").write_text(f"{COFFEE}.txt\n{TEA}.txt\n{COFFEE}.txt\nP99_cam01_P99_milk.txt\n")
    (ms_tcn / "groundTruth/notes.txt").write_text("of the people who wrote this\n")
    for stray in (".hidden", os.fsdecode(b"P\xff_cam01_P\xff_tea")):
        (ms_tcn / "groundTruth" / stray).touch()
    entries = listed(ms_tcn, "train")
    assert [(entry.reason, entry.video_id) for entry in entries[1:]] == [
        ("missing", TEA),
        ("listed_twice", COFFEE),
        ("missing", "P99_cam01_P99_milk"),
    ]
    assert "its ground truth is not there" in entries[3].message
    assert [entry.reason for entry in listed(ms_tcn, fold=0) if isinstance(entry, Skipped)] == ["missing", "unknown_name"]


def test_videos_come_before_features(cte):
    (cte / "videos").mkdir()
    (cte / f"videos/{COFFEE}.avi").touch()
    coffee, tea, _ = listed(cte)
    assert (coffee.medium, coffee.source, coffee.features.source) == (
        "video",
        f"videos/{COFFEE}.avi",
        f"features/coffee/{COFFEE}.txt",
    )
    assert tea.message == "no video of it is there; its features are: --set breakfast.input=features builds those"
    assert {video.medium for video in listed(cte, input="features")} == {"features"}


def test_a_class_that_the_mapping_has_not_is_refused(cte):
    (cte / f"groundTruth/{TEA}").write_text("SIL\n\nSIL\n")
    with pytest.raises(ConfigError, match=rf"{TEA}' line 2: found '', must be one of the 4 classes"):
        listed(cte)
    (cte / f"groundTruth/{TEA}").write_text("SIL\npour_beer\n")
    with pytest.raises(ConfigError, match=rf"{TEA}' line 2: found 'pour_beer'"):
        listed(cte)


def test_other_mappings_are_named(cte):
    (cte / "mapping/mapping.txt").rename(cte / "mapping/mappingmid.txt")
    with pytest.raises(ConfigError, match=r"looked for mapping\.txt .* --set breakfast\.mapping=mid takes mappingmid\.txt"):
        listed(cte)
    assert len(listed(cte, mapping="mid")) == 3


def test_wrong_roots(plant, cte, tmp_path):
    def refused(rule: str, root: Path = cte, **config):
        with pytest.raises(ConfigError, match=rule):
            listed(root, **config)

    refused(r"looked for splits/train\.split3\.bundle", fold=3)
    refused("looked for the video of a file of groundTruth/, such as 'P03", input="videos")
    refused("found nothing; --root must hold groundTruth/", cte / "absent")
    refused("found a file", cte / "mapping/mapping.txt")
    (cte / "empty").mkdir()
    refused("looked for groundTruth/ with a file for each video .* found nothing", cte / "empty")
    (cte / "mapping/mapping.txt").unlink()
    refused(r"looked for mapping/mapping\.txt")
    (cte / "mapping.txt").write_text("zero SIL\n")
    refused(r"line 1: found 'zero SIL', must be 'INDEX CLASS'")
    (cte / "mapping.txt").write_text(MAPPING)
    shutil.rmtree(cte / "features")
    (cte / "features.zip").touch()
    refused(r"or videos/, or features/, in .* unpack 'features\.zip' first")
    dataset = dataset_at(plant("features/x.npy"))
    with pytest.raises(ConfigError, match="must be empty: the dataset has no splits"):
        list(dataset.videos(cte, "train"))


def test_lists_without_any_of_their_videos(ms_tcn):
    (ms_tcn / f"features/{LATE}.npy").unlink()
    with pytest.raises(ConfigError, match=rf"features of the 1 names of the test list, such as '{LATE}', in"):
        listed(ms_tcn, "test")


def test_rows_of_features_are_built(ms_tcn, build_dataset):
    rng = np.random.default_rng(0)
    given = {name: rng.normal(size=(6, 1 + text.count("\n"))).astype(np.float32) for name, text in TRUTHS.items()}
    for name, features in given.items():
        np.save(ms_tcn / f"features/{name}.npy", features)
    folders = build_dataset("breakfast", ms_tcn)
    assert list(folders) == ["train", "test"]
    shards = vdata.open_shards(folders["train"])
    rows = {sample.row["video_id"]: sample for sample in shards}
    assert rows.keys() == {COFFEE, TEA}
    for name, sample in rows.items():
        # One more than labels: neither is cut.
        np.testing.assert_array_equal(sample.features(), given[name].T.astype(np.float16))
        assert sample.row["num_labels"] == len(given[name].T) - 1
    assert shards.classes["frame"] == ("SIL", "pour_coffee", "take_cup", "pour_water")
    assert shards.classes["label"][1] == "coffee"
