"""Kinetics-400: the published CSV files against the layouts in which people hold the videos."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import pytest

from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

HEADER = "label,youtube_id,time_start,time_end,split,is_cc\n"
TRAIN = f"""{HEADER}"petting animal (not cat)",-aaaaaaaaaa,7,17,train,0
Zumba,bbbbbbbbbbb,1989,1999,train,0
abseiling,ccccccccccc,0,10,train,1
"""
A, B, C = "-aaaaaaaaaa_000007_000017", "bbbbbbbbbbb_001989_001999", "ccccccccccc_000000_000010"


def listed(root: Path, split: str = "train") -> list[Video | Skipped]:
    dataset = DATASETS["kinetics400"](DATASETS["kinetics400"].Config())
    dataset.prepare(root)
    return list(dataset.videos(root, split))


def test_flat_layout_of_the_mirror(plant):
    root = plant(*(f"train/{stem}.mp4" for stem in (A, B, C)), texts={"annotations/train.csv": TRAIN})
    videos = listed(root)
    assert [video.source for video in videos] == [f"train/{stem}.mp4" for stem in (A, B, C)]
    # Byte order: capitals come first.
    assert [(video.label, video.label_name) for video in videos] == [
        (2, "petting animal (not cat)"),
        (0, "Zumba"),
        (1, "abseiling"),
    ]
    assert videos[0].facts == {"youtube_id": "-aaaaaaaaaa", "time_start": 7, "time_end": 17}
    assert (videos[0].video_id, videos[0].split, videos[0].splits) == (A, "train", ("train",))


@pytest.mark.parametrize(
    "folder", ["train/petting animal (not cat)", "videos_train/petting_animal_(not_cat)", "petting animal (not cat)"]
)
def test_class_folders(plant, folder):
    root = plant(f"{folder}/{A}.mp4", texts={"kinetics-400_train.csv": TRAIN})
    assert [getattr(entry, "reason", entry.source) for entry in listed(root)] == [f"{folder}/{A}.mp4", "missing", "missing"]


def test_of_two_files_the_labels_own_folder_wins(plant):
    root = plant(f"train/Zumba/{A}.mp4", f"train/petting_animal_(not_cat)/{A}.mp4", texts={"train.csv": TRAIN})
    assert listed(root)[0].source == f"train/petting_animal_(not_cat)/{A}.mp4"


def test_replacement_wins_by_id(plant):
    replacement = "replacement/replacement_for_corrupted_k400/-aaaaaaaaaa.mp4"
    root = plant(*(f"train/{stem}.mp4" for stem in (A, B)), replacement, texts={"train.csv": TRAIN})
    first, second, third = listed(root)
    assert (first.source, second.source, third.reason) == (replacement, f"train/{B}.mp4", "missing")


def test_class_indices_come_from_the_train_csv(plant):
    val = "youtube_id,label,split,time_start,time_end\nddddddddddd,abseiling,validate,3.0,13.0\n"
    root = plant("val/ddddddddddd_000003_000013.mp4", texts={"train.csv": TRAIN, "validate.csv": val})
    assert listed(root, "val")[0].label == 1
    (root / "train.csv").unlink()
    assert listed(root, "val")[0].label == 0
    (root / "train.csv").write_text(TRAIN.replace("abseiling", "archery"))
    with pytest.raises(ConfigError, match=r"label 'abseiling' of .* is none of the 3"):
        listed(root, "val")


def test_rows_listed_twice_and_missing_files_are_skipped(plant):
    root = plant(f"train/{A}.mp4", texts={"train.csv": TRAIN + TRAIN.splitlines()[1]})
    skipped = [(entry.reason, entry.video_id) for entry in listed(root) if isinstance(entry, Skipped)]
    assert skipped == [("missing", B), ("missing", C), ("listed_twice", A)]


def test_published_val_csv(annotations_root, plant):
    source = annotations_root / "kinetics400" / "kinetics-400_val.csv"
    with source.open() as file:
        rows = list(csv.reader(file))[1:]
    names = [f"{row[1]}_{int(row[2]):06d}_{int(row[3]):06d}.mp4" for row in rows]
    root = plant(*(f"val/{name}" for name in names))
    shutil.copy(source, root)
    videos = listed(root, "val")
    assert [Path(video.source).name for video in videos] == names
    assert [video.label_name for video in videos] == [row[0] for row in rows]
    assert "massaging person's head" in {video.label_name for video in videos}
    ordered = sorted({row[0].encode() for row in rows})
    assert all(ordered[video.label] == video.label_name.encode() for video in videos)


def test_published_test_csv_has_no_labels(annotations_root, plant):
    root = plant("test/--6bJUbfpnQ_000017_000027.mp4")
    shutil.copy(annotations_root / "kinetics400" / "kinetics-400_test.csv", root)
    first, *others = listed(root, "test")
    assert (first.source, first.label, first.label_name) == ("test/--6bJUbfpnQ_000017_000027.mp4", -1, "")
    assert {entry.reason for entry in others} == {"missing"}


def test_no_stat_per_row(plant, monkeypatch):
    """240,000 rows must list in seconds: the calls into the file system grow with folders, not with rows."""
    calls = []
    for name in ("stat", "lstat", "scandir"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, real=real, **kwargs: (calls.append(args), real(*args, **kwargs))[1])
    ids = [f"{i:011d}" for i in range(500)]
    rows = "".join(f"run,{name},0,10,train\n" for name in ids)
    root = plant(*(f"train/{name}_000000_000010.mp4" for name in ids), texts={"train.csv": HEADER.replace(",is_cc", "") + rows})
    calls.clear()
    assert sum(isinstance(entry, Video) for entry in listed(root)) == 500
    assert len(calls) < 60


def test_wrong_roots(plant, tmp_path):
    with pytest.raises(ConfigError, match="found nothing; --root must hold"):
        listed(tmp_path / "absent")
    with pytest.raises(ConfigError, match=r"looked for train\.csv, val\.csv or test\.csv"):
        listed(tmp_path)
    root = plant("elsewhere/deeper/still/a.mp4", texts={"train.csv": TRAIN})
    with pytest.raises(
        ConfigError, match=r"the 3 rows of train\.csv, such as -aaaaaaaaaa_000007_000017\.mp4,.* found elsewhere, train\.csv"
    ):
        listed(root)
    with pytest.raises(ConfigError, match=r"looked for val\.csv"):
        listed(root, "val")
    (root / "train.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match="line 2 must have youtube_id"):
        listed(root)
