"""The same samples in a tar and in cells: whoever reads a folder cannot tell, but by the places."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vdata.errors import CorruptShardError, SchemaMismatchError
from vdata.records import Column, Failure
from vdata.shards import ShardCounts, ShardWriter, open_index, open_shards, row_schema
from vdata.shards.cells import read_cells
from vdata.shards.info import describe_folder
from vdata.shards.rows import read_rows, read_schema

KEYFRAMES = Column("keyframes", pa.list_(pa.struct([("frame", pa.int32()), ("offset", pa.int64()), ("size", pa.int64())])), "")


@pytest.fixture
def folders(write_shards, tmp_path):
    """The six clips in tars, and in cells."""
    return write_shards(tmp_path / "tar"), write_shards(tmp_path / "parquet", parquet=True)


def without_place(row: dict) -> dict:
    """The row, with what does not depend on where its members lie; the tar's json member left out."""
    kept = [{name: member[name] for name in ("name", "size", "sha256")} for member in row["members"] if member["name"] != "json"]
    return row | {"members": kept}


def test_rows_are_equal_but_for_the_places(folders):
    tar, cells = map(open_shards, folders)
    assert [without_place(sample.row) for sample in cells] == [without_place(sample.row) for sample in tar]
    assert {member["file"] for sample in cells for member in sample.row["members"]} == {
        "clips-000000.parquet",
        "clips-000001.parquet",
    }


def test_members_frames_and_keyframes_are_equal(folders, mp4s):
    tar, cells = map(open_shards, folders)
    assert [sample["mp4"] for sample in cells] == mp4s
    for old, new in zip(tar, cells, strict=True):
        assert (*new.exts, "json") == old.exts
        assert [new[ext] for ext in new.exts] == [old[ext] for ext in new.exts]
        assert np.array_equal(new.frames(), old.frames())
        assert np.array_equal(new.keyframe(0), old.keyframe(0))
        assert cells[old.key].row == new.row


def test_a_json_member_is_what_its_row_is(folders):
    for old, new in zip(*map(open_shards, folders), strict=True):
        row = {name: value for name, value in new.row.items() if name != "members"}
        assert json.loads(old["json"]) == row


def test_the_index_leads_to_the_same_bytes(folders):
    tar, cells = map(open_index, folders)
    for name in ("shard", "init_size", "num_frames", "label", "fps", "video", "index", "fragment_start", "fragment_offset"):
        assert np.array_equal(getattr(tar, name), getattr(cells, name)), name
    assert tar.members.keys() == cells.members.keys() == {"text.json"}
    for i in range(6):
        found = [
            index.mp4_path(i).read_bytes()[index.mp4_offset[i] :][: index.init_size[i] + index.fragment_size.sum()]
            for index in (tar, cells)
        ]
        size = sum(member["size"] for member in cells.row(i)["members"] if member["name"] == "mp4")
        assert found[0][:size] == found[1][:size]
        assert hashlib.sha256(found[1][:size]).hexdigest() == cells.row(i)["members"][0]["sha256"]


def test_info_says_the_same(folders):
    tar, cells = map(describe_folder, folders)
    assert tar | {"folder": ""} == cells | {"folder": ""}


def test_a_parquet_shard_is_one_file_with_its_errors_and_sums(folders):
    names = sorted(path.name for path in folders[1].glob("clips-000000.*"))
    assert names == ["clips-000000.errors.parquet", "clips-000000.parquet", "clips-000000.sha256"]
    assert pq.read_schema(folders[1] / "clips-000000.parquet").equals(row_schema(cells=["mp4", "text.json"]))
    assert [set(cells) for cells in read_cells(folders[1] / "clips-000001.parquet")] == [{"mp4", "text.json"}, {"mp4"}]


def test_a_folder_may_hold_both(folders, mp4s):
    mixed, other = folders
    for path in mixed.glob("clips-000001.*"):
        path.unlink()
    for path in other.glob("clips-000001.*"):
        shutil.copy(path, mixed)
    assert [sample["mp4"] for sample in open_shards(mixed)] == mp4s
    index = open_index(mixed)
    assert [index.mp4_path(i).name for i in (0, 5)] == ["clips-000000.tar", "clips-000001.parquet"]
    assert index.column("label").tolist() == [0, 1, 2, 0, 1, 2]
    assert describe_folder(mixed)["megabytes"] == describe_folder(other)["megabytes"]


