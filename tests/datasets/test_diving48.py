"""Diving48: its JSON lists and its vocabulary of four words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vdata import open_shards
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

VOCABULARY = [["Back", "15som", "05Twis", "FREE"], ["Forward", "Dive", "NoTwis", "PIKE"]]
A, B = "-mmq0PT-u8k_00067", "_8Vy3dlHg2w_00000"


def entry(name: str, label: object = 0, **facts: object) -> dict[str, object]:
    return {"vid_name": name, "label": label, "start_frame": 0, "end_frame": 64} | facts


def texts(train: object, vocabulary: object = VOCABULARY, folder: str = "") -> dict[str, str]:
    test = [entry(B, 1)]
    found = {"V2_train": train, "V2_test": test, "vocab": vocabulary}
    return {f"{folder}Diving48_{name}.json": json.dumps(content) for name, content in found.items()}


def listed(root: Path, split: str = "train") -> list[Video | Skipped]:
    dataset = DATASETS["diving48"](DATASETS["diving48"].Config())
    dataset.prepare(root)
    return list(dataset.videos(root, split))


@pytest.mark.parametrize(("videos", "lists"), [("rgb/", ""), ("videos/", "annotations/"), ("", "")])
def test_labels_names_and_frames(plant, videos, lists):
    root = plant(*(f"{videos}{name}.mp4" for name in (A, B)), texts=texts([entry(A, 1), entry(B)], folder=lists))
    first, second = listed(root)
    assert (first.video_id, first.source, first.label, first.label_name) == (A, f"{videos}{A}.mp4", 1, "Forward+Dive+NoTwis+PIKE")
    assert first.facts == {"start_frame": 0, "end_frame": 64}
    assert (first.start_seconds, first.end_seconds, second.label) == (0, None, 0)
    assert listed(root, "test")[0].splits == ("test",)
    assert DATASETS["diving48"](None).classes(root) == {"label": ("Back+15som+05Twis+FREE", "Forward+Dive+NoTwis+PIKE")}


def test_entries_that_are_not_built_are_told(plant):
    train = [entry(A), entry(B), entry(A), entry("x", 48), entry("x", "1"), {"label": 1}, "x"]
    root = plant(f"rgb/{A}.mp4", texts=texts(train))
    reasons = [getattr(found, "reason", "") for found in listed(root)]
    assert reasons == ["", "missing", "listed_twice", *["bad_row"] * 4]


def test_a_number_that_no_column_holds_is_left_out(plant):
    train = [entry(A, start_frame=True, end_frame=2**31), entry(B, True), entry("x", 10**400)]
    root = plant(f"rgb/{A}.mp4", f"rgb/{B}.mp4", "rgb/x.mp4", texts=texts(train))
    first, *others = listed(root)
    assert first.facts == {}
    assert [found.reason for found in others] == ["bad_row"] * 2


def test_published_vocabulary_and_names(annotations_root, plant):
    """Not the published files, which nobody here has: their words and names in the form that readers' code expects."""
    names = (annotations_root / "diving48/mmaction2/label_map.txt").read_text().splitlines()
    stems = (annotations_root / "diving48/vpd/train_16_0.ids.txt").read_text().splitlines()
    train = [entry(stem, number % 48) for number, stem in enumerate(stems)]
    vocabulary = [name.split("+") for name in names]
    assert {len(words) for words in vocabulary} == {4}
    root = plant(*(f"rgb/{stem}.mp4" for stem in stems), texts=texts(train, vocabulary))
    videos = listed(root)
    assert [(video.video_id, video.label_name) for video in videos] == [
        (stem, names[number % 48]) for number, stem in enumerate(stems)
    ]
    assert (len(videos), videos[0].video_id) == (40, "-mmq0PT-u8k_00067")


def test_wrong_roots(plant, tmp_path):
    with pytest.raises(ConfigError, match="diving48: looked for a folder"):
        listed(tmp_path / "absent")
    (tmp_path / "Diving48_rgb.tar.gz").touch()
    (tmp_path / "Diving48_train.json").touch()
    with pytest.raises(ConfigError, match=r"looked for Diving48_V2_train\.json .* unpack 'Diving48_rgb\.tar\.gz' first"):
        listed(tmp_path)
    root = plant("rgb/other.mp4", texts=texts([entry(A)]))
    with pytest.raises(ConfigError, match=r"looked for the 1 videos of Diving48_V2_train\.json in '.*/rgb', found other\.mp4"):
        listed(root)
    for train, vocabulary, words in (
        ([{"name": "x"}], VOCABULARY, "each entry must have vid_name and label"),
        ([], VOCABULARY, "each entry must have"),
        ({}, VOCABULARY, "must hold a JSON list"),
        ([entry(A)], ["Back"], "class 0 must be a list of four words"),
    ):
        with pytest.raises(ConfigError, match=words):
            listed(plant(texts=texts(train, vocabulary)))


def test_a_build_keeps_label_and_frames(plant, make_video, build_dataset):
    plant(texts=texts([entry(A, 1), entry(B)], folder="root/"))
    root = make_video(f"root/rgb/{A}.mp4", num_frames=20, size=(64, 48)).parents[1]
    (folder,) = build_dataset("diving48", root, splits=("train",)).values()
    (sample,) = open_shards(folder)
    wanted = {"video_id": A, "label": 1, "label_name": "Forward+Dive+NoTwis+PIKE", "start_frame": 0, "end_frame": 64}
    assert {name: sample.row[name] for name in wanted} == wanted
