"""Kinetics-700: its class list, times that are no whole seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from vdata import open_shards
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

HEADER = "label,youtube_id,time_start,time_end,split\n"


def listed(root: Path, split: str, **settings: object) -> list[Video | Skipped]:
    dataset = DATASETS["kinetics700"](DATASETS["kinetics700"].Config(**settings))
    dataset.prepare(root)
    return list(dataset.videos(root, split))


def test_published_class_list(annotations_root, plant):
    """The 700 classes in mmaction2's order: the byte-sorted labels of the train list."""
    names = (annotations_root / "kinetics700/mmaction2/label_map_k700.txt").read_text().splitlines()
    assert (len(names), names[0], names[-1]) == (700, "abseiling", "zumba")
    rows = "".join(f"{name},{number:011d},0,10,train\n" for number, name in enumerate(names))
    root = plant(*(f"train/{number:011d}_000000_000010.mp4" for number in range(700)), texts={"train.csv": HEADER + rows})
    assert [video.label for video in listed(root, "train")] == list(range(700))
    assert DATASETS["kinetics700"](None).classes(root) == {"label": tuple(names)}


@pytest.mark.parametrize("folder", ["", "annotations/", "kinetics700_2020/", "annotations/deepmind/kinetics700_2020/"])
def test_float_times_and_places_of_lists(plant, folder):
    rows = "ski jumping,-aaaaaaaaaa,7.0,17.0,train\nski jumping,bbbbbbbbbbb,3.5,13.25,train\n"
    root = plant("train/-aaaaaaaaaa_000007_000017.mp4", "train/bbbbbbbbbbb.mp4", texts={f"{folder}train.csv": HEADER + rows})
    first, second = listed(root, "train")
    assert (first.video_id, first.facts["time_start"], first.facts["time_end"]) == ("-aaaaaaaaaa_000007_000017", 7.0, 17.0)
    assert (second.video_id, second.facts["time_start"], second.facts["time_end"]) == ("bbbbbbbbbbb_000003_000013", 3.5, 13.25)
    assert [video.start_seconds for video in listed(root, "train", whole_videos=True)] == [0.0, 3.5]


def test_wrong_roots(plant, tmp_path):
    with pytest.raises(ConfigError, match="kinetics700: looked for a folder"):
        listed(tmp_path / "absent", "train")
    root = plant("train.json")
    with pytest.raises(ConfigError, match=r"looked for train\.csv, val\.csv or test\.csv .* found train\.json"):
        listed(root, "train")


def test_a_build_keeps_the_times(plant, make_video, build_dataset):
    texts = {"root/annotations/train.csv": f"{HEADER}ski jumping,-aaaaaaaaaa,3.5,4.25,train\n"}
    root = plant(texts=texts) / "root"
    make_video("root/train/-aaaaaaaaaa.mp4", num_frames=125, size=(64, 48))
    settings = {"kinetics700": {"whole_videos": True}, "clip": {"min_seconds": 0.1}}
    (folder,) = build_dataset("kinetics700", root, splits=("train",), **settings).values()
    (sample,) = open_shards(folder)
    wanted = {"video_id": "-aaaaaaaaaa_000003_000004", "label": 0, "label_name": "ski jumping"}
    wanted |= {"time_start": 3.5, "time_end": 4.25}
    assert {name: sample.row[name] for name in wanted} == wanted
    assert (sample.row["start_seconds"], sample.row["end_seconds"]) == pytest.approx((3.5, 4.25), abs=0.04)
