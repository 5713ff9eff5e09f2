"""Columns of the rows in batches, against the rows themselves."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch

import vdata
from pipelines import ClipIterator
from vdata.errors import ConfigError, UnknownNameError
from vdata.records import Video
from vdata.shards.index import write_index
from vdata.views import Fact, Text

LABELS = [(0, 2), (), (1,), (4, 0), (3,), (2,)]


@pytest.fixture
def folder(tmp_path, build_listed, add_column):
    """Six documents of several classes, with a column of each kind; one score is null."""
    (tmp_path / "all.txt").write_text("word " * 40)
    videos = [
        Video(f"v{n}", "all.txt", label=n, labels=labels, medium="text", byte_range=(5 * n, 5)) for n, labels in enumerate(LABELS)
    ]
    out = build_listed(tmp_path, videos, tmp_path / "out", ("text",), plan={"shard_mb": 100.0})
    rows = [sample.row for sample in vdata.open_shards(out)]
    numbers = [row["label"] for row in rows]
    add_column(out, 0, "pid", pa.array([10 + n for n in numbers], pa.int32()))
    add_column(out, 0, "score", pa.array([None if n == 3 else n / 4 for n in numbers], pa.float64()))
    add_column(out, 0, "good", pa.array([n % 2 == 0 for n in numbers]))
    write_index(out)
    return out


def batches(folder, *views, **settings):
    with ClipIterator(folder, views=(Text("words", fields=("document",)), *views), batch_size=2, seed=3, **settings) as it:
        for batch in it:
            yield it.keys(batch["idx"]), batch


def rows_of(folder):
    return {sample.key: sample.row for sample in vdata.open_shards(folder)}


def test_numbers_and_truths_are_the_rows_own(folder):
    rows, met = rows_of(folder), 0
    for keys, batch in batches(folder, Fact("pid"), Fact("s", column="score"), Fact("good"), Fact("lost", "score", missing=7.0)):
        assert (batch["pid"].dtype, batch["s"].dtype, batch["good"].dtype) == (torch.int64, torch.float32, torch.bool)
        for place, key in enumerate(keys):
            row = rows[key]
            met += 1
            assert batch["pid"][place] == row["pid"]
            assert batch["good"][place] == row["good"]
            assert batch["s"][place] == (-1.0 if row["score"] is None else row["score"])
            assert batch["lost"][place] == (7.0 if row["score"] is None else row["score"])
    assert met == 6


def test_lists_become_multi_hot(folder):
    rows = rows_of(folder)
    for keys, batch in batches(folder, Fact("y", column="labels", classes=5)):
        assert (batch["y"].dtype, batch["y"].shape) == (torch.float32, (2, 5))
        for place, key in enumerate(keys):
            assert np.flatnonzero(batch["y"][place].numpy()).tolist() == sorted(rows[key]["labels"])


def test_videos_have_a_number_each_over_folders(folder, tmp_path, build_listed):
    (tmp_path / "b.txt").write_text("other")
    other = build_listed(tmp_path, [Video("v0", "b.txt", medium="text")], tmp_path / "other", ("text",))
    seen = [int(number) for _, batch in batches([folder, other], Fact("video"), drop_last=False) for number in batch["video"]]
    assert len(set(seen)) == len(seen) == 7


def test_a_video_has_the_facts_of_its_clips(folder):
    rows = rows_of(folder)
    for keys, batch in batches(folder, Fact("pid"), unit="video"):
        assert batch["pid"].tolist() == [rows[key]["pid"] for key in keys]


@pytest.mark.parametrize(
    ("view", "error", "message"),
    [
        (Fact("pif"), UnknownNameError, "no column is named 'pif'. Did you mean 'pid'"),
        (Fact("labels"), ConfigError, r"views\.labels\.column .*labels: list.* must hold numbers or truths; give classes"),
        (Fact("key"), ConfigError, "must hold numbers or truths"),
        (Fact("y", "labels", classes=4), ConfigError, r"views\.y\.classes \(4\) must be more than the largest index .*, 4"),
        (Fact("y", "pid", classes=4), ConfigError, "must hold lists of class indices"),
    ],
)
def test_what_it_cannot_take_is_named(folder, view, error, message):
    with pytest.raises(error, match=message):
        next(batches(folder, view))


def test_classes_are_checked():
    with pytest.raises(ConfigError, match=r"views\.y\.classes"):
        Fact("y", classes=-1)
