"""Which clips a filter chooses, from arrays and row files, with columns that some shards lack."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import vdata.shards.columns as columns_module
from vdata.errors import ConfigError, UnknownNameError
from vdata.shards import open_index, open_shards
from vdata.shards.where import select


def slow(index, holds) -> list[bool]:
    """Row by row, from the row files, by a function of the row."""
    return [holds(index.row(i)) for i in range(len(index))]


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ("num_frames > 10", lambda row: row["num_frames"] > 10),
        ("label in (0, 2) and num_frames >= 13", lambda row: row["label"] in (0, 2) and row["num_frames"] >= 13),
        ("not has_audio and index < 4", lambda row: not row["has_audio"] and row["index"] < 4),
        ("video_index == 3 or init_size < 0", lambda row: row["video_index"] == 3),
        ("picture.width < width and picture.height == 44", lambda row: row["picture"]["height"] == 44),
        ("label_name == 'class 1'", lambda row: row["label_name"] == "class 1"),
        ("label_name in ('class 0',) and label == 0", lambda row: row["label_name"] == "class 0"),
        ("end_seconds - start_seconds > 0.5", lambda row: row["end_seconds"] - row["start_seconds"] > 0.5),
        (pc.field("num_frames") > 10, lambda row: row["num_frames"] > 10),
        ((pc.field("picture", "width") < 10) | (pc.field("key") == "x"), lambda row: row["picture"]["width"] < 10),
        (pc.match_substring(pc.field("label_name"), "1"), lambda row: "1" in row["label_name"]),
    ],
)
def test_the_clips_are_those_whose_rows_hold(shard_folder, where, holds):
    index = open_index(shard_folder)
    selection = select(index, where)
    assert selection.chosen.tolist() == slow(index, holds)
    assert selection.num_null == 0


def test_a_column_of_one_shard_only_is_null_elsewhere(shard_folder, add_column):
    add_column(shard_folder, 0, "motion_score", pa.array([0.1, 0.5, None, 0.3], pa.float32()))
    add_column(shard_folder, 0, "pid", pa.array([1, 2, None, 4], pa.int32()))
    add_column(shard_folder, 1, "caption", pa.array(["a", None]))
    index = open_index(shard_folder)
    for where, chosen, num_null in [
        ("motion_score > 0.2", [1, 3], 3),
        ("not motion_score > 0.2", [0], 3),
        ("motion_score is None", [2, 4, 5], 0),
        ("motion_score > 0.2 or label == 1", [1, 3, 4], 2),
        ("pid in (2, 4)", [1, 3], 3),
        ("pid not in (2, 4)", [0], 3),
        ("pid != 0 and motion_score > 0", [0, 1, 3], 3),
        ("caption == 'a'", [4], 5),
        (pc.field("pid") > 1, [1, 3], 3),
    ]:
        selection = select(index, where)
        assert np.flatnonzero(selection.chosen).tolist() == chosen
        assert selection.num_null == num_null
    assert str(select(index, "pid == 2")) == "where 'pid == 2' leaves out 5 of 6 clips, 3 of them for want of a value"
    assert str(select(index, "label == 1")) == "where 'label == 1' leaves out 4 of 6 clips"


def test_numbers_and_truths_are_read_from_arrays_and_text_from_rows(shard_folder, add_column, monkeypatch):
    for shard, count in ((0, 4), (1, 2)):
        add_column(shard_folder, shard, "motion_score", pa.array(np.arange(count), pa.float32()))
    open_index(shard_folder)
    read = []
    read_rows = columns_module.read_rows
    monkeypatch.setattr(columns_module, "read_rows", lambda *args: read.append(args[2]) or read_rows(*args))
    index = open_index(shard_folder)
    select(index, "motion_score > 1 and has_audio == False and picture.width > 3 and index in (1, 2) and start_seconds == 0")
    select(index, (pc.field("motion_score") > 1) & pc.field("has_audio"))
    assert read == []
    select(index, "label_name == 'class 1' and motion_score > 1")
    assert read == [["key", "label_name"]] * 2


def test_arrow_expressions_that_do_not_fit_are_errors(shard_folder):
    index = open_index(shard_folder)
    with pytest.raises(UnknownNameError, match=r"no column is named 'lable'\. Did you mean 'label'"):
        select(index, pc.field("lable") == 1)
    with pytest.raises(ConfigError, match="no kernel matching"):
        select(index, pc.field("label_name") > 1)
    with pytest.raises(ConfigError, match="gives int32 and no truth"):
        select(index, pc.field("label") + pc.field("label"))
    with pytest.raises(ConfigError, match="must be text or"):
        select(index, 5)


def test_the_order_of_many_rows_is_kept():
    """Over the size at which Arrow cuts a table into batches."""
    rows = pa.table({"index": np.arange(300_000)})
    clips = SimpleNamespace(schema=rows.schema, table=rows.select)
    chosen = select(clips, "index >= 100000 and index / 2 < 100000").chosen
    assert np.flatnonzero(chosen).tolist() == list(range(100_000, 200_000))


def test_open_shards_has_the_chosen_only(shard_folder, caplog):
    every = open_shards(shard_folder)
    some = open_shards(shard_folder, where="num_frames >= 12 and num_frames < 30")
    assert "leaves out 3 of 6 clips" in caplog.text
    keys = [sample.key for sample in every]
    assert len(some) == 3
    assert [sample.key for sample in some] == [keys[1], keys[4], keys[5]]
    assert some[-1].key == keys[5]
    assert some[keys[4]]["mp4"] == every[4]["mp4"]
    assert keys[0] not in some
    assert keys[4] in some
    with pytest.raises(KeyError):
        some[keys[0]]
    with pytest.raises(IndexError):
        some[3]
    assert len(open_shards(shard_folder, where="num_frames > 99")) == 0
