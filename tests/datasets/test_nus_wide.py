"""NUS-WIDE: lists, concepts and tags in the layout that public readers read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vdata
from vdata.config import from_mapping
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

TRAIN = ("actor\\0001_2124494179.jpg", "actor\\0002_174174086.jpg", "lake\\0001_2124494179.jpg")
TEST = ("lake\\0007_55.jpg",)
CONCEPTS, TAGS = ("airport", "lake"), ("nature", "sky", "2008")
TEXTS = {
    "ImageList/TrainImagelist.txt": "\r\n".join(TRAIN) + "\r\n",
    "ImageList/TestImagelist.txt": "\n".join(TEST),
    "ImageList/Imagelist.txt": "\n".join((TRAIN[0], TEST[0], *TRAIN[1:])) + "\n\n",
    "ConceptsList/Concepts81.txt": "airport\r\nlake\r\n",
    "Groundtruth/TrainTestLabels/Labels_airport_Train.txt": "0\n1\n1\n",
    # As line 78,372 of the published file; and values that begin as 1 does.
    "Groundtruth/TrainTestLabels/Labels_lake_Train.txt": "-1130179\r\n1 \r\n10\r\n",
    "Groundtruth/TrainTestLabels/Labels_airport_Test.txt": "0",
    "Groundtruth/TrainTestLabels/Labels_lake_Test.txt": "1\n",
    "NUS_WID_Tags/TagList1k.txt": "nature\nsky\n2008\n",
    "NUS_WID_Tags/Train_Tags1k.dat": "0\t1\t1\t\n0\t0\t0\t\n1\t0\t1\t\n",
    "NUS_WID_Tags/Test_Tags1k.dat": "1 0 0",
    "NUS_WID_Tags/All_Tags.txt": "2124494179      sky 2008 café\n55      nature\n174174086 \n2124494179 nature 2008\n",
}
PICTURES = tuple("Flickr/" + name.replace("\\", "/") for name in (*TRAIN, *TEST))


def listed(root: Path, split: str = "train", **settings: object) -> list[Video | Skipped]:
    dataset = DATASETS["nus_wide"](from_mapping(DATASETS["nus_wide"].Config, settings))
    dataset.prepare(root)
    return list(dataset.videos(root, split))


def test_rows(plant):
    root = plant(*PICTURES, texts=TEXTS)
    first, second, third = listed(root)
    assert (first.video_id, first.source, first.frames) == ("actor/0001_2124494179", PICTURES[0], (PICTURES[0],))
    assert (first.split, first.splits, first.facts) == ("train", ("train",), {"photo_id": "2124494179"})
    assert [video.labels for video in (first, second, third)] == [(), (0, 1), (0,)]
    assert [video.text for video in (first, second, third)] == [{"tags": ["sky", "2008"]}, {}, {"tags": ["nature", "2008"]}]
    # Two rows of one number are two pictures.
    assert (third.video_id, third.facts["photo_id"], third.label) == ("lake/0001_2124494179", "2124494179", -1)
    (test,) = listed(root, "test")
    assert (test.labels, test.text) == ((1,), {"tags": ["nature"]})
    assert DATASETS["nus_wide"](DATASETS["nus_wide"].Config()).classes(root) == {"label": CONCEPTS, "tag": TAGS}


@pytest.mark.parametrize("name", ["..\\..\\secret.jpg", "actor\\..\\..\\..\\secret.jpg", "/secret.jpg"])
def test_a_list_does_not_lead_out_of_the_root(plant, tmp_path, name):
    texts = TEXTS | {"ImageList/TrainImagelist.txt": "\n".join((*TRAIN[:2], name)) + "\n"}
    plant("secret.jpg", *(f"root/{path}" for path in PICTURES), texts={f"root/{path}": text for path, text in texts.items()})
    first, second, outside = listed(tmp_path / "root")
    assert isinstance(first, Video)
    assert isinstance(second, Video)
    assert (outside.reason, outside.source) == ("bad_row", "TrainImagelist.txt")
    assert outside.message.startswith("line 3 leads out of the root: ")


def test_other_tags(plant):
    root = plant(*PICTURES, texts=TEXTS)
    assert [video.text.get("tags", []) for video in listed(root, tags="all")] == [["sky", "2008", "café"], [], ["nature", "2008"]]
    assert [video.text for video in listed(root, tags="none")] == [{}, {}, {}]
    (root / "NUS_WID_Tags/All_Tags.txt").write_text("2124494179\n54\n174174086\n2124494179\n")
    with pytest.raises(ConfigError, match=r"line 2: found 54, the line of 'lake/0007_55\.jpg' must begin with its number"):
        listed(root, "test", tags="all")
    (root / "NUS_WID_Tags/All_Tags.txt").write_text("2124494179\n")
    with pytest.raises(ConfigError, match="found 1 lines, it must have one for each of the 4 pictures"):
        listed(root, "test", tags="all")


@pytest.mark.parametrize(
    "paths",
    [
        ("images/actor/0001_2124494179.jpg",),
        ("actor/0001_2124494179.jpg",),
        ("images/0001_2124494179.jpg",),
        ("image/2124494179.jpg",),
    ],
)
def test_where_the_pictures_may_lie(plant, paths):
    root = plant(*paths, texts=TEXTS)
    first, second, third = listed(root)
    assert first.source == paths[0]
    assert second.reason == "missing"
    # Without the folder, both rows of one number are the same picture.
    assert isinstance(third, Video) == ("actor/" not in paths[0])


def test_a_matrix_is_read_as_written(plant, monkeypatch):
    wanted = np.random.default_rng(0).random((300, 3)) < 0.3
    names = [f"a\\{number}_{number}.jpg" for number in range(300)]
    lines = ["\t".join(map(str, row)) + "\t" for row in wanted.astype(int).tolist()]
    texts = TEXTS | {
        "ImageList/TrainImagelist.txt": "\n".join(names),
        "NUS_WID_Tags/Train_Tags1k.dat": "\n".join(lines),
        "Groundtruth/TrainTestLabels/Labels_airport_Train.txt": "0\n" * 300,
        "Groundtruth/TrainTestLabels/Labels_lake_Train.txt": "".join(f"{int(row[0])}\n" for row in wanted),
    }
    # Blocks end anywhere within rows.
    monkeypatch.setattr("vdata.datasets.nus_wide._BLOCK_BYTES", 101)
    videos = listed(plant(*(f"Flickr/a/{number}_{number}.jpg" for number in range(300)), texts=texts))
    assert [video.text.get("tags", []) for video in videos] == [[TAGS[i] for i in range(3) if row[i]] for row in wanted]
    assert [video.labels for video in videos] == [(1,) if row[0] else () for row in wanted]


def test_published_addresses(annotations_root, plant):
    lines = (annotations_root / "nus_wide" / "NUS-WIDE-urls.txt").read_text().splitlines()[1:]
    paths, numbers = zip(*(line.split()[:2] for line in lines), strict=True)
    names = [path.split("\\", 3)[3] for path in paths]
    assert names[0] == "actor\\0001_2124494179.jpg"
    texts = TEXTS | {"ImageList/TrainImagelist.txt": "\n".join((*names, TRAIN[2]))}
    root = plant(*("Flickr/" + name.replace("\\", "/") for name in names), texts=texts)
    *found, missing = listed(root)
    assert [video.facts["photo_id"] for video in found] == list(numbers)
    assert missing.reason == "missing"


def test_wrong_roots(plant, tmp_path):
    with pytest.raises(ConfigError, match=r"looked for a folder at '.*none', found nothing; --root must hold"):
        listed(tmp_path / "none")
    for gone in ("ImageList/TrainImagelist.txt", "ConceptsList/Concepts81.txt", "NUS_WID_Tags/TagList1k.txt"):
        root = plant(*PICTURES, texts=TEXTS)
        (root / gone).unlink()
        with pytest.raises(ConfigError, match=f"looked for {gone}"):
            listed(root)
    root = plant(*PICTURES, texts=TEXTS)
    (root / "NUS_WID_Tags/Train_Tags1k.dat").write_text("0\t1\t1\t\n")
    with pytest.raises(ConfigError, match="found 3 digits 0 and 1, it must have 3 rows, one a picture, of 3"):
        listed(root)
    (root / "Groundtruth/TrainTestLabels/Labels_lake_Train.txt").write_text("1\n1\n")
    with pytest.raises(ConfigError, match=r"found 2 lines, it must have one for each of the list's 3 pictures"):
        listed(root)
    (root / "Groundtruth/TrainTestLabels/Labels_airport_Train.txt").unlink()
    with pytest.raises(ConfigError, match=r"looked for Groundtruth/TrainTestLabels/Labels_airport_Train\.txt"):
        listed(root)
    with pytest.raises(ConfigError, match=r"looked for the 3 pictures of TrainImagelist\.txt, as Flickr/actor"):
        listed(_without_pictures(plant))
    with pytest.raises(ConfigError, match="must be one of train, test"):
        listed(plant(*PICTURES, texts=TEXTS), "val")


def _without_pictures(plant) -> Path:
    root = plant(texts={f"bare/{name}": text for name, text in TEXTS.items()})
    return root / "bare"


def test_a_build(plant, make_image, build_dataset):
    root = plant(texts=TEXTS)
    for name in PICTURES:
        make_image(root / name, size=(64, 48))
    folders = build_dataset("nus_wide", root, splits=("train", "test"))
    samples = {sample.row["video_id"]: sample for sample in vdata.open_shards(folders["train"])}
    assert {name: sample.row["labels"] for name, sample in samples.items()} == {
        "actor/0001_2124494179": [],
        "actor/0002_174174086": [0, 1],
        "lake/0001_2124494179": [0],
    }
    sample = samples["actor/0001_2124494179"]
    assert (sample.row["num_frames"], sample.row["photo_id"], sample.text().tags) == (1, "2124494179", ("sky", "2008"))
    (test,) = vdata.open_shards(folders["test"])
    assert (test.row["splits"], test.row["labels"]) == (["test"], [1])
    assert vdata.open_shards(folders["train"]).classes == {"label": CONCEPTS, "tag": TAGS}
