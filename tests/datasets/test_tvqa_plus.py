"""TVQA+: questions with boxes on frames at 3 a second."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from vdata import open_shards
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

ONE, TWO = "s01e02_seg02_clip_12", "s02e01_seg02_clip_04"
ANSWERS = {f"a{i}": f"answer {i}" for i in range(5)}


def box(frame: int, label: str, left: int, top: int, width: int, height: int) -> dict[str, object]:
    return {"img_id": frame, "top": top, "height": height, "width": width, "label": label, "left": left}


def row(qid: int, name: str, bbox: dict[str, list], ts: list[float] | None = None) -> dict[str, object]:
    return ANSWERS | {"qid": qid, "q": "Why ?", "answer_idx": "3", "ts": ts or [0.0, 1.4], "bbox": bbox, "vid_name": name}


RAJ, PENNY = box(1, "Raj", 136, 14, 256, 346), box(4, "Penny", 320, 180, 321, 180)
VAL = [
    row(1, ONE, {"4": [PENNY], "1": [RAJ], "7": []}),
    row(2, ONE, {"1": [RAJ, box(1, "Amy", 0, 0, 10, 20)]}, ts=[9.0, 8.0]),
    row(3, TWO, {}),
]
TRAIN = [row(4, TWO, {"1": [box(1, "Leonard", 1, 2, 3, 4)]})]


def dataset():
    return DATASETS["tvqa_plus"](DATASETS["tvqa_plus"].Config())


def listed(root: Path, split: str = "val") -> list[Video | Skipped]:
    made = dataset()
    made.prepare(root)
    return list(made.videos(root, split))


def planted(plant, *, val: object = VAL, train: object = None) -> Path:
    texts = {"tvqa_plus_annotations/tvqa_plus_val.json": json.dumps(val)}
    if train is not None:
        texts["tvqa_plus_train.json"] = json.dumps(train)
    return plant(f"frames_hq/bbt_frames/{ONE}/00001.jpg", f"frames_hq/bbt_frames/{TWO}/00001.jpg", texts=texts)


def test_boxes_of_all_questions_by_frame(plant):
    one, two = listed(planted(plant))
    assert (one.boxes.width, one.boxes.height) == (640, 360)
    table = one.boxes.table
    # Amy and Raj at frame 1, Raj of both questions once; Penny a second later, and a pixel over the picture.
    assert table["seconds"].tolist() == [0.0, 0.0, 1.0]
    assert [tuple(corner) for corner in table[["x0", "y0", "x1", "y1"]].tolist()] == [
        (0, 0, 10, 20),
        (136, 14, 392, 360),
        (320, 180, 641, 360),
    ]
    names = dataset().classes(planted(plant))["box"]
    assert names == ("Amy", "Penny", "Raj")
    assert [names[index] for index in table["class"]] == ["Amy", "Raj", "Penny"]
    assert two.boxes is None


def test_answers_are_numbers_and_a_span_that_ends_first_is_none(plant):
    one, _ = listed(planted(plant))
    assert [(q["id"], q["answer"], q.get("start"), q.get("end")) for q in one.text["questions"]] == [
        ("1", 3, 0.0, 1.4),
        ("2", 3, None, None),
    ]
    assert one.facts["num_untimed"] == 1


def test_classes_are_those_of_all_files(plant):
    root = planted(plant, train=TRAIN)
    assert dataset().splits_in(root) == ("train", "val")
    assert dataset().classes(root)["box"] == ("Amy", "Leonard", "Penny", "Raj")
    assert listed(root, "train")[0].boxes.table["class"].tolist() == [1]
    assert listed(root)[0].boxes.table["class"].tolist() == [0, 3, 2]
    assert [one.splits for one in listed(root)] == [("val",), ("train", "val")]


def test_preprocessed_test_questions_have_no_span_and_no_answer(plant):
    bare = {key: value for key, value in row(9, ONE, {}).items() if key not in ("answer_idx", "ts", "bbox")}
    name = "tvqa_plus_annotations_with_test/tvqa_plus_test_preprocessed_no_anno.json"
    root = plant(f"{ONE}.mp4", texts={name: json.dumps([bare])})
    (one,) = listed(root, "test")
    assert one.text["questions"] == [{"id": "9", "question": "Why ?", "answers": [f"answer {i}" for i in range(5)]}]
    assert (one.facts["num_untimed"], one.boxes) == (1, None)


def test_published_questions(annotations_root, plant):
    rows = json.loads((annotations_root / "tvqa_plus" / "tvqa_plus_val.json").read_text())
    names = list(dict.fromkeys(row["vid_name"] for row in rows))
    root = plant(*(f"{name}.mp4" for name in names), texts={"tvqa_plus_val.json": json.dumps(rows)})
    videos = listed(root)
    assert [video.video_id for video in videos] == names
    assert (len(videos), sum(len(video.text["questions"]) for video in videos)) == (11, 12)
    assert dataset().classes(root)["box"] == ("Bernadette", "Howard", "Leonard", "Penny", "Raj", "Sheldon")
    given = [video.boxes.table for video in videos if video.boxes]
    assert sum(len(table) for table in given) == sum(len(boxes) for row in rows for boxes in row["bbox"].values()) == 39
    first = given[0][0]
    assert (first["seconds"], first["x0"], first["y0"], first["x1"], first["y1"], first["class"]) == (0.0, 84, 28, 581, 360, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", r"row 1 of '.*tvqa_plus_val\.json' is no question of TVQA's"),
        ([row(1, ONE, {"0": [RAJ]})], r"tvqa_plus_val\.json': found ValueError: 0, bbox must be"),
        ([row(1, ONE, {"first": [RAJ]})], "bbox must be"),
        ([row(1, ONE, {"1_0": [RAJ]})], "bbox must be"),
        ([row(1, ONE, {"9" * 400: [RAJ]})], "bbox must be"),
        ([row(1, ONE, {"1": [RAJ | {"left": 10**400}]})], "found OverflowError: .*bbox must be"),
        ([row(1, ONE, {"1": [RAJ]}, ts=[0, 10**400])], "row 1 .*OverflowError"),
        ([row(1, ONE, {"1": [{"left": 1}]})], "found KeyError: 'top', bbox must be"),
        ([row(1, ONE, ["1"])], "bbox must be"),
        ([], "no row"),
    ],
)
def test_another_file_is_refused(plant, content, message):
    with pytest.raises(ConfigError, match=message):
        listed(planted(plant, val=content))


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("nowhere", "tvqa_plus: looked for a folder"),
        (".", r"looked for tvqa_plus_train\.json or tvqa_plus_val\.json .*unpack 'tvqa_plus_annotations\.tar\.gz' first"),
        ("bare", "the 2 clips of the val questions"),
    ],
)
def test_wrong_roots(plant, root, message):
    place = plant("tvqa_plus_annotations.tar.gz", texts={"bare/tvqa_plus_val.json": json.dumps(VAL)})
    with pytest.raises(ConfigError, match=message):
        listed(place / root)


def test_a_side_that_float32_does_not_hold_is_infinite(plant):
    (one, *_) = listed(planted(plant, val=[row(1, ONE, {"1": [RAJ | {"width": 1e39}]})]))
    assert one.boxes.table[0][["x0", "x1"]].tolist() == (136, float("inf"))


def test_half_a_surrogate_pair_in_a_label_is_mended(plant):
    root = planted(plant, val=[row(1, ONE, {"1": [box(1, "\ud800", 1, 2, 3, 4)]})])
    assert dataset().classes(root)["box"] == ("\ufffd",)


def test_a_build_keeps_boxes_on_their_images_where_numbers_are_not_padded_and_one_is_not_there(plant, make_image, build_dataset):
    root = plant(texts={"tvqa_plus_val.json": json.dumps([row(1, ONE, {"3": [RAJ], "10": [PENNY]})])})
    for number in (1, *range(3, 13)):
        make_image(root / f"frames_hq/bbt_frames/{ONE}/{number}.jpg", size=(64, 36), seed=number)
    (sample,) = open_shards(build_dataset("tvqa_plus", root)["val"])
    assert (sample.row["num_frames"], sample.row["num_absent"]) == (12, 1)
    assert sample.boxes("dataset")["frame"].tolist() == [2, 9]
    for number in (1, 3, 10):
        image = cv2.cvtColor(cv2.imread(str(root / f"frames_hq/bbt_frames/{ONE}/{number}.jpg")), cv2.COLOR_BGR2GRAY)
        picture = sample.row["picture"]
        (frame,) = sample.frames(number - 1, number)
        shown = frame[: picture["height"], : picture["width"]]
        expected = cv2.resize(image, shown.shape[1::-1], interpolation=cv2.INTER_AREA)
        # Two of them differ by 36 and more.
        assert np.abs(cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY).astype(int) - expected).mean() < 12


def test_a_build_places_boxes_on_the_frames_of_their_numbers(plant, make_image, build_dataset):
    root = plant(texts={"tvqa_plus_val.json": json.dumps(VAL)})
    for number in range(1, 8):
        make_image(root / f"frames_hq/bbt_frames/{ONE}/{number:05d}.jpg", size=(64, 36), seed=number)
    shards = open_shards(build_dataset("tvqa_plus", root)["val"])
    (sample,) = shards
    assert (sample.row["num_frames"], sample.row["num_questions"], sample.row["num_dataset_boxes"]) == (7, 2, 3)
    boxes = sample.boxes("dataset")
    picture = sample.row["picture"]
    scale = np.array([picture["width"] / 640, picture["height"] / 360] * 2)
    expected = np.array([[0, 0, 10, 20], [136, 14, 392, 360], [320, 180, 640, 360]]) * scale
    # Frames count from 1 in the file: 1 and 4 are 0 and 3 here.
    assert boxes["frame"].tolist() == [0, 0, 3]
    np.testing.assert_allclose(np.stack([boxes[name] for name in ("x0", "y0", "x1", "y1")], axis=1), expected, atol=0.01)
    assert [shards.classes["box"][index] for index in boxes["class"]] == ["Amy", "Raj", "Penny"]
