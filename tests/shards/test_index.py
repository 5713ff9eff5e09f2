import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

import vdata.shards.index as index_module
from vdata.errors import SchemaMismatchError, ShardError
from vdata.shards import ShardWriter, open_index, row_schema, write_index
from vdata.shards.layout import ROWS, replacing, shard_path
from vdata.shards.rows import read_rows, write_rows
from vdata.shards.schema import COLUMNS


def slow_rows(folder):
    """Every row in order, by plain Python."""
    return [
        row for path in sorted(folder.glob("clips-??????.parquet")) for row in read_rows(folder, int(path.stem[6:])).to_pylist()
    ]


def test_arrays_equal_a_slow_reading_of_the_rows(shard_folder):
    index, rows = open_index(shard_folder), slow_rows(shard_folder)
    assert len(index) == len(rows) == 6
    names = {"video": "video_index"}
    for name in ("init_size", "num_frames", "label", "index", "width", "height", "gop", "video"):
        assert getattr(index, name).tolist() == [row[names.get(name, name)] for row in rows]
    assert index.shard.tolist() == [0, 0, 0, 0, 1, 1]
    assert index.fps.tolist() == [row["fps_num"] / row["fps_den"] for row in rows]
    assert index.picture.tolist() == [[row["picture"][side] for side in ("x", "y", "width", "height")] for row in rows]
    for i, row in enumerate(rows):
        own = slice(*index.fragment_start[i : i + 2])
        triples = zip(index.fragment_frame[own], index.fragment_offset[own], index.fragment_size[own], strict=True)
        assert list(triples) == [(f["first_frame"], f["offset"], f["size"]) for f in row["fragments"]]
    dtypes = {name: str(getattr(index, name).dtype) for name in ("shard", "mp4_offset", "init_size", "fps", "fragment_start")}
    assert dtypes == {"shard": "int32", "mp4_offset": "int64", "init_size": "int32", "fps": "float64", "fragment_start": "int64"}


def test_places_lead_to_the_bytes(shard_folder, mp4s):
    index = open_index(shard_folder)
    for i, mp4 in enumerate(mp4s):
        tar = index.mp4_path(i).read_bytes()
        assert tar[index.mp4_offset[i] : index.mp4_offset[i] + len(mp4)] == mp4
    text = index.members["text.json"]
    for i in range(6):
        if i % 2:
            assert (text.file[i], text.size[i]) == (-1, 0)
        else:
            tar = index.file_path(text.file[i]).read_bytes()
            assert tar[text.offset[i] : text.offset[i] + text.size[i]] == b'{"number":%d}' % i


def test_one_member_is_found_or_known_to_be_absent(shard_folder):
    index = open_index(shard_folder)
    for i in range(6):
        file, offset, size = index.member(i, "text.json")
        assert file.read_bytes()[offset : offset + size] == (b"" if i % 2 else b'{"number":%d}' % i)
    assert index.member(0, "flac") is None
    assert index.exts(0) == ("text.json",)
    assert index.folder_of(5) == shard_folder


def test_members_of_a_sidecar_tar_and_of_some_shards_only(shard_folder):
    rows = read_rows(shard_folder, 1).to_pylist()
    rows[1]["members"].append({"name": "flow.npy", "file": "clips-000001.flow.tar", "offset": 512, "size": 7, "sha256": ""})
    with replacing(shard_path(shard_folder, 1, ROWS)) as path:
        write_rows(path, pa.Table.from_pylist(rows, schema=row_schema()))
    index = open_index(shard_folder)
    flow = index.members["flow.npy"]
    assert flow.size.tolist() == [0, 0, 0, 0, 0, 7]
    assert flow.offset.tolist() == [0, 0, 0, 0, 0, 512]
    assert index.file_path(flow.file[5]).name == "clips-000001.flow.tar"
    assert flow.file[:5].tolist() == [-1] * 5


def test_opening_a_fresh_index_reads_no_parquet(shard_folder, monkeypatch):
    write_index(shard_folder)

    def refuse(*args, **kwargs):
        raise AssertionError

    monkeypatch.setattr(index_module, "read_rows", refuse)
    monkeypatch.setattr(index_module, "build_arrays", refuse)
    index = open_index(shard_folder)
    assert isinstance(index.fragment_offset, np.memmap)
    assert isinstance(index.members["text.json"].offset, np.memmap)
    with pytest.raises(AssertionError):
        index.key(0)


def test_rows_and_columns_come_from_the_row_files(shard_folder):
    index, rows = open_index(shard_folder), slow_rows(shard_folder)
    assert [index.key(i) for i in range(6)] == [row["key"] for row in rows]
    assert [index.row(i) for i in (5, 0, 3)] == [rows[i] for i in (5, 0, 3)]
    assert index.column("label_name").tolist() == [row["label_name"] for row in rows]
    assert index.column("start_seconds").dtype == np.float64
    with pytest.raises(SchemaMismatchError, match="no column 'pid'"):
        index.column("pid")


