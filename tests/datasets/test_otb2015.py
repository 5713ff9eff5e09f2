"""OTB-2015: targets, frame ranges and separators, against folders as the owners publish them."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import vdata
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Skipped, Video


def listed(root: Path) -> dict[str, Video | Skipped]:
    dataset = DATASETS["otb2015"](DATASETS["otb2015"].Config())
    dataset.prepare(root)
    found = list(dataset.videos(root, ""))
    assert len(found) == 100
    assert len({entry.video_id for entry in found}) == 100
    return {entry.video_id: entry for entry in found}


def built(root: Path) -> dict[str, Video]:
    return {name: entry for name, entry in listed(root).items() if isinstance(entry, Video)}


def rows(count: int, separator: str = ",") -> str:
    return "".join(separator.join(map(str, (10 + i, 20, 30, 40))) + "\n" for i in range(count))


def images(sequence: str, first: int, last: int, digits: int = 4) -> list[str]:
    return [f"{sequence}/img/{number:0{digits}d}.jpg" for number in range(first, last + 1)]


def test_the_hundred_targets(plant):
    targets = listed(plant(*images("Basketball", 1, 1), texts={"Basketball/groundtruth_rect.txt": rows(1)}))
    assert {"Jogging.1", "Jogging.2", "Skating2.1", "Skating2.2", "Human4"} < set(targets)
    assert not {"Jogging", "Skating2", "Human4.2"} & set(targets)
    assert [entry.reason for entry in targets.values() if isinstance(entry, Skipped)] == ["missing"] * 99
    assert {entry.source.partition("/")[0] for entry in targets.values()} >= {"Twinnings", "Walking2"}
    assert len({entry.source.partition("/")[0] for entry in targets.values()}) == 98


@pytest.mark.parametrize(
    ("sequence", "there", "first", "last"),
    [
        ("David", (1, 770), 300, 770),
        ("Football1", (1, 81), 1, 74),
        ("Freeman3", (1, 474), 1, 460),
        ("Freeman4", (1, 297), 1, 283),
        ("Diving", (1, 231), 1, 215),
        ("BlurCar1", (247, 988), 247, 988),
        ("BlurCar3", (3, 359), 3, 359),
        ("BlurCar4", (18, 397), 18, 397),
        # A copy that somebody has cut to the range.
        ("David", (300, 770), 300, 770),
        ("Freeman4", (15, 297), 15, 297),
    ],
)
def test_row_i_is_frame_i(plant, sequence, there, first, last):
    truth = {f"{sequence}/groundtruth_rect.txt": rows(last - first + 1, "\t")}
    video = built(plant(*images(sequence, *there), texts=truth))[sequence]
    assert video.frames == tuple(images(sequence, first, last))
    assert len(video.boxes.table) == len(video.frames)
    assert video.boxes.table["x0"].tolist() == [9 + i for i in range(last - first + 1)]
    assert np.allclose(video.boxes.table["seconds"], np.arange(len(video.frames)) / 25, rtol=0, atol=1e-12)
    assert video.frame_rate == Fraction(25)


def test_images_are_ordered_by_number(plant):
    names = [*images("Board", 1, 2, digits=5), "Board/img/00010.jpg", "Board/img/9.jpg", "Board/img/cover.jpg", "Board/img/x.txt"]
    root = plant(*names, texts={"Board/groundtruth_rect.txt": rows(3) + "0,0,0,0\n"})
    video = built(root)["Board"]
    assert [name.rpartition("/")[2] for name in video.frames] == ["00001.jpg", "00002.jpg", "9.jpg", "00010.jpg"]
    # The last row of Board and of Twinnings is no box.
    assert (len(video.boxes.table), video.facts) == (3, {"num_invalid": 1})
    assert video.splits == ("tb100",)


def test_two_targets_of_one_sequence_and_an_empty_file(plant):
    texts = {
        "Jogging/groundtruth_rect.1.txt": rows(2),
        "Jogging/groundtruth_rect.2.txt": "111,98,25,101\n112 97 25 101\n",
        "Human4/groundtruth_rect.1.txt": "",
        "Human4/groundtruth_rect.2.txt": rows(1),
    }
    found = built(plant(*images("Jogging", 1, 2), *images("Human4", 1, 1), texts=texts))
    assert list(found) == ["Human4", "Jogging.1", "Jogging.2"]
    assert found["Jogging.1"].frames == found["Jogging.2"].frames
    assert found["Jogging.2"].boxes.table[["x0", "y0", "x1", "y1"]].tolist() == [(110, 97, 135, 198), (111, 96, 136, 197)]
    assert [video.splits for video in found.values()] == [("tb100", "tb50"), ("tb100", "otb2013"), ("tb100", "otb2013")]


def test_lists_of_other_years(plant):
    (woman,) = built(plant(*images("Woman", 1, 1), texts={"Woman/groundtruth_rect.txt": rows(1)})).values()
    assert woman.splits == ("tb100", "tb50", "otb2013")
    from vdata.datasets.otb2015 import _OTB2013, _OTHERS, _TB50, _targets  # noqa: PLC0415 - the lists themselves

    assert [sum(len(_targets(name)) for name in names) for names in (_TB50, _OTHERS, _OTB2013)] == [50, 50, 51]


def test_real_rows(annotations_root, plant):
    names = {
        name: len((annotations_root / "otb2015" / name / "groundtruth_rect.txt").read_text().splitlines())
        for name in ("Basketball", "Crossing")
    }
    assert names == {"Basketball": 1, "Crossing": 60}
    texts = {
        f"{name}/groundtruth_rect.txt": (annotations_root / "otb2015" / name / "groundtruth_rect.txt").read_text()
        for name in names
    }
    found = built(plant(*(path for name, count in names.items() for path in images(name, 1, count)), texts=texts))
    # Commas in the one, tabs in the other.
    assert found["Basketball"].boxes.table[["x0", "y0", "x1", "y1"]].tolist() == [(197, 213, 231, 294)]
    assert found["Crossing"].boxes.table[["x0", "y0", "x1", "y1"]][:2].tolist() == [(204, 150, 221, 200), (201, 149, 220, 198)]
    assert len(found["Crossing"].boxes.table) == 60


def test_what_does_not_fit_is_skipped(plant):
    texts = {
        "Bolt/groundtruth_rect.txt": rows(3),
        "Boy/groundtruth_rect.txt": "1,2,3,4\nno row\n",
        "Dog/groundtruth_rect.txt": "",
        "Car1/groundtruth_rect.txt": rows(1),
        "Coke/groundtruth_rect.txt": rows(1),
    }
    root = plant(*images("Bolt", 1, 2), *images("Boy", 1, 2), *images("Coke", 1, 1), "Dog/img/cover.jpg", "Deer.zip", texts=texts)
    found = listed(root)
    told = {name: (found[name].reason, found[name].message) for name in ("Bolt", "Boy", "Dog", "Car1", "Deer", "Vase")}
    assert told.pop("Boy")[0] == "unreadable"
    assert re.search(r"line 2: found 'no row'", found["Boy"].message)
    assert told == {
        "Bolt": ("lengths_differ", "2 images in Bolt/img, 3 rows in groundtruth_rect.txt"),
        "Dog": ("lengths_differ", "0 images in Dog/img, 0 rows in groundtruth_rect.txt"),
        "Car1": ("missing", "'Car1/img' is not there, or empty"),
        "Deer": ("missing", "'Deer.zip' is not unpacked"),
        "Vase": ("missing", "'Vase/img' is not there, or empty"),
    }
    assert list(built(root)) == ["Coke"]


def test_wrong_roots(plant, tmp_path):
    with pytest.raises(ConfigError, match="otb2015: looked for a folder"):
        listed(tmp_path / "absent")
    with pytest.raises(
        ConfigError, match=r"looked for folders of sequences, such as Basketball/img in '.*', found nothing; --root"
    ):
        listed(tmp_path)
    root = plant("Basketball.zip", "Biker.zip")
    with pytest.raises(ConfigError, match=r"found Basketball.zip, Biker.zip; .*; unpack 'Basketball.zip' and 1 more first$"):
        listed(root)
    with pytest.raises(ConfigError, match=r"looked for images and groundtruth_rect.txt of one of the 98 sequences in"):
        listed(plant("Basketball/img/0001.jpg"))
    with pytest.raises(ConfigError, match=r"split \('train'\) must be empty"):
        list(DATASETS["otb2015"](DATASETS["otb2015"].Config()).videos(root, "train"))


def test_build(plant, make_image, build_dataset):
    texts = {"David/groundtruth_rect.txt": "1,1,64,48\n17,13,32,24\n0,0,0,0\n", "Jogging/groundtruth_rect.2.txt": "33 25 40 24\n"}
    root = plant(texts=texts)
    for path in (*images("David", 299, 302), *images("Jogging", 1, 1)):
        make_image(root / path, seed=len(path))
    # In this fixture the range begins at 300 as in the published folder, and ends where it has images.
    shards = vdata.open_shards(build_dataset("otb2015", root)[""])
    samples = {sample.row["video_id"]: sample for sample in shards}
    assert {name: (sample.row["num_frames"], sample.row["num_invalid"]) for name, sample in samples.items()} == {
        "David": (3, 1),
        "Jogging.2": (1, 0),
    }
    # 64 by 48 pixels are coded as they are: the short side of these builds is 48.
    member = samples["David"]["dataset.boxes.npy"]
    boxes = vdata.media.box_codec.load_boxes(member)
    assert boxes[["frame", "x0", "y0", "x1", "y1", "class"]].tolist() == [(0, 0, 0, 64, 48, 0), (1, 16, 12, 48, 36, 0)]
    second = vdata.media.box_codec.load_boxes(samples["Jogging.2"]["dataset.boxes.npy"])
    # What sticks out of the picture is cut off.
    assert second[["x0", "y0", "x1", "y1"]].tolist() == [(32, 24, 64, 48)]
    assert shards.classes == {"box": ("target",)}
