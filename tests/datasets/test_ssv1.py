"""Something-Something v1: folders of pictures at 12 a second."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from vdata import open_shards
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

LABELS = "Turning something upside down\nHolding something\n"
TRAIN = "100218;Holding something\n24413;Turning something upside down\n"


def texts(folder: str = "", **changed: str) -> dict[str, str]:
    found = {"labels": LABELS, "train": TRAIN, "validation": TRAIN, "test": "7\n"} | changed
    return {f"{folder}something-something-v1-{name}.csv": text for name, text in found.items()}


def listed(root: Path, split: str = "train", **settings: object) -> list[Video | Skipped]:
    dataset = DATASETS["ssv1"](DATASETS["ssv1"].Config(**settings))
    dataset.prepare(root)
    return list(dataset.videos(root, split))


@pytest.mark.parametrize("lists", ["", "labels/", "annotations/"])
@pytest.mark.parametrize("clips", ["20bn-something-something-v1/", "rawframes/", ""])
def test_folders_of_pictures_are_clips(plant, clips, lists):
    images = [f"{clips}{name}/{number:05d}.jpg" for name in ("100218", "24413", "7") for number in (2, 1, 10)]
    root = plant(*images, texts=texts(lists))
    first, second = listed(root)
    assert (first.video_id, first.source, first.frame_rate) == ("100218", f"{clips}100218", Fraction(12))
    assert first.frames == tuple(f"{clips}100218/{number:05d}.jpg" for number in (1, 2, 10))
    # Labels are lines of the labels file, not places in an order.
    assert [(video.label, video.label_name) for video in (first, second)] == [
        (1, "Holding something"),
        (0, "Turning something upside down"),
    ]
    (test,) = listed(root, "test")
    assert (test.video_id, test.label, test.label_name, test.splits) == ("7", -1, "", ("test",))
    assert len(listed(root, "val")) == 2
    assert listed(root, fps=24)[0].frame_rate == 24
    classes = {"label": ("Turning something upside down", "Holding something")}
    assert DATASETS["ssv1"](DATASETS["ssv1"].Config()).classes(root) == classes


def test_clips_that_are_not_built_are_told(plant):
    train = TRAIN + "100218;Holding something\n8;Eating something\n9;Holding something\n"
    root = plant("frames/100218/00001.jpg", "frames/9/notes.txt", texts=texts(train=train))
    assert [getattr(entry, "reason", "") for entry in listed(root)] == ["", "missing", "listed_twice", "bad_row", "empty"]


def test_wrong_roots_and_settings(plant, tmp_path):
    with pytest.raises(ConfigError, match="ssv1: looked for a folder"):
        listed(tmp_path / "absent")
    with pytest.raises(ConfigError, match=r"looked for something-something-v1-labels\.csv"):
        listed(tmp_path)
    with pytest.raises(ConfigError, match="fps"):
        listed(tmp_path, fps=0)
    root = plant("20bn-something-something-v1-00", texts=texts())
    with pytest.raises(ConfigError, match=r"the 2 folders of .*-train\.csv .* `cat 20bn-something-something-v1-\?\? \| tar xz`"):
        listed(root)
    with pytest.raises(ConfigError, match="each line must be a class of its own"):
        listed(plant(texts=texts(labels="a\na\n")))
    with pytest.raises(ConfigError, match=r"line 1: found ';Holding something', each line must be 'ID;CLASS'"):
        listed(plant(texts=texts(train=";Holding something\n")))
    for name in ("train", "validation", "test"):
        (root / f"something-something-v1-{name}.csv").unlink()
    with pytest.raises(ConfigError, match=r"-train\.csv, -validation\.csv or -test\.csv"):
        listed(root)


def test_a_build_makes_clips_of_the_pictures(plant, make_image, build_dataset, tmp_path):
    plant(texts=texts("root/"))
    for name, count in (("100218", 15), ("24413", 1)):
        for number in range(count):
            make_image(tmp_path / f"root/20bn-something-something-v1/{name}/{number + 1:05d}.jpg", size=(64, 48), seed=number)
    (folder,) = build_dataset("ssv1", tmp_path / "root", splits=("train",)).values()
    rows = {sample.row["video_id"]: sample.row for sample in open_shards(folder)}
    assert {name: (row["label"], row["num_frames"], row["fps_num"], row["fps_den"]) for name, row in rows.items()} == {
        "100218": (1, 15, 12, 1),
        "24413": (0, 1, 12, 1),
    }
    assert rows["100218"]["end_seconds"] == pytest.approx(15 / 12)
