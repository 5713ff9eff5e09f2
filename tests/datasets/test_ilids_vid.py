"""iLIDS-VID: MATLAB's table of numbers against the sorted folders."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.io

import vdata
from vdata.config import from_mapping
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

PEOPLE = ["person001", "person002", "person009", "person319"]
TABLE = np.array([[4, 1, 2, 3], [2, 3, 1, 4]])
SPLITS = "train-test people splits/train_test_splits_ilidsvid.mat"


def write_splits(root: Path, table: object = TABLE, name: str = "ls_set") -> Path:
    (root / SPLITS).parent.mkdir(exist_ok=True)
    scipy.io.savemat(root / SPLITS, {name: table})
    return root


def planted(plant, base: str = "i-LIDS-VID/sequences/", table: object = TABLE) -> Path:
    names = (
        f"{base}{cam}/{person}/{cam}_{person}_{frame:05d}.png"
        for cam in ("cam1", "cam2")
        for person in PEOPLE
        for frame in (317, 318)
    )
    return write_splits(plant(*names, f"{base}cam1/Thumbs.db"), table)


def listed(root: Path, split: str, fold: int = 0) -> list[Video | Skipped]:
    dataset = DATASETS["ilids_vid"](from_mapping(DATASETS["ilids_vid"].Config, {"fold": fold}))
    dataset.prepare(root)
    return list(dataset.videos(root, split))


def test_the_first_half_of_a_row_is_test(plant):
    root = planted(plant)
    test, train = listed(root, "test"), listed(root, "train")
    # Row 0 is 4, 1 | 2, 3, counted from 1 into the sorted folders.
    assert [video.video_id for video in test] == ["cam1/person001", "cam2/person001", "cam1/person319", "cam2/person319"]
    assert [video.label_name for video in train] == ["person002", "person002", "person009", "person009"]
    assert [video.label for video in train + test] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert test[2].splits == ("test0", "train1", "query")
    assert test[3].facts == {"pid": 319, "camid": 1}
    assert test[2].frames[0] == "i-LIDS-VID/sequences/cam1/person319/cam1_person319_00317.png"
    assert {video.label_name for video in listed(root, "test", fold=1)} == {"person002", "person009"}


@pytest.mark.parametrize("dtype", ["uint16", "float64"])
def test_matlab_keeps_numbers_in_any_type(plant, dtype):
    root = planted(plant, "sequences/", TABLE.astype(dtype))
    assert listed(root, "train")[0].source == "sequences/cam1/person002"


def test_a_folder_that_one_camera_lacks_moves_no_number(plant):
    root = planted(plant)
    shutil.rmtree(root / "i-LIDS-VID/sequences/cam1/person001")
    found = listed(root, "test")
    assert [isinstance(entry, Skipped) for entry in found] == [True, False, False, False]
    assert (found[0].reason, found[3].label_name) == ("missing", "person319")


def test_folders_and_numbers_that_do_not_fit_are_refused(plant):
    root = planted(plant)
    for camera in ("cam1", "cam2"):
        shutil.rmtree(root / "i-LIDS-VID/sequences" / camera / "person009")
    with pytest.raises(
        ConfigError, match=r"found rows of 4 people, but the cameras' folders hold 3, .*unpack iLIDS-VID.tar whole"
    ):
        listed(root, "train")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (np.array([[1, 2, 3, 3]]), r"found row 1 without some person, it must hold every number from 1 once"),
        (np.array([[0, 1, 2, 3]]), r"row 1 without some person"),
        (np.zeros((2, 2, 2)), r"found float64 \(2, 2, 2\), ls_set must be 10 rows of 300 numbers"),
        (np.array([["a", "b"]]), r"ls_set must be 10 rows"),
    ],
)
def test_another_table_is_refused(plant, table, told):
    with pytest.raises(ConfigError, match=told):
        listed(planted(plant, table=table), "train")


def test_wrong_roots(plant, tmp_path):
    with pytest.raises(ConfigError, match=r"looked for a folder at '.*', found nothing"):
        listed(tmp_path / "absent", "train")
    (tmp_path / "iLIDS-VID.tar").touch()
    with pytest.raises(ConfigError, match=r"looked for 'train_test_splits_ilidsvid.mat' in .*; unpack 'iLIDS-VID.tar' first$"):
        listed(tmp_path, "train")
    write_splits(tmp_path)
    with pytest.raises(ConfigError, match=r"looked for i-LIDS-VID/sequences/cam1 in"):
        listed(tmp_path, "train")
    root = write_splits(planted(plant), name="ls")
    with pytest.raises(ConfigError, match=r"found \['ls'\], it must hold the variable ls_set"):
        listed(root, "train")
    with pytest.raises(ConfigError, match=r"found 2 rows, ilids_vid.fold is 5"):
        listed(write_splits(root), "train", fold=5)
    with pytest.raises(ConfigError, match=r"ilids_vid.fold \(-1\) must be in \[0, 9\]"):
        listed(root, "train", fold=-1)


def test_build(plant, make_image, build_dataset):
    root = planted(plant)
    for seed, path in enumerate(sorted(root.rglob("*.png"))):
        make_image(path, (64, 128), seed)
    folders = build_dataset("ilids_vid", root)
    found = {split: [sample.row for sample in vdata.open_shards(folder)] for split, folder in folders.items()}
    assert {split: sorted(row["video_id"] for row in rows) for split, rows in found.items()} == {
        "train": ["cam1/person002", "cam1/person009", "cam2/person002", "cam2/person009"],
        "test": ["cam1/person001", "cam1/person319", "cam2/person001", "cam2/person319"],
    }
    assert {(row["num_frames"], row["pid"], row["label"]) for row in found["test"]} == {(2, 1, 2), (2, 319, 3)}
    assert vdata.open_shards(folders["train"]).classes["label"] == ("person002", "person009", "person001", "person319")
