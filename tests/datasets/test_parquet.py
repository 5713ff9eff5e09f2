"""Tables as Parquet: types that CSV does not have."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import vdata
from vdata.config import from_mapping
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Skipped, Video


def listed(root: Path, split: str = "", **settings: object) -> list[Video | Skipped]:
    parquet = DATASETS["parquet"](from_mapping(DATASETS["parquet"].Config, settings))
    parquet.prepare(root)
    return list(parquet.videos(root, split))


def test_types(plant):
    root = plant("a.mp4", "b.mp4")
    table = {
        "path": ["a.mp4", "b.mp4"],
        "start": pa.array([1.5, float("nan")]),
        "end": pa.array([None, 3], pa.int32()),
        # As pandas stores whole numbers of which some are missing.
        "label": pa.array([3.0, float("nan")]),
        "tags": [["x", "y"], None],
        "picture": [b"\xff\xd8", b""],
        "day": [dt.date(2026, 1, 2), None],
        "size": [{"w": 4, "h": 3}, {"w": None, "h": 1}],
        "split": pa.array(["train", "train"]).dictionary_encode(),
    }
    pq.write_table(pa.table(table), root / "t.parquet", row_group_size=1)
    first, second = listed(root, "train")
    assert (first.video_id, first.start_seconds, first.end_seconds, first.label) == ("a.mp4#t=1.5", 1.5, None, 3)
    assert first.text == {"tags": ["x", "y"], "other": {"day": "2026-01-02", "size": '{"w": 4, "h": 3}'}}
    assert (second.video_id, second.end_seconds, second.label) == ("b.mp4#t=0,3", 3.0, -1)
    assert second.text == {"other": {"size": '{"w": null, "h": 1}'}}


def test_rows_are_counted_over_batches(plant):
    root = plant("a.mp4")
    names = ["a.mp4", *(f"{number}.mp4" for number in range(5000))]
    pq.write_table(pa.table({"path": names}), root / "t.parquet")
    entries = listed(root / "t.parquet")
    assert len(entries) == 5001
    assert entries[-1].message == "row 5001: no such file"


def test_what_is_refused(plant):
    root = plant(texts={"t.parquet": "PAR1 no"})
    with pytest.raises(ConfigError, match=r"t\.parquet': found .*, it must be a whole Parquet file"):
        listed(root)
    pq.write_table(pa.table({"file": ["a.mp4"]}), root / "t.parquet")
    with pytest.raises(ConfigError, match="found the columns file, it must have the column 'path'"):
        listed(root)
    pq.write_table(pa.table({"path": pa.array([], pa.string())}), root / "t.parquet")
    with pytest.raises(ConfigError, match="found no row"):
        listed(root)


def test_times_that_python_does_not_have_are_text(plant):
    root = plant("a.mp4", "b.mp4")
    table = {
        "path": ["a.mp4", "b.mp4"],
        "when": pa.array([1, None], pa.timestamp("ns")),
        "far": pa.array([2**62, 0], pa.timestamp("us")),
        "zone": pa.array([0, 1], pa.timestamp("s", tz="Nowhere/Bad")),
        "clock": pa.array([1, 2], pa.time64("ns")),
        "start": pa.array([1_500_000_001, None], pa.duration("ns")),
    }
    pq.write_table(pa.table(table), root / "t.parquet")
    first, second = listed(root)
    other = first.text["other"]
    assert (other["when"], other["zone"], other["clock"]) == (
        "1970-01-01 00:00:00.000000001",
        "1970-01-01 00:00:00.000Z",
        "00:00:00.000000001",
    )
    assert first.start_seconds == pytest.approx(1.500000001, abs=1e-12)
    assert second.text["other"]["far"] == "1970-01-01 00:00:00.000000"
    nested = table | {"deep": pa.array([[2**62], []], pa.list_(pa.timestamp("us")))}
    pq.write_table(pa.table(nested), root / "t.parquet")
    with pytest.raises(ConfigError, match=r"found the column 'deep' \(list<.*: leave it out, or write it as text"):
        listed(root)


def test_two_columns_of_one_name_are_refused(plant):
    root = plant("a.mp4", "b.mp4")
    pq.write_table(pa.table([pa.array(["a.mp4"]), pa.array(["b.mp4"])], names=["path", "path"]), root / "t.parquet")
    with pytest.raises(ConfigError, match="found the column 'path' twice, each must have a name of its own"):
        listed(root)


def test_a_build(make_video, make_image, build_dataset, tmp_path):
    root = tmp_path / "data"
    make_image(root / "still.png")
    shutil.copy(make_video("a.mp4", num_frames=20, fps=25, size=(64, 48)), root)
    rows = {
        "path": ["a.mp4", "still.png"],
        "end": [0.48, None],
        "label": pa.array([3.0, 0.0]),
        "tags": [["x", "y"], None],
        "picture": [b"\xff", None],
        "split": ["val", "val"],
    }
    pq.write_table(pa.table(rows), root / "t.parquet")
    shards = vdata.open_shards(build_dataset("parquet", root / "t.parquet")["val"])
    samples = {sample.row["video_id"]: sample for sample in shards}
    assert {name: (sample.row["num_frames"], sample.row["label"]) for name, sample in samples.items()} == {
        "a.mp4#t=0,0.48": (12, 3),
        "still.png": (1, 0),
    }
    assert samples["a.mp4#t=0,0.48"].text().tags == ("x", "y")
    assert samples["still.png"].row["splits"] == ["val"]
