"""PRID 2011: the split file that circulates against the folders of two cameras."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import vdata
from vdata.config import from_mapping
from vdata.datasets import DATASETS
from vdata.datasets.prid2011 import read_folds
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

P = [f"person_{number:04d}" for number in (1, 2, 10, 20)]
FOLDS = [{"test": [P[1], P[0]], "train": [P[2], P[3]]}, {"test": [P[3], P[1]], "train": [P[0], P[2]]}]


def text(folds: object = FOLDS) -> dict[str, str]:
    return {"splits_prid2011.json": json.dumps(folds, indent=4)}


def planted(plant, base: str = "prid_2011/multi_shot/", folds: object = FOLDS) -> Path:
    images = (f"{base}{camera}/{person}/{frame:04d}.png" for camera in ("cam_a", "cam_b") for person in P for frame in (1, 2))
    return plant(*images, texts=text(folds))


def listed(root: Path, split: str, fold: int = 0) -> list[Video | Skipped]:
    dataset = DATASETS["prid2011"](from_mapping(DATASETS["prid2011"].Config, {"fold": fold}))
    dataset.prepare(root)
    return list(dataset.videos(root, split))


def test_query_and_gallery(plant):
    videos = listed(planted(plant), "test")
    assert [video.video_id for video in videos] == [f"{cam}/{person}" for person in (P[1], P[0]) for cam in ("cam_a", "cam_b")]
    assert videos[0].frames == tuple(f"prid_2011/multi_shot/cam_a/person_0002/{name}" for name in ("0001.png", "0002.png"))
    assert videos[0].splits == ("test0", "test1", "query")
    assert videos[3].splits == ("test0", "train1", "gallery")
    # Behind the two people of train.
    assert [video.label for video in videos] == [3, 3, 2, 2]
    assert [video.facts for video in videos[:2]] == [{"pid": 2, "camid": 0}, {"pid": 2, "camid": 1}]


def test_another_fold_numbers_its_own_people(plant):
    root = planted(plant, base="multi_shot/")
    videos = listed(root, "train", fold=1)
    assert [(video.label_name, video.label) for video in videos] == [(P[0], 0), (P[0], 0), (P[2], 1), (P[2], 1)]
    assert videos[0].splits == ("test0", "train1")
    assert videos[0].source == "multi_shot/cam_a/person_0001"
    dataset = DATASETS["prid2011"](DATASETS["prid2011"].Config(fold=1))
    assert dataset.classes(root) == {"label": (P[0], P[2], P[1], P[3])}


def test_a_missing_folder_is_skipped(plant):
    root = planted(plant)
    shutil.rmtree(root / "prid_2011/multi_shot/cam_b" / P[0])
    missing = listed(root, "test")[3]
    assert (missing.reason, missing.source, missing.video_id) == (
        "missing",
        f"prid_2011/multi_shot/cam_b/{P[0]}",
        f"cam_b/{P[0]}",
    )


def test_the_published_splits(annotations_root, plant):
    path = annotations_root / "prid2011" / "splits_prid2011.json"
    folds = read_folds(path)
    assert len(folds) == 3
    assert all(len(fold.train) == len(fold.test) == 89 for fold in folds)
    people = {frozenset(fold.train + fold.test) for fold in folds}
    assert len(people) == 1
    assert len(next(iter(people))) == 178
    assert max(next(iter(people))) == "person_0198"
    root = plant(
        *(f"prid_2011/multi_shot/{cam}/{name}/0001.png" for cam in ("cam_a", "cam_b") for name in next(iter(people))),
        texts={"splits_prid2011.json": path.read_text()},
    )
    train, test = listed(root, "train"), listed(root, "test")
    assert (len(train), len(test)) == (178, 178)
    assert [video.label_name for video in train[::2]] == json.loads(path.read_text())[0]["train"]
    assert {video.label for video in train} == set(range(89))
    assert {video.label for video in test} == set(range(89, 178))
    with pytest.raises(ConfigError, match=r"found 3 folds, prid2011.fold is 3: take the published file"):
        listed(root, "train", fold=3)


@pytest.mark.parametrize(
    "folds",
    [
        [{"test": [P[0]]}],
        [{"test": [P[0]], "train": [P[0]]}],
        [{"test": ["../../etc"], "train": [P[0]]}],
        [{"test": [7], "train": [P[0]]}],
        [[P[0]]],
    ],
)
def test_another_split_file_is_refused(plant, folds):
    with pytest.raises(ConfigError, match=r"splits_prid2011.json': found fold 0: .*, a fold must be"):
        listed(planted(plant, folds=folds), "train")


def test_wrong_roots(plant, tmp_path):
    with pytest.raises(ConfigError, match=r"found nothing; --root must hold splits_prid2011.json"):
        listed(tmp_path / "absent", "train")
    (tmp_path / "prid_2011.zip").touch()
    with pytest.raises(ConfigError, match=r"looked for splits_prid2011.json in .*; unpack 'prid_2011.zip' first$"):
        listed(tmp_path, "train")
    root = plant(texts=text())
    with pytest.raises(ConfigError, match=r"looked for prid_2011/multi_shot/cam_a in .*; unpack 'prid_2011.zip' first$"):
        listed(root, "train")
    (root / "multi_shot/cam_b").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"looked for images of the 2 people of train in '.*multi_shot', found cam_b;"):
        listed(root, "train")
    with pytest.raises(ConfigError, match=r"prid2011.fold \(10\) must be in \[0, 9\]"):
        listed(root, "train", fold=10)


def test_build(plant, make_image, build_dataset):
    root = planted(plant)
    for seed, path in enumerate(sorted(root.rglob("*.png"))):
        make_image(path, (64, 128), seed)
    test = vdata.open_shards(build_dataset("prid2011", root, splits=("test",), prid2011={"fold": 1})["test"])
    rows = {sample.row["video_id"]: sample.row for sample in test}
    assert sorted(rows) == ["cam_a/person_0002", "cam_a/person_0020", "cam_b/person_0002", "cam_b/person_0020"]
    row = rows["cam_b/person_0020"]
    assert (row["pid"], row["camid"], row["label"], row["num_frames"]) == (20, 1, 3, 2)
    assert row["splits"] == ["train0", "test1", "gallery"]
