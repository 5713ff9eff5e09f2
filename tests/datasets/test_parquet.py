"""Tables as Parquet: types that CSV does not have."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

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
