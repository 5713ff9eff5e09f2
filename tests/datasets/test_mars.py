"""MARS: tables and name lists against the crops on disk, and the owners' own tables."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io

import vdata
from vdata.datasets import DATASETS
from vdata.datasets.mars import read_queries, read_table
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

TRAIN = [(1, 2, 1, 1), (3, 3, 1, 6), (4, 6, 5, 2)]
TRAIN_NAMES = [
    *("0001C1T0001F001.jpg", "0001C1T0001F002.jpg", "0001C6T0002F001.jpg"),
    *("0005C2T0001F001.jpg", "0005C2T0001F002.jpg", "0005C2T0001F003.jpg"),
]
TEST = [(1, 2, -1, 1), (3, 3, 0, 4), (4, 5, 2, 1), (6, 6, 2, 3), (7, 7, 10, 2)]
TEST_NAMES = [
    *("00-1C1T0001F001.jpg", "00-1C1T0001F002.jpg", "0000C4T0001F001.jpg"),
    *("0002C1T0001F001.jpg", "0002C1T0001F002.jpg", "0002C3T0002F001.jpg", "0010C2T0001F0100.jpg"),
]


def write_info(
    root: Path, train: object = TRAIN, test: object = TEST, queries: object = (3,), names: dict[str, list[str]] | None = None
) -> Path:
    """info/ with the owners' types: int32 tables, uint16 queries in one row, lists with CRLF."""
    info = root / "info"
    info.mkdir(exist_ok=True)
    scipy.io.savemat(info / "tracks_train_info.mat", {"track_train_info": np.array(train, np.int32)})
    scipy.io.savemat(info / "tracks_test_info.mat", {"track_test_info": np.array(test, np.int32)})
    scipy.io.savemat(info / "query_IDX.mat", {"query_IDX": np.array([queries], np.uint16)})
    for split, listed in ({"train": TRAIN_NAMES, "test": TEST_NAMES} | (names or {})).items():
        (info / f"{split}_name.txt").write_bytes("".join(f"{name}\r\n" for name in listed).encode())
    return root


@pytest.fixture
def root(plant: Callable[..., Path]) -> Path:
    """The published layout, all crops there but junk, which nobody unpacks twice."""
    train = (f"bbox_train/{name[:4]}/{name}" for name in TRAIN_NAMES)
    return write_info(plant(*train, *(f"bbox_test/{name[:4]}/{name}" for name in TEST_NAMES[2:])))


def listed(root: Path, split: str) -> list[Video | Skipped]:
    dataset = DATASETS["mars"](DATASETS["mars"].Config())
    dataset.prepare(root)
    return list(dataset.videos(root, split))


def test_rows_are_tracklets_counted_from_one(root):
    first, second, third = listed(root, "train")
    assert first.frames == ("bbox_train/0001/0001C1T0001F001.jpg", "bbox_train/0001/0001C1T0001F002.jpg")
    assert (first.video_id, first.source, first.splits) == ("0001C1T0001F001", "bbox_train/0001", ("train",))
    assert [video.facts for video in (first, second, third)] == [
        {"pid": 1, "camid": 0, "tracklet": 1},
        {"pid": 1, "camid": 5, "tracklet": 2},
        {"pid": 5, "camid": 1, "tracklet": 3},
    ]
    assert [(video.label, video.label_name) for video in (first, second, third)] == [(0, "0001"), (0, "0001"), (1, "0005")]


def test_junk_distractors_queries_and_gallery(root):
    junk, distractor, query, gallery, other = listed(root, "test")
    assert (junk.reason, junk.source, junk.video_id) == ("junk", "bbox_test/00-1", "00-1C1T0001F001")
    assert (distractor.label, distractor.label_name, distractor.facts["pid"]) == (-1, "", 0)
    assert [video.splits[1] for video in (distractor, query, gallery, other)] == ["gallery", "query", "gallery", "gallery"]
    # Behind the two people of train; 0002 sorts before 0010.
    assert [video.label for video in (query, gallery, other)] == [2, 2, 3]
    assert other.frames == ("bbox_test/0010/0010C2T0001F0100.jpg",)
    assert DATASETS["mars"](DATASETS["mars"].Config()).classes(root) == {"label": ("0001", "0005", "0002", "0010")}