def test_digest_outlives_remaking_moving_and_adding(shard_folder, tmp_path, write_shards):
    digest = open_index(shard_folder).digest
    shutil.rmtree(shard_folder / "index")
    assert open_index(shard_folder).digest == digest
    # The same clips at other places, and in cells.
    assert open_index(write_shards(tmp_path / "more", extra={"flow.npy": b"12"})).digest == digest
    assert open_index(write_shards(tmp_path / "cells", parquet=True)).digest == digest
    assert open_index(write_shards(tmp_path / "fewer", per_shard=3)).digest != digest
    moved = shutil.copytree(shard_folder, tmp_path / "copy", copy_function=shutil.copy)
    assert open_index(moved).digest == digest
    rows = read_rows(shard_folder, 1).to_pylist()
    rows[0]["members"].append({"name": "flow.npy", "file": "clips-000001.flow.tar", "offset": 512, "size": 7, "sha256": ""})
    with replacing(shard_path(shard_folder, 1, ROWS)) as path:
        write_rows(path, pa.Table.from_pylist(rows, schema=row_schema()))
    assert open_index(shard_folder).digest == digest


def test_an_index_that_another_process_swaps_in_meanwhile_is_not_mixed_with_ours(
    shard_folder, tmp_path, write_shards, monkeypatch
):
    """Another rank, which saw a newer row file, puts its index into place between our writing and our opening."""
    other = write_shards(tmp_path / "other", extra={"flow.npy": b"12"})
    open_index(other)
    shutil.rmtree(shard_folder / "index", ignore_errors=True)
    swap = index_module._swap

    def overtaken(new, place):
        swap(new, place)
        shutil.rmtree(place)
        shutil.copytree(other / "index", place)

    monkeypatch.setattr(index_module, "_swap", overtaken)
    ours = write_index(shard_folder)
    assert all(ours.row(i)["members"][0]["offset"] == ours.mp4_offset[i] for i in range(len(ours)))
    assert "flow.npy" not in ours.members


def test_an_added_column_is_an_array_and_changes_no_digest(shard_folder, add_column):
    before = open_index(shard_folder)
    add_column(shard_folder, 0, "motion_score", pa.array([0.5, None, 2.0, 1.0], pa.float32()))
    add_column(shard_folder, 1, "pid", pa.array([7, 8], pa.int32()))
    index = open_index(shard_folder)
    assert index.digest == before.digest
    assert set(index.scalars) - set(before.scalars) == {"motion_score", "pid"}
    assert np.load(shard_folder / "index/column.motion_score.npy").dtype == np.float32
    assert np.load(shard_folder / "index/null.pid.npy").tolist() == [True] * 4 + [False] * 2
    assert isinstance(index.scalars["pid"].values, np.memmap)
    assert np.array_equal(index.column("motion_score"), [0.5, np.nan, 2, 1, np.nan, np.nan], equal_nan=True)
    assert index.arrow_column("pid").to_pylist() == [None] * 4 + [7, 8]
    assert not index_module.differing_files(shard_folder)


def test_the_table_holds_what_the_row_files_hold(shard_folder):
    index, rows = open_index(shard_folder), slow_rows(shard_folder)
    names = [name for name in index.schema.names if name != "members"]
    assert index.schema.equals(row_schema().remove_metadata())
    assert index.table(names).to_pylist() == [{name: row[name] for name in names} for row in rows]
    flat = [name for name in names if not pa.types.is_list(index.schema.field(name).type)]
    assert index.table(flat).schema.equals(pa.schema([index.schema.field(name) for name in flat]))
    assert set(index.scalars) >= {"has_audio", "start_seconds", "end_seconds", "fps_num", "fps_den", "source_width"}
    for name, scalar in index.scalars.items():
        assert scalar.null is None
        assert index.column(name).tolist() == [row[name] for row in rows]


def test_a_column_whose_types_do_not_agree_keeps_no_folder_from_opening(shard_folder, add_column):
    add_column(shard_folder, 0, "pid", pa.array([1, 2, 3, 4], pa.int32()))
    add_column(shard_folder, 1, "pid", pa.array(["a", "b"]))
    index = open_index(shard_folder)
    assert "pid" not in index.scalars
    assert index.schema.field("pid").type == pa.null()
    with pytest.raises(SchemaMismatchError, match="differ in the type of a column"):
        index.column("pid")


def test_a_stale_index_is_made_anew(shard_folder, clips, make_row):
    before = open_index(shard_folder)
    writer = ShardWriter(shard_folder, 2, row_schema())
    writer.add("new", make_row(clips[1], 6), {"mp4": clips[1].mp4})
    writer.commit()
    after = open_index(shard_folder)
    assert (len(before), len(after)) == (6, 7)
    assert before.digest != after.digest
    # The arrays of an index that was open stay readable though its files are gone.
    assert before.num_frames.tolist() == after.num_frames[:6].tolist()
    os.utime(shard_folder / "clips-000000.parquet", ns=(1, 1))
    header = shard_folder / "index" / "index.json"
    written = header.stat().st_ino
    open_index(shard_folder)
    assert header.stat().st_ino != written


