"""Something-Something v2: templates in brackets, captions, the answers of the test clips."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from vdata import open_shards
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.media.text_codec import load_text, text_of
from vdata.records import Skipped, Video

LABELS = {"Holding something": "1", "Something falling like a feather or paper": "0"}
FEATHER = {
    "id": "92355",
    "label": "a piece of paper falling like a feather or paper",
    "template": "[Something] falling like a feather or paper",
    "placeholders": ["a piece of paper"],
}
HOLDING = {"id": "7", "label": "holding a cup", "template": "Holding [something]", "placeholders": ["a cup"]}


def texts(train: object, labels: object = LABELS, form: str = "labels/{}.json") -> dict[str, str]:
    found = {"labels": labels, "train": train, "test": [{"id": "1"}, {"id": "2"}]}
    return {form.format(name): json.dumps(content) for name, content in found.items()}


def listed(root: Path, split: str = "train") -> list[Video | Skipped]:
    dataset = DATASETS["ssv2"](DATASETS["ssv2"].Config())
    dataset.prepare(root)
    return list(dataset.videos(root, split))


@pytest.mark.parametrize(
    "form", ["labels/{}.json", "something-something-v2-{}.json", "annotations/something-something-v2-{}.json"]
)
@pytest.mark.parametrize("videos", ["20bn-something-something-v2/", "videos/", ""])
def test_classes_and_words(plant, form, videos):
    root = plant(*(f"{videos}{name}.webm" for name in ("92355", "7")), texts=texts([FEATHER, HOLDING], form=form))
    feather, holding = listed(root)
    assert (feather.video_id, feather.source, feather.label) == ("92355", f"{videos}92355.webm", 0)
    assert feather.label_name == "Something falling like a feather or paper"
    assert feather.text == {"caption": FEATHER["label"], "tags": ["a piece of paper"]}
    assert text_of(feather.text).tags == ("a piece of paper",)
    assert (holding.label, holding.label_name, holding.splits) == (1, "Holding something", ("train",))
    assert DATASETS["ssv2"](None).classes(root) == {"label": ("Something falling like a feather or paper", "Holding something")}


def test_test_clips_have_the_class_of_the_answers(plant):
    root = plant("videos/1.webm", "videos/2.webm", texts=texts([]))
    assert [(video.label, video.label_name, video.text) for video in listed(root, "test")] == [(-1, "", {})] * 2
    (root / "labels/test-answers.csv").write_text("1;Holding something\n2;Holding nothing\n")
    first, second = listed(root, "test")
    assert (first.label, first.label_name) == (1, "Holding something")
    assert (second.reason, second.message) == ("bad_row", "its class 'Holding nothing' is none of labels.json")


def test_items_that_are_not_built_are_told(plant):
    odd = [HOLDING | {"template": "Eating [something]", "id": "8"}, {"label": "no id"}, {"id": 5}, "x"]
    root = plant("videos/7.webm", texts=texts([FEATHER, HOLDING, HOLDING, *odd]))
    assert [getattr(entry, "reason", "") for entry in listed(root)] == ["missing", "", "listed_twice", *["bad_row"] * 4]


@pytest.mark.parametrize("number", ["1" * 5000, "\u0661", "-1", 1])
def test_a_class_number_that_is_none_is_refused(plant, number):
    root = plant("videos/7.webm", texts=texts([HOLDING], labels=LABELS | {"x": number}))
    with pytest.raises(ConfigError, match="each class must have a number in quotes"):
        listed(root)


def test_published_validation_list(annotations_root, plant):
    items = json.loads((annotations_root / "ssv2/labels/validation.json").read_text())
    root = plant(*(f"20bn-something-something-v2/{item['id']}.webm" for item in items))
    shutil.copytree(annotations_root / "ssv2/labels", root / "labels")
    videos = listed(root, "val")
    assert [(video.video_id, video.text["caption"]) for video in videos] == [(item["id"], item["label"]) for item in items]
    labels = json.loads((root / "labels/labels.json").read_text())
    assert (len(labels), len(videos)) == (174, 39)
    assert [str(video.label) for video in videos] == [labels[video.label_name] for video in videos]
    assert (videos[0].video_id, videos[0].label_name) == ("74225", "Spinning something that quickly stops spinning")
    assert len(DATASETS["ssv2"](None).classes(root)["label"]) == 174


def test_published_test_list_and_answers(annotations_root, plant):
    root = plant("20bn-something-something-v2/1420.webm", "20bn-something-something-v2/208583.webm")
    shutil.copytree(annotations_root / "ssv2/labels", root / "labels")
    first, *others = listed(root, "test")
    # The pieces of the two files name different clips: this one has no answer here.
    assert (first.video_id, first.label, len(others)) == ("1420", -1, 28)
    answers = [line.split(";") for line in (root / "labels/test-answers.csv").read_text().splitlines()]
    (root / "labels/test.json").write_text(json.dumps([{"id": name} for name, _ in answers]))
    for name, _ in answers:
        (root / f"20bn-something-something-v2/{name}.webm").touch()
    videos = listed(root, "test")
    assert [[video.video_id, video.label_name] for video in videos] == answers
    assert all(video.label >= 0 for video in videos)


def test_wrong_roots(plant, tmp_path):
    with pytest.raises(ConfigError, match="ssv2: looked for a folder"):
        listed(tmp_path / "absent")
    with pytest.raises(ConfigError, match=r"looked for labels/labels\.json .* found nothing"):
        listed(tmp_path)
    root = plant("20bn-something-something-v2-00", texts=texts([HOLDING]))
    with pytest.raises(ConfigError, match=r"the 1 videos of train\.json .* `cat 20bn-something-something-v2-\?\? \| tar xz`"):
        listed(root)
    with pytest.raises(ConfigError, match=r"looked for validation\.json"):
        listed(root, "val")
    for train, labels, words in (
        ({}, LABELS, "must hold a JSON list"),
        ([{"name": 1}], LABELS, "list of items with an id"),
        ([HOLDING], {"Holding something": 1}, "must have a number in quotes"),
        ([HOLDING], {"Holding something": "2"}, "numbered from 0 without a gap"),
    ):
        with pytest.raises(ConfigError, match=words):
            listed(plant(texts=texts(train, labels)))
    (root / "labels/labels.json").write_text(json.dumps(LABELS))
    (root / "labels/train.json").unlink()
    (root / "labels/test.json").unlink()
    with pytest.raises(ConfigError, match=r"looked for train\.json, validation\.json or test\.json"):
        listed(root)


def test_a_build_keeps_class_and_caption(plant, make_video, build_dataset):
    plant(texts=texts([FEATHER, HOLDING], form="root/labels/{}.json"))
    video = make_video("root/videos/7.webm", num_frames=14, size=(64, 48), codec="libvpx-vp9", fps=12)
    (folder,) = build_dataset("ssv2", video.parents[1], splits=("train",)).values()
    (sample,) = open_shards(folder)
    wanted = {"video_id": "7", "label": 1, "label_name": "Holding something", "num_frames": 14, "fps_num": 12}
    assert {name: sample.row[name] for name in wanted} == wanted
    text = load_text(sample["text.json"])
    assert (text.label, text.caption, text.tags) == ("Holding something", "holding a cup", ("a cup",))