def test_a_missing_crop_costs_its_tracklet(root):
    (root / "bbox_train/0005/0005C2T0001F002.jpg").unlink()
    *_, missing = listed(root, "train")
    assert (missing.reason, missing.source) == ("missing", "bbox_train/0005/0005C2T0001F002.jpg")
    assert missing.message == "row 3: 1 of its 3 crops are not there"
    shutil.rmtree(root / "bbox_train/0001")
    (root / "bbox_train/0005/0005C2T0001F001.jpg").unlink()
    with pytest.raises(ConfigError, match=r"mars: looked for the crops of 3 tracklets in bbox_train/"):
        listed(root, "train")


def test_the_tables_of_the_owners(annotations_root):
    train, test = (read_table(annotations_root / "mars", split) for split in ("train", "test"))
    # Cut to 60 rows each; the whole ones have 8,298 and 12,180.
    assert train.shape == test.shape == (60, 4)
    assert train[:2].tolist() == [[1, 16, 1, 1], [17, 95, 1, 1]]
    assert np.array_equal(train[1:, 0], train[:-1, 1] + 1)
    assert set(train[:, 3].tolist()) <= set(range(1, 7))
    assert np.unique(test[:, 2], return_counts=True)[1].tolist() == [20, 20, 20]
    assert np.unique(test[:, 2]).tolist() == [-1, 0, 2]
    queries = read_queries(annotations_root / "mars", 12_180)
    assert (len(queries), min(queries), max(queries)) == (1_980, 4_130, 12_180)
    # As the table was cut, the queries lie beyond it: in a real root that is an error.
    with pytest.raises(ConfigError, match=r"query_IDX.mat': found row 4130, tracks_test_info.mat has 60 rows; take all files"):
        read_queries(annotations_root / "mars", len(test))


def test_the_owners_first_tracklets_are_listed(annotations_root, plant):
    """The real tables with a name list made for them: nobody has published one alone."""
    info = annotations_root / "mars" / "info"
    rows = scipy.io.loadmat(info / "tracks_train_info.mat")["track_train_info"].tolist()
    names = [
        f"{pid:04d}C{cam}T{row:04d}F{frame:03d}.jpg" for row, (a, b, pid, cam) in enumerate(rows, 1) for frame in range(b - a + 1)
    ]
    root = write_info(plant(*(f"bbox_train/{name[:4]}/{name}" for name in names)), train=rows, names={"train": names})
    videos = listed(root, "train")
    assert [len(video.frames) for video in videos] == [b - a + 1 for a, b, _, _ in rows]
    assert [(video.facts["pid"], video.facts["camid"] + 1) for video in videos] == [(pid, cam) for _, _, pid, cam in rows]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"queries": (3, 6)}, r"query_IDX.mat': found row 6, tracks_test_info.mat has 5 rows"),
        ({"queries": (0,)}, r"found row 0,"),
        ({"test": [(1, 8, 2, 1)]}, r"found lines 1 to 8 in row 1, test_name.txt has 7 lines"),
        ({"test": [(0, 1, 2, 1)]}, r"found lines 0 to 1 in row 1"),
        ({"test": [(4, 5, 2, 1), (6, 5, 2, 3)]}, r"found lines 6 to 5 in row 2"),
        (
            {"test": [(4, 5, 3, 1)], "queries": (1,)},
            r"test_name.txt' line 4: found '0002C1T0001F001.jpg', the table has .* 0003C1",
        ),
        ({"test": [(5, 6, 2, 1)], "queries": (1,)}, r"line 6: found '0002C3T0002F001.jpg', the table has a tracklet of 0002C1"),
        ({"test": [(4, 5, 2)]}, r"found int32 \(1, 3\), it must have 4 columns"),
    ],
)
def test_files_of_different_sources_are_refused(root, changed, told):
    write_info(root, **changed)
    with pytest.raises(ConfigError, match=told) as error:
        listed(root, "test")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("queries", "told"),
    [
        ("abc", "found query_IDX of type <U3, it must be rows of the test table"),
        (np.array([[1, "a"]], object), "Object arrays cannot be saved"),
        (np.array([[3.0, np.nan]]), "found row nan, tracks_test_info.mat has 5 rows"),
        (np.array([[2.5]]), "found row 2.5,"),
    ],
)
def test_queries_that_are_no_rows_are_refused(root, queries, told):
    scipy.io.savemat(root / "info" / "query_IDX.mat", {"query_IDX": queries})
    with pytest.raises(ConfigError, match=told):
        listed(root, "test")
    # As MATLAB saves what has been through its arithmetic.
    scipy.io.savemat(root / "info" / "query_IDX.mat", {"query_IDX": np.array([[3.0]])})
    assert read_queries(root, 5) == {3}


