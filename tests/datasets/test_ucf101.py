"""UCF101: the published lists against the files on disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import vdata
from vdata.config import from_mapping
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

CLASSES = "1 Archery\r\n2 HandstandPushups\r\n3 YoYo\r\n"
ARCHERY, PUSHUPS, YOYO = (
    "Archery/v_Archery_g01_c01.avi",
    "HandstandPushups/v_HandStandPushups_g01_c01.avi",
    "YoYo/v_YoYo_g02_c01.avi",
)
LISTS = {
    "classInd": CLASSES,
    "trainlist01": f"{ARCHERY} 1\r\n{PUSHUPS} 2\r\n",
    "testlist01": f"{YOYO}\r\n",
    "trainlist02": f"{YOYO} 3\r\n",
    "testlist02": f"{PUSHUPS}\r\n\r\n{ARCHERY}\r\n",
}


def listed(root: Path, split: str, fold: int = 1) -> list[Video | Skipped]:
    dataset = DATASETS["ucf101"](from_mapping(DATASETS["ucf101"].Config, {"fold": fold}))
    dataset.prepare(root)
    return list(dataset.videos(root, split))


def planted(plant, videos: str = "videos/", lists: str = "ucfTrainTestlist/", **changed: str) -> Path:
    texts = {f"{lists}{name}.txt": text for name, text in (LISTS | changed).items()}
    return plant(*(videos + name for name in (ARCHERY, PUSHUPS, YOYO)), texts=texts)


def test_labels_folds_and_memberships(plant):
    root = planted(plant)
    archery, pushups = listed(root, "train")
    assert (archery.video_id, archery.source, archery.label, archery.label_name) == (
        "v_Archery_g01_c01",
        f"videos/{ARCHERY}",
        0,
        "Archery",
    )
    assert (pushups.label, pushups.label_name, pushups.splits) == (1, "HandstandPushups", ("train1", "test2"))
    assert [video.label for video in listed(root, "test", fold=2)] == [1, 0]
    assert listed(root, "test")[0].splits == ("test1", "train2")


@pytest.mark.parametrize(("videos", "lists"), [("UCF-101/", ""), ("", "annotations/"), ("UCF101/", "ucfTrainTestlist/")])
def test_other_layouts(plant, videos, lists):
    assert [video.source for video in listed(planted(plant, videos, lists), "train")] == [videos + ARCHERY, videos + PUSHUPS]


def test_another_container_is_found_by_its_stem(plant):
    root = planted(plant)
    (root / "videos" / ARCHERY).rename((root / "videos" / ARCHERY).with_suffix(".MP4"))
    assert listed(root, "train")[0].source == "videos/Archery/v_Archery_g01_c01.MP4"


def test_missing_video_is_skipped(plant):
    root = planted(plant)
    (root / "videos" / ARCHERY).unlink()
    missing, pushups = listed(root, "train")
    assert (missing.reason, missing.source, missing.video_id) == ("missing", ARCHERY, "v_Archery_g01_c01")
    assert isinstance(pushups, Video)


def test_published_lists(annotations_root, plant):
    lists = annotations_root / "ucf101" / "ucfTrainTestlist"
    lines = (lists / "trainlist01.txt").read_text().split("\n")
    names = [line.split(" ")[0] for line in lines if line]
    root = plant(*(f"UCF-101/{name}" for name in names))
    shutil.copytree(lists, root / "ucfTrainTestlist")
    videos = listed(root, "train")
    assert [video.source for video in videos] == [f"UCF-101/{name}" for name in names]
    # The published numbers are 1-based, and the class is the folder's spelling, not the file's.
    assert [video.label + 1 for video in videos] == [int(line.split(" ")[1]) for line in lines if line]
    assert {video.label_name for video in videos if "HandStandPushups" in video.video_id} == {"HandstandPushups"}
    assert all(video.splits == ("train1",) for video in videos)
    with pytest.raises(ConfigError, match="the 56 videos of the test list"):
        listed(root, "test")


def test_contradicting_lists_are_refused(plant):
    with pytest.raises(ConfigError, match=r"not as classInd\.txt numbers"):
        listed(planted(plant, trainlist01=f"{ARCHERY} 2\r\n"), "train")
    with pytest.raises(ConfigError, match=r"not as classInd\.txt numbers"):
        listed(planted(plant, trainlist01="Bowling/v_Bowling_g01_c01.avi 1\r\n"), "train")
    with pytest.raises(ConfigError, match="NUMBER CLASS"):
        listed(planted(plant, classInd="Archery\r\n"), "train")


@pytest.mark.parametrize("number", ["0", "-1", "\u0661", "1" * 5000, "x"])
def test_a_class_number_that_is_none_is_refused(plant, number):
    """0 would be label -1, which is no class."""
    with pytest.raises(ConfigError, match=r"classInd\.txt' line 2: found '.*, it must be 'NUMBER CLASS', NUMBER from 1"):
        listed(planted(plant, classInd=f"1 Archery\r\n{number} HandstandPushups\r\n"), "train")


def test_two_classes_of_one_number_are_refused(plant):
    with pytest.raises(ConfigError, match="found 3 lines, each must have a class and a number of its own"):
        listed(planted(plant, classInd=CLASSES.replace("3 YoYo", "2 YoYo")), "train")


def test_bytes_that_are_no_text_are_refused(plant):
    root = planted(plant)
    (root / "ucfTrainTestlist/trainlist01.txt").write_bytes(b"Archery/\xff.avi 1\n")
    with pytest.raises(ConfigError, match=r"trainlist01\.txt': found a byte that is no utf-8-sig"):
        listed(root, "train")


def test_a_repeated_line_is_counted(plant):
    entries = listed(planted(plant, trainlist01=f"{ARCHERY} 1\n{PUSHUPS} 2\n{ARCHERY} 1\n"), "train")
    assert [getattr(entry, "reason", "") for entry in entries] == ["", "", "listed_twice"]
    assert (entries[2].source, entries[2].video_id) == (ARCHERY, "v_Archery_g01_c01")
    # A list that says a video twice still is one list.
    assert entries[0].splits == ("train1", "test2")


def test_a_build(plant, make_video, build_dataset):
    root = planted(plant, videos="elsewhere/")
    for seed, name in enumerate((ARCHERY, PUSHUPS, YOYO)):
        make_video(f"UCF-101/{name}", num_frames=25 + seed, fps=25, size=(64, 48), seed=seed)
    folders = build_dataset("ucf101", root)
    assert list(folders) == ["train", "test"]
    rows = {split: {sample.row["video_id"]: sample.row for sample in vdata.open_shards(folders[split])} for split in folders}
    assert {split: set(found) for split, found in rows.items()} == {
        "train": {"v_Archery_g01_c01", "v_HandStandPushups_g01_c01"},
        "test": {"v_YoYo_g02_c01"},
    }
    found = {(row["label"], row["label_name"], row["num_frames"], tuple(row["splits"])) for row in rows["train"].values()}
    assert found == {(0, "Archery", 25, ("train1", "test2")), (1, "HandstandPushups", 26, ("train1", "test2"))}
    (test,) = rows["test"].values()
    assert (test["split"], test["label"], test["splits"], test["source"]) == ("test", 2, ["test1", "train2"], f"UCF-101/{YOYO}")
    for folder in folders.values():
        assert vdata.open_shards(folder).classes == {"label": ("Archery", "HandstandPushups", "YoYo")}


def test_wrong_roots_and_settings(plant, tmp_path):
    with pytest.raises(ConfigError, match=r"looked for ucfTrainTestlist/trainlist03\.txt"):
        listed(planted(plant), "train", fold=3)
    with pytest.raises(ConfigError, match=r"ucf101: split \('val'\) must be one of train, test"):
        listed(tmp_path, "val")
    with pytest.raises(ConfigError, match="fold"):
        listed(tmp_path, "train", fold=4)