@pytest.mark.parametrize("damage", ["{", '{"layout": 0}', '{"layout": 2, "format_version": 1}', "{}"])
def test_an_index_of_another_layout_is_made_anew(shard_folder, damage):
    digest = write_index(shard_folder).digest
    (shard_folder / "index" / "index.json").write_text(damage)
    assert open_index(shard_folder).digest == digest
    assert json.loads((shard_folder / "index" / "index.json").read_text())["digest"] == digest


@pytest.mark.parametrize("name", ["fragment_offset", "column.end_seconds"])
@pytest.mark.parametrize("size", [None, 130, 0])
def test_an_index_with_a_missing_or_short_array_is_made_anew(shard_folder, size, name):
    digest = write_index(shard_folder).digest
    path = shard_folder / "index" / f"{name}.npy"
    whole = path.read_bytes()
    if size is None:
        path.unlink()
    else:
        os.truncate(path, size)
    index = open_index(shard_folder)
    assert index.digest == digest
    assert index.fragment_offset.tolist() == np.load(shard_folder / "index/fragment_offset.npy").tolist()
    assert path.read_bytes() == whole


def test_many_at_once_may_make_the_index(shard_folder):
    digest = write_index(shard_folder).digest
    shutil.rmtree(shard_folder / "index")
    tasks = [write_index, open_index] * 6
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda make: make(shard_folder), tasks))
    assert {index.digest for index in found} == {digest}
    assert {tuple(index.num_frames) for index in found} == {(30, 12, 7, 1, 13, 24)}
    assert [path.name for path in shard_folder.glob("index*")] == ["index"]


def test_no_temporary_folder_stays(shard_folder):
    for _ in range(2):
        write_index(shard_folder)
    assert [path.name for path in shard_folder.glob("index*")] == ["index"]


def test_a_folder_that_cannot_be_written_to_gets_an_index_in_memory(shard_folder, monkeypatch):
    digest = write_index(shard_folder).digest
    shutil.rmtree(shard_folder / "index")

    def refuse(*args):
        raise PermissionError(13, "read-only")

    monkeypatch.setattr(index_module, "_save", refuse)
    index = open_index(shard_folder)
    assert index.digest == digest
    assert not (shard_folder / "index").exists()
    assert index.num_frames.tolist() == [30, 12, 7, 1, 13, 24]


def test_shards_without_rows_and_rows_without_a_video(tmp_path, make_row, clips):
    ShardWriter(tmp_path, 0, row_schema()).commit()
    assert len(open_index(tmp_path)) == 0
    assert open_index(tmp_path).column("key").tolist() == []
    writer = ShardWriter(tmp_path, 2, row_schema())
    empty = {"num_frames": 0, "fps_num": 0, "fps_den": 1, "codec": "", "fragments": [], "init_size": 0}
    writer.add("text", make_row(clips[0], 0, **empty), {"text.json": b"{}"})
    writer.add("film", make_row(clips[0], 1), {"mp4": clips[0].mp4})
    writer.commit()
    index = open_index(tmp_path)
    assert index.mp4_offset.tolist()[0] == -1
    assert index.fps.tolist() == [0.0, 25.0]
    assert index.fragment_start.tolist() == [0, 0, 3]
    assert [index.key(i) for i in range(2)] == ["text", "film"]


def test_folders_without_shards_say_what_to_do(tmp_path, write_shards):
    with pytest.raises(ShardError, match="there is no shard folder"):
        open_index(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ShardError, match="holds no finished shard"):
        open_index(tmp_path / "empty")
    for split in ("val", "train"):
        write_shards(tmp_path / "splits" / split)
    with pytest.raises(ShardError, match=r"the splits train, val: open one, as '.*train'"):
        open_index(tmp_path / "splits")


def test_another_format_version_is_refused(shard_folder):
    table = read_rows(shard_folder, 0).replace_schema_metadata({"vdata_format_version": "2"})
    write_rows(shard_folder / "clips-000000.parquet", table)
    with pytest.raises(SchemaMismatchError, match="format version 2, this vdata reads version 1"):
        open_index(shard_folder)


def test_a_row_file_of_other_columns_is_refused(shard_folder):
    table = read_rows(shard_folder, 0)
    write_rows(shard_folder / "clips-000000.parquet", table.drop_columns(["init_size"]))
    with pytest.raises(SchemaMismatchError, match="no column 'init_size'"):
        open_index(shard_folder)
    assert "init_size" in {column.name for column in COLUMNS}


def test_an_index_of_rows_without_a_video_alone_is_opened_and_not_remade(bare_folder, monkeypatch):
    write_index(bare_folder)
    monkeypatch.setattr("vdata.shards.index.write_index", None)
    index = open_index(bare_folder)
    assert len(index) == 8
    assert set(index.mp4_file.tolist()) == {-1}
    assert index.fragment_start.tolist() == [0] * 9
    assert {len(index.mp4_place(i).fragment_size) for i in range(8)} == {0}