def test_two_writes_give_the_same_bytes(write_shards, tmp_path):
    first, second = write_shards(tmp_path / "a", parquet=True), write_shards(tmp_path / "b", parquet=True)
    names = [path.name for path in sorted(first.glob("clips-*"))]
    assert len(names) == 6
    assert [(first / name).read_bytes() for name in names] == [(second / name).read_bytes() for name in names]


def test_a_shard_without_a_clip(tmp_path):
    schema = row_schema(cells=["mp4"])
    writer = ShardWriter(tmp_path, 0, schema)
    writer.fail(Failure("a.mp4", "a", None, "cut", "no_frames", "nothing decodes"))
    assert writer.commit({"failed": 1}) == ShardCounts(clips=0, failures=1, bytes=0)
    assert len(open_shards(tmp_path)) == 0
    assert read_schema(tmp_path, 0).equals(schema)
    assert not list(tmp_path.glob("*.tar"))


def test_the_row_files_size_is_the_shards(tmp_path, clips, make_row):
    writer = ShardWriter(tmp_path, 0, row_schema(cells=["mp4"]))
    writer.add("a", make_row(clips[3], 0), {"mp4": clips[3].mp4})
    assert writer.commit().bytes == (tmp_path / "clips-000000.parquet").stat().st_size
    writer.abort()


def test_a_shard_is_written_anew_with_the_schema_of_the_old(folders, make_row, clips):
    for folder in folders:
        kept = open_shards(folder)[1]
        exts = [ext for ext in kept.exts if ext != "json"]
        row = {name: value for name, value in kept.row.items() if name not in ("key", "members")}
        members = {ext: kept[ext] for ext in exts}
        writer = ShardWriter(folder, 0, read_schema(folder, 0))
        writer.add(kept.key, row, members)
        writer.commit()
        assert len(read_rows(folder, 0)) == 1
        assert {ext: open_shards(folder)[kept.key][ext] for ext in exts} == members
        assert (folder / "clips-000000.tar").exists() == (folder.name == "tar")


@pytest.mark.parametrize("parquet", [False, True])
def test_the_same_samples_written_anew_give_the_same_bytes(write_shards, tmp_path, parquet):
    folder = write_shards(tmp_path / "shards", parquet=parquet)
    old = {path.name: path.read_bytes() for path in folder.glob("clips-000001.*")}
    writer = ShardWriter(folder, 1, read_schema(folder, 1))
    for sample in list(open_shards(folder))[4:]:
        row = {name: value for name, value in sample.row.items() if name not in ("key", "members")}
        writer.add(sample.key, row, {ext: sample[ext] for ext in sample.exts if ext != "json"})
    writer.fail(Failure("a/bad.mp4", "bad", None, "cut", "no_frames", "broken in shard 1"))
    writer.commit()
    assert {path.name: path.read_bytes() for path in folder.glob("clips-000001.*")} == old


def test_a_member_that_no_cell_was_declared_for(tmp_path, clips, make_row):
    writer = ShardWriter(tmp_path, 0, row_schema(cells=["mp4"]))
    with pytest.raises(SchemaMismatchError, match="'a' has a member 'flac', its row file has columns for mp4"):
        writer.add("a", make_row(clips[3], 0), {"mp4": clips[3].mp4, "flac": b""})
    writer.abort()
    writer.abort()
    assert list((tmp_path / ".tmp").iterdir()) == []


def test_columns_of_extractors_and_a_keyframe_from_its_packet(tmp_path, clips, make_row):
    schema = row_schema((), [KEYFRAMES], cells=["mp4"])
    writer = ShardWriter(tmp_path, 0, schema)
    table = [{"frame": k.frame, "offset": k.offset, "size": k.size} for k in clips[0].keyframes]
    writer.add("a", make_row(clips[0], 0, keyframes=table), {"mp4": clips[0].mp4})
    writer.commit()
    sample = open_shards(tmp_path)["a"]
    assert np.array_equal(sample.keyframe(2), sample.frames(24, 25)[0])


def test_a_row_file_that_is_gone_is_named(folders):
    sample = open_shards(folders[1])[0]
    (folders[1] / "clips-000000.parquet").unlink()
    with pytest.raises(CorruptShardError, match=r"clips-000000.parquet' that the rows name is not there"):
        sample["mp4"]
