"""AVA: the real rows and lists, films whole or cut, boxes by second, and a build whose boxes are read back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import vdata
from vdata.config import from_mapping
from vdata.datasets import DATASETS, splits_of
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

A, B = "1j20qq1JyX4", "-_a.b".replace(".", "x")
ROWS = f"{A},0902,0.002,0.118,0.714,0.977,12,1\n{A},0902,0.002,0.118,0.714,0.977,79,1\n{B},1798,0.1,0.2,0.3,0.4,80,3_\n"
V21 = 'item {\n  name: "stand"\n  id: 12\n}\nitem {\n  name: "watch (a person)"\n  id: 80\n}\n'
V22 = (
    'label {\n  name: "stand"\n  label_id: 12\n  label_type: PERSON_MOVEMENT\n}\nlabel {\n  name: "talk to"\n  label_id: 79\n}\n'
)
TEXTS = {"annotations/ava_val_v2.2.csv": ROWS, "annotations/ava_action_list_v2.2.pbtxt": V22}


def made(**config):
    return DATASETS["ava"](from_mapping(DATASETS["ava"].Config, config))


def listed(root: Path, split: str = "val", **config) -> list[Video | Skipped]:
    dataset = made(**config)
    dataset.prepare(root)
    assert split in splits_of(dataset, root)
    return list(dataset.videos(root, split))


def test_published_rows(annotations_root, plant):
    real = annotations_root / "ava"
    root = plant(f"videos_15min/{A}.mkv")
    shutil.copy(real / "ava_val_v2.2.csv", root)
    shutil.copy(
        real / "ava_action_list_v2.1_for_activitynet_2018.pbtxt", root / "ava_action_list_v2.2_for_activitynet_2019.pbtxt"
    )
    (film,) = listed(root)
    boxes = film.boxes.table
    assert len(boxes) == 45
    assert (film.boxes.width, film.boxes.height) == (1, 1)
    assert boxes[0].tolist() == pytest.approx((2.0, 0.002, 0.118, 0.714, 0.977, 1.0, 12))
    lines = [line.split(",") for line in (real / "ava_val_v2.2.csv").read_text().split()]
    assert sorted(boxes["class"]) == sorted(int(line[6]) for line in lines)
    assert sorted(boxes["seconds"] + 900) == sorted(float(line[1]) for line in lines)
    classes = made().classes(root)
    # The piece of the list ends with action 17, and leaves out what is not evaluated, as 2.
    assert classes["box_evaluated"] == classes["box"]
    assert (len(classes["box"]), classes["box"][:4], classes["box"][17]) == (
        18,
        ("", "bend/bow (at the waist)", "", "crouch/kneel"),
        "carry/hold (an object)",
    )


def test_published_excluded_seconds_and_train_rows(annotations_root, plant):
    real = annotations_root / "ava/mmaction2-tests"
    root = plant("videos/0f39OWEqJ24.mp4", "videos/_-Z6wFjXtGQ.webm", texts={"ava_action_list_v2.1.pbtxt": V21})
    shutil.copy(real / "ava_sample.csv", root / "ava_train_v2.1.csv")
    shutil.copy(real / "ava_excluded_timestamps_sample.csv", root / "ava_train_excluded_timestamps_v2.1.csv")
    first, second = listed(root, "train")
    assert (first.video_id, second.source) == ("0f39OWEqJ24", "videos/_-Z6wFjXtGQ.webm")
    assert [len(film.boxes.table) for film in (first, second)] == [5, 3]
    assert [json.loads(film.facts["excluded_seconds"]) for film in (first, second)] == [[903], [902]]
    assert made().classes(root)["box"][80] == "watch (a person)"


def test_whole_films_and_cut_ones_have_one_span(plant):
    root = plant(f"videos/{A}.mp4", f"videos/trainval/{B}.webm", texts=TEXTS)
    first, second = listed(root)
    assert (first.start_seconds, first.end_seconds, first.facts["first_second"]) == (900, 1801, 0)
    assert (first.boxes.table["seconds"][0], second.boxes.table["seconds"][0]) == (902, 1798)
    assert second.source == f"videos/trainval/{B}.webm"
    plant(f"videos_15min/{A}.mp4")
    cut, whole = listed(root)
    assert (cut.source, cut.start_seconds, cut.end_seconds, cut.facts["first_second"]) == (f"videos_15min/{A}.mp4", 0, None, 900)
    assert (cut.boxes.table["seconds"][0], whole.facts["first_second"]) == (2, 0)
    assert [film.facts["first_second"] for film in listed(root, films="full")] == [0, 0]
    assert [entry.reason for entry in listed(root, films="15min") if isinstance(entry, Skipped)] == ["missing"]
    shutil.rmtree(root / "videos_15min")
    assert [film.facts["first_second"] for film in listed(root, films="15min")] == [900, 900]


def test_films_that_lie_in_the_root(plant):
    root = plant(f"{A}.mkv", texts={Path(name).name: text for name, text in TEXTS.items()})
    film, missing = listed(root)
    assert (film.source, film.facts["excluded_seconds"], missing.video_id) == (f"{A}.mkv", "", B)


def test_versions(plant):
    old = {"ava_val_v2.1.csv": ROWS.replace("12,1", "14,1"), "ava_action_list_v2.1_for_activitynet_2018.pbtxt": V21}
    root = plant(f"videos/{A}.mp4", texts=TEXTS | old)
    assert listed(root)[0].boxes.table["class"].tolist() == [12, 79]
    assert listed(root, version="v2.1")[0].boxes.table["class"].tolist() == [14, 79]
    everything, evaluated = (made(version="v2.1").classes(root)[kind] for kind in ("box", "box_evaluated"))
    assert everything == evaluated
    assert "box_evaluated" not in made().classes(root)
    plant(texts={"ava_action_list_v2.2_for_activitynet_2019.pbtxt": V22.partition("}\n")[0] + "}"})
    assert made().classes(root)["box_evaluated"] == (*[""] * 12, "stand")
    assert made().classes(root)["box"][79] == "talk to"


def test_films_to_test_have_no_boxes(plant):
    root = plant(f"videos/{A}.mkv", texts=TEXTS | {"annotations/ava_file_names_test_v2.1.txt": f"{A}.mkv\n{B}.mp4\n"})
    assert splits_of(made(), root) == ("val", "test")
    film, missing = listed(root, "test")
    assert (film.boxes, film.end_seconds, missing.reason) == (None, 1801, "missing")


def test_boxes_of_a_detector_stand_beside_the_owners(plant):
    detected = f"{A},0902,0.003,0.119,0.715,0.978,,0.995\n{A},1000,0.1,0.1,0.2,0.2,,0.5\nother,1000,0.1,0.1,0.2,0.2,,0.5\n"
    root = plant(f"videos/{A}.mp4", texts=TEXTS | {"annotations/ava_val_predicted_boxes.csv": detected})
    boxes = listed(root, boxes="annotations/ava_{split}_predicted_boxes.csv")[0].boxes.table
    assert boxes["class"].tolist() == [12, 79, -1, -1]
    assert boxes["score"].tolist() == pytest.approx([1, 1, 0.995, 0.5])
    with pytest.raises(ConfigError, match=r"ava\.boxes \('gone\.csv'\) must name a file below the root"):
        listed(root, boxes="gone.csv")


def test_a_few_odd_rows_are_skipped_and_many_refused(plant):
    rows = "".join(f"{A},{second:04d},0.1,0.1,0.2,0.2,12,1\n" for second in range(902, 1102))
    root = plant(f"videos/{A}.mp4", texts=TEXTS | {"annotations/ava_val_v2.2.csv": f"{rows}{A},0903,0.1\n"})
    odd, film = listed(root)
    assert (odd.source, odd.reason, len(film.boxes.table)) == ("ava_val_v2.2.csv line 201", "bad_row", 200)
    plant(texts={"annotations/ava_val_v2.2.csv": f"video_id,ts,x1,y1,x2,y2,action_id,person_id\n{ROWS}"})
    with pytest.raises(ConfigError, match=r"ava_val_v2\.2\.csv' line 1: found 'video_id,ts"):
        listed(root)


@pytest.mark.parametrize(
    "row",
    [
        *(
            "0903,0.1,0.1,0.2,0.2,1.5,1",
            "0903,0.1,0.1,0.2,0.2,nan,1",
            "0903,0.1,0.1,0.2,0.2,1e30,1",
            "0903,0.1,0.1,0.2,0.2,99999999999,1",
        ),
        *("nan,0.1,0.1,0.2,0.2,12,1", "0903,0.1,inf,0.2,0.2,12,1", f"0903,0.1,0.1,0.2,0.2,{'9' * 5000},1"),
    ],
)
def test_a_row_with_a_number_without_measure_is_odd(plant, row):
    rows = "".join(f"{A},{second:04d},0.1,0.1,0.2,0.2,12,1\n" for second in range(902, 1102))
    root = plant(f"videos/{A}.mp4", texts=TEXTS | {"annotations/ava_val_v2.2.csv": f"{rows}{A},{row}\n"})
    odd, film = listed(root)
    assert (odd.reason, len(film.boxes.table)) == ("bad_row", 200)


@pytest.mark.parametrize("number", ["1000001", "9" * 5000])
def test_an_action_without_measure_is_refused(plant, number):
    root = plant(texts={"ava_action_list_v2.2.pbtxt": V22.replace("79", number)})
    with pytest.raises(ConfigError, match=rf"pbtxt': found {number[:40]}.*, it must be at most 1000000"):
        made().classes(root)


def test_an_excluded_second_that_is_none_is_named(plant):
    texts = {"annotations/ava_val_excluded_timestamps_v2.2.csv": f"{A},0903\n{A},inf\n"}
    with pytest.raises(ConfigError, match=rf"line 2: found '{A},inf', must be VIDEO,SECOND"):
        listed(plant(f"videos/{A}.mp4", texts=TEXTS | texts))


def test_wrong_roots(plant, tmp_path):
    with pytest.raises(ConfigError, match=r"found nothing; --root must hold ava_\{train,val\}"):
        made().prepare(tmp_path / "absent")
    with pytest.raises(ConfigError, match=r"looked for ava_train_v2\.2\.csv or ava_val_v2\.2\.csv in .* unpack 'ava_v2\.2\.zip'"):
        made().prepare(plant("ava_v2.2.zip"))
    root = plant("frames/a/a_000001.jpg", texts={"annotations/ava_val_v2.2.csv": ROWS})
    with pytest.raises(ConfigError, match=r"looked for ava_action_list_v2\.2\.pbtxt"):
        listed(root)
    plant(texts={"ava_action_list_v2.2.pbtxt": "stand 12\n"})
    with pytest.raises(ConfigError, match="found no action"):
        made().classes(root)
    plant(texts={"ava_action_list_v2.2.pbtxt": V22})
    with pytest.raises(ConfigError, match=r"the 2 films of ava_val_v2\.2\.csv, such as .*folders of frames are not read"):
        listed(root)
    with pytest.raises(ConfigError, match=r"split \('test'\)|looked for ava_test_v2\.2\.csv"):
        list(made().videos(root, "test"))


def placed(shards: vdata.Shards, fps: int) -> list[tuple[float, list[float], int]]:
    """Second of the film, corners and class of every box in the shards."""
    return sorted(
        (
            round(float(sample.row["start_seconds"] + box["frame"] / fps + sample.row["first_second"]), 6),
            [round(float(box[name]), 3) for name in ("x0", "y0", "x1", "y1")],
            int(box["class"]),
        )
        for sample in shards
        for box in sample.boxes("dataset")
    )


BUILT = f"{A},0902,0.25,0.0,0.5,0.5,12,1\n{A},0902,0.25,0.0,0.5,0.5,79,1\n{A},0903,0.5,0.5,1.0,1.0,12,1\n"
PLACED = [(902, [16, 0, 32, 24], 12), (902, [16, 0, 32, 24], 79), (903, [32, 24, 64, 48], 12)]


def test_a_cut_film_is_built_with_its_boxes(plant, make_video, build_dataset):
    texts = {"annotations/ava_val_v2.2.csv": BUILT, "ava_val_excluded_timestamps_v2.2.csv": f"{A},0903\n"}
    root = plant(texts=TEXTS | texts)
    make_video(root / f"videos_15min/{A}.mkv", num_frames=36, size=(64, 48), fps=10)
    folder = build_dataset("ava", root, extract=("keyframes",), clip={"seconds": 2.4})["val"]
    shards = vdata.open_shards(folder)
    assert [sample.row["num_frames"] for sample in shards] == [24, 12]
    assert placed(shards, fps=10) == PLACED
    assert {sample.row["excluded_seconds"] for sample in shards} == {"[903]"}
    assert shards.classes["box"][79] == "talk to"


def test_of_a_whole_film_only_the_annotated_part_is_built(plant, make_video, build_dataset):
    root = plant(texts=TEXTS | {"annotations/ava_val_v2.2.csv": BUILT})
    make_video(root / f"videos/{A}.mp4", num_frames=906, size=(64, 48), fps=1, velocity=(0, 0))
    shards = vdata.open_shards(build_dataset("ava", root, extract=("keyframes",))["val"])
    assert [(sample.row["start_seconds"], sample.row["num_frames"]) for sample in shards] == [(900, 6)]
    assert placed(shards, fps=1) == PLACED
