"""AVA-Kinetics: annotated seconds of YouTube videos against clips of Kinetics-700, by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

import vdata
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

A, B, C = "-_aa_bbbbbb", "bbbbbbbbbbb", "ccccccccccc"
ROWS = (
    f"{A},12.5,0.1,0.2,0.3,0.4,12\n{A},12.5,0.1,0.2,0.3,0.4,80\n{A},41.0,0.1,0.2,0.3,0.4,1\n{A},20.0,0.1,0.2,0.3,0.4,2\n"
    f"{B},5\n{B},77.000,0.5,0.5,0.9,0.9,17\n{C},3.0,0.1,0.2,0.3,0.4,12\n"
)
CSV = "ava_kinetics_v1_0/kinetics_train_v1.0.csv"


def made():
    return DATASETS["ava_kinetics"](DATASETS["ava_kinetics"].Config())


def listed(root: Path, split: str = "train") -> list[Video | Skipped]:
    dataset = made()
    dataset.prepare(root)
    return list(dataset.videos(root, split))


def test_seconds_go_to_the_clip_that_holds_them(plant):
    clips = [f"{A}_000010_000020", f"{A}_000012_000022", f"{A}_000040_000050", f"{A}_000060_000070", f"{B}_000070_000080"]
    root = plant(*(f"train/class {i}/{clip}.mp4" for i, clip in enumerate(clips)), texts={CSV: ROWS})
    entries = listed(root)
    videos = {entry.video_id: entry for entry in entries if isinstance(entry, Video)}
    # 12.5 is in two clips, and is the earlier's; 20.0 is the first one's end, and so the second's; the last holds nothing.
    assert list(videos) == [clips[0], clips[1], clips[2], clips[4]]
    first = videos[clips[0]]
    assert (first.source, first.facts) == (f"train/class 0/{clips[0]}.mp4", {"youtube_id": A, "time_start": 10, "time_end": 20})
    assert first.boxes.table["seconds"].tolist() == [2.5, 2.5]
    assert first.boxes.table["class"].tolist() == [12, 80]
    assert videos[clips[1]].boxes.table["seconds"].tolist() == [8.0]
    assert videos[clips[4]].boxes.table["seconds"].tolist() == [7.0]
    skipped = [entry for entry in entries if isinstance(entry, Skipped)]
    assert [(entry.reason, entry.video_id) for entry in skipped] == [("no_box", ""), ("missing", C)]
    assert "1 rows of kinetics_train_v1.0.csv have not seven columns of numbers, the first is line 5" in skipped[0].message


def test_a_second_outside_all_clips(plant):
    root = plant(f"videos/{A}_000010_000020.mp4", "videos/other.mp4", "videos/x_y_z.mp4", texts={CSV: ROWS})
    skipped = [entry for entry in listed(root) if isinstance(entry, Skipped)]
    assert [(entry.reason, entry.video_id) for entry in skipped] == [
        ("no_box", ""),
        ("outside", A),
        ("outside", A),
        ("missing", B),
        ("missing", C),
    ]
    assert skipped[1].message == "none of its 1 clips holds second 20"


def test_wrong_roots(plant, tmp_path):
    with pytest.raises(ConfigError, match="found nothing; --root must hold kinetics_"):
        made().prepare(tmp_path / "absent")
    root = plant("ava_kinetics_v1_0.tar.gz")
    with pytest.raises(ConfigError, match=r"looked for kinetics_train_v1\.0\.csv .* unpack 'ava_kinetics_v1_0\.tar\.gz' first"):
        listed(root)
    plant("train/a/other_000001_000011.mp4", texts={CSV: ROWS})
    with pytest.raises(ConfigError, match=rf"clips of the 3 videos of kinetics_train_v1\.0\.csv, such as {A}_000010_000020"):
        listed(root)
    with pytest.raises(ConfigError, match=r"looked for kinetics_val_v1\.0\.csv"):
        listed(root, "val")
    plant(texts={CSV: f"{A},12.5\n"})
    with pytest.raises(ConfigError, match=r"line 1: found '-_aa_bbbbbb,12\.5', each row must be VIDEO,SECONDS"):
        listed(root)


def test_a_clip_is_built_with_its_boxes(plant, make_video, build_dataset):
    lists = 'label {\n  name: "stand"\n  label_id: 12\n}\n'
    rows = f"{B},10.4,0.0,0.0,0.5,1.0,12\n{B},10.4,0.5,0.5,1.0,1.0,12\n"
    root = plant(texts={CSV: rows, "ava_kinetics_v1_0/ava_action_list_v2.2.pbtxt": lists})
    make_video(root / f"train/stand up/{B}_000010_000020.mp4", num_frames=10, size=(64, 48), fps=10)
    folders = build_dataset("ava_kinetics", root, extract=("keyframes",))
    assert list(folders) == ["train"]
    shards = vdata.open_shards(folders["train"])
    boxes = shards[0].boxes("dataset")
    assert boxes["frame"].tolist() == [4, 4]
    assert [boxes[name].tolist() for name in ("x0", "y0", "x1", "y1")] == [[0, 32], [0, 24], [32, 64], [48, 48]]
    assert (shards[0].row["youtube_id"], shards[0].row["time_start"], shards.classes["box"][12]) == (B, 10, "stand")
