"""SDU-VID, of whose files nobody here has seen one: the two layouts that are guessed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import vdata
from vdata.config import from_mapping
from vdata.datasets import DATASETS
from vdata.datasets.sdu_vid import halves
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

PEOPLE = ["0001", "0002", "0003", "0004", "0005"]


def listed(root: Path, split: str, fold: int = 0) -> list[Video | Skipped]:
    dataset = DATASETS["sdu_vid"](from_mapping(DATASETS["sdu_vid"].Config, {"fold": fold}))
    dataset.prepare(root)
    return list(dataset.videos(root, split))


def test_halves_are_drawn_once_and_for_all():
    folds = halves(PEOPLE)
    assert len(folds) == 10
    assert all(sorted(fold.train + fold.test) == PEOPLE and len(fold.test) == 2 for fold in folds)
    # sha256sum of "0/0001" to "0/0005", by the command line: 26b2, a373, 1125, 9c04, 0d4a.
    assert folds[0].test == ("0003", "0005")
    assert len({fold.test for fold in folds}) > 3
    assert halves(PEOPLE[::-1]) == folds


def test_folders_as_in_mars(plant):
    root = plant(*(f"{person}/{camera}/{frame}.jpg" for person in PEOPLE for camera in "12" for frame in "01"), "readme/a1/x.txt")
    test, train = listed(root, "test"), listed(root, "train")
    assert [video.video_id for video in test] == ["0003/1", "0003/2", "0005/1", "0005/2"]
    assert test[0].frames == ("0003/1/0.jpg", "0003/1/1.jpg")
    assert [video.facts for video in test[:2]] == [{"pid": 3, "camid": 0}, {"pid": 3, "camid": 1}]
    assert [video.label for video in train[::2] + test[::2]] == [0, 1, 2, 3, 4]
    assert (test[0].splits[0], test[0].splits[-1], test[1].splits[-1]) == ("test0", "query", "gallery")


def test_folders_of_the_owners_code(plant):
    root = plant(
        *(f"sequences/cam{camera}/person{person[1:]}/{frame}.png" for person in PEOPLE for camera in "12" for frame in "01")
    )
    videos = listed(root, "train", fold=3) + listed(root, "test", fold=3)
    assert sorted(video.source for video in videos) == [
        f"sequences/cam{camera}/person{person[1:]}" for camera in "12" for person in PEOPLE
    ]
    assert {video.facts["pid"] for video in videos} == {1, 2, 3, 4, 5}


def test_wrong_roots(plant, tmp_path):
    with pytest.raises(ConfigError, match="sdu_vid: looked for a folder"):
        listed(tmp_path / "absent", "train")
    with pytest.raises(ConfigError, match=r"looked for sequences/CAMERA/PERSON or PERSON/CAMERA folders in '.*', found nothing"):
        listed(tmp_path, "train")
    with pytest.raises(ConfigError, match=r"found notes.txt, videos; --root"):
        listed(plant("notes.txt", "videos/1.mp4"), "train")
    with pytest.raises(ConfigError, match=r"looked for images of the 5 people of train in"):
        listed(plant(*(f"000{number}/1/notes.txt" for number in range(10))), "train")


def test_build(plant, make_image, build_dataset, tmp_path):
    for seed, person in enumerate(PEOPLE[:2]):
        for camera in "12":
            make_image(tmp_path / "root" / person / camera / "1.jpg", (48, 96), seed)
    folders = build_dataset("sdu_vid", tmp_path / "root")
    rows = [sample.row for split in ("train", "test") for sample in vdata.open_shards(folders[split])]
    assert sorted((row["split"], row["label"], row["camid"], row["num_frames"]) for row in rows) == [
        ("test", 1, 0, 1),
        ("test", 1, 1, 1),
        ("train", 0, 0, 1),
        ("train", 0, 1, 1),
    ]


def test_people_and_cameras_of_any_bytes(tmp_path):
    for person in (b"a\xff1", b"b2"):
        for camera in (b"1", b"c\xff2"):
            folder = tmp_path / os.fsdecode(person + b"/" + camera)
            folder.mkdir(parents=True)
            (folder / "1.jpg").touch()
    videos = listed(tmp_path, "train") + listed(tmp_path, "test")
    assert len({video.video_id for video in videos}) == 4
    names = DATASETS["sdu_vid"](from_mapping(DATASETS["sdu_vid"].Config, {})).classes(tmp_path)["label"]
    for video in videos:
        assert names[video.label] == video.label_name
        f"{video.video_id} {video.label_name}".encode()
        assert all((tmp_path / name).exists() for name in video.frames)