def test_wrong_roots(plant, root, tmp_path):
    (root / "info" / "query_IDX.mat").rename(root / "query_IDX.mat")
    with pytest.raises(ConfigError, match=r"mars: looked for info/query_IDX.mat .* found bbox_test, .*MARS-evaluation"):
        listed(root, "test")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ConfigError, match=r"looked for info/train_name.txt in '.*', found nothing"):
        listed(empty, "train")
    with pytest.raises(ConfigError, match="found a file"):
        listed(root / "info" / "train_name.txt", "train")
    with pytest.raises(ConfigError, match=r"split \('gallery'\) must be one of train, test"):
        listed(write_info(root), "gallery")


def test_archives_that_were_not_unpacked_are_named(tmp_path):
    write_info(tmp_path)
    for split in ("train", "test"):
        (tmp_path / f"bbox_{split}.zip").touch()
    with pytest.raises(
        ConfigError,
        match=r"looked for bbox_train/ and bbox_test/ .* found bbox_test.zip.*; unpack 'bbox_test.zip' and 1 more first$",
    ):
        listed(tmp_path, "train")


def test_an_info_that_is_no_matlab_file(root):
    (root / "info" / "tracks_train_info.mat").write_bytes(b"<html>")
    with pytest.raises(ConfigError, match=r"mars: '.*tracks_train_info.mat': found .*, it must be a MATLAB file"):
        listed(root, "train")


def test_build(root, make_image, build_dataset):
    for split, names in (("train", TRAIN_NAMES), ("test", TEST_NAMES[2:])):
        for seed, name in enumerate(names):
            make_image(root / f"bbox_{split}" / name[:4] / name, (64, 128), seed)
    folders = build_dataset("mars", root)
    rows = {row["video_id"]: row for split in folders for row in (sample.row for sample in vdata.open_shards(folders[split]))}
    assert {key: row["num_frames"] for key, row in rows.items()} == {
        "0001C1T0001F001": 2,
        "0001C6T0002F001": 1,
        "0005C2T0001F001": 3,
        "0000C4T0001F001": 1,
        "0002C1T0001F001": 2,
        "0002C3T0002F001": 1,
        "0010C2T0001F0100": 1,
    }
    query = rows["0002C1T0001F001"]
    assert (query["pid"], query["camid"], query["tracklet"], query["label"], query["splits"]) == (2, 0, 3, 2, ["test", "query"])
    assert (query["fps_num"], query["fps_den"]) == (25, 1)
    # Turned upright: 1 by 2.
    assert query["picture"] == {"x": 0, "y": 0, "width": 48, "height": 96}
    assert vdata.open_shards(folders["test"]).classes == {"label": ("0001", "0005", "0002", "0010")}
