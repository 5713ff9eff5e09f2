"""Kinetics-600: its unquoted lists, the mirror's incomplete ones, the two test lists."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from vdata import open_shards
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

HEADER = "label,youtube_id,time_start,time_end,split\n"
ROWS = "passing american football (not in game),-aaaaaaaaaa,7,17,train\nair drumming,bbbbbbbbbbb,0,10,train\n"
A, B = "-aaaaaaaaaa_000007_000017", "bbbbbbbbbbb_000000_000010"


def listed(root: Path, split: str, **settings: object) -> list[Video | Skipped]:
    dataset = DATASETS["kinetics600"](DATASETS["kinetics600"].Config(**settings))
    dataset.prepare(root)
    return list(dataset.videos(root, split))


def test_published_val_csv(annotations_root, plant):
    source = annotations_root / "kinetics600" / "kinetics-600_val.csv"
    with source.open() as file:
        rows = list(csv.DictReader(file))
    names = [f"{row['youtube_id']}_{int(row['time_start']):06d}_{int(row['time_end']):06d}" for row in rows]
    # One folder a class, blanks and brackets in its name, as the crawler makes them.
    root = plant(*(f"val/{row['label']}/{name}.mp4" for row, name in zip(rows, names, strict=True)))
    shutil.copy(source, root)
    videos = listed(root, "val")
    assert len(videos) == len(rows) == 53
    assert [video.video_id for video in videos] == names
    assert (videos[0].source, videos[0].label_name) == ("val/abseiling/yq_M1PMw2hY_000038_000048.mp4", "abseiling")
    ordered = sorted({row["label"].encode() for row in rows})
    assert all(ordered[video.label] == video.label_name.encode() for video in videos)
    assert b"passing american football (not in game)" in ordered


def test_published_test_csv(annotations_root, plant):
    root = plant("test/LAcSOxdNrmI_000061_000071.mp4")
    shutil.copy(annotations_root / "kinetics600" / "kinetics-600_test.csv", root)
    first, *others = listed(root, "test")
    assert (first.source, first.label, len(others)) == ("test/LAcSOxdNrmI_000061_000071.mp4", -1, 13)
    assert {entry.reason for entry in others} == {"missing"}


def test_the_crawlers_whole_list_goes_before_the_mirrors_incomplete_one(plant):
    texts = {"annotations/train.csv": HEADER + ROWS.splitlines()[0], "annotations/kinetics-600_train.csv": HEADER + ROWS}
    root = plant(f"train/{A}.mp4", f"train/{B}.mp4", texts=texts | {"annotations/train.txt": "of no known form"})
    assert [video.video_id for video in listed(root, "train")] == [A, B]
    (root / "annotations/kinetics-600_train.csv").unlink()
    assert [video.video_id for video in listed(root, "train")] == [A]
    (root / "annotations/val.csv").write_text(HEADER + ROWS.splitlines()[0])
    (root / "annotations/validate.csv").write_text(HEADER + ROWS)
    (root / "annotations/train.csv").unlink()
    (root / "train").rename(root / "val")
    assert [video.video_id for video in listed(root, "val")] == [A, B]


def test_the_holdout_is_a_test_list_of_its_own(plant):
    test, holdout = (f"youtube_id,time_start,time_end,split\n{row},test\n" for row in ("ddddddddddd,1,11", "eeeeeeeeeee,2,12"))
    root = plant(
        "test/ddddddddddd_000001_000011.mp4",
        "test/eeeeeeeeeee_000002_000012.mp4",
        texts={"annotations/test.csv": test, "annotations/kinetics600_holdout_test.csv": holdout},
    )
    assert [video.video_id for video in listed(root, "test")] == ["ddddddddddd_000001_000011"]
    assert [video.video_id for video in listed(root, "test", test="holdout")] == ["eeeeeeeeeee_000002_000012"]
    (root / "annotations/kinetics600_holdout_test.csv").unlink()
    with pytest.raises(ConfigError, match=r"looked for train\.csv|kinetics600_holdout_test\.csv"):
        listed(root, "test", test="holdout")
    with pytest.raises(ConfigError, match="must be test or holdout"):
        listed(root, "test", test="both")


def test_one_id_with_two_clips_is_two_videos(plant):
    again = "air drumming,-aaaaaaaaaa,100,110,train\n"
    root = plant(f"train/{A}.mp4", "train/-aaaaaaaaaa_000100_000110.mp4", texts={"train.csv": HEADER + ROWS + again})
    entries = listed(root, "train")
    assert [(entry.video_id, getattr(entry, "reason", "")) for entry in entries] == [
        (A, ""),
        (B, "missing"),
        ("-aaaaaaaaaa_000100_000110", ""),
    ]
    assert entries[0].facts["youtube_id"] == entries[2].facts["youtube_id"]


def test_wrong_roots(plant, tmp_path):
    with pytest.raises(ConfigError, match=r"kinetics600: looked for a folder at .*, found nothing"):
        listed(tmp_path / "absent", "train")
    with pytest.raises(ConfigError, match=r"looked for train\.csv, val\.csv or test\.csv .* found nothing"):
        listed(tmp_path, "train")
    root = plant("val/air drumming.tar.gz", texts={"val.csv": HEADER + ROWS})
    with pytest.raises(ConfigError, match=r"found air drumming\.tar\.gz; .* unpack 'air drumming\.tar\.gz'"):
        listed(root, "val")


def test_a_build_keeps_label_and_times(plant, make_video, build_dataset, tmp_path):
    root = plant(texts={"root/kinetics-600_train.csv": HEADER + ROWS}) / "root"
    make_video(f"root/train/air drumming/{B}.mp4", num_frames=25, size=(64, 48))
    (folder,) = build_dataset("kinetics600", root, splits=("train",)).values()
    (sample,) = open_shards(folder)
    wanted = {"video_id": B, "label": 0, "label_name": "air drumming", "splits": ["train"], "num_frames": 25}
    wanted |= {"youtube_id": "bbbbbbbbbbb", "time_start": 0, "time_end": 10, "start_seconds": 0.0, "end_seconds": 1.0}
    assert {name: sample.row[name] for name in wanted} == wanted
