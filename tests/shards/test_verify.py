import os

import pyarrow as pa
import pytest

from vdata.errors import SchemaMismatchError, ShardError
from vdata.shards import open_index, row_schema, write_index
from vdata.shards.dataset_json import DatasetJson, write_dataset_json
from vdata.shards.rows import read_rows, write_rows
from vdata.shards.verify import verify

COUNTS = {"videos_listed": 9, "videos_built": 6, "videos_partial": 0, "videos_skipped": 1, "videos_failed": 2}
COUNTS |= {"clips_planned": 6, "clips_written": 6, "clips_failed": 0}


@pytest.fixture
def complete(shard_folder):
    """A finished folder in which nothing is wrong."""
    write_index(shard_folder)
    write_dataset_json(shard_folder, DatasetJson("test", "", "complete", {}, {}, COUNTS))
    return shard_folder


def rewrite(folder, shard, change):
    rows = read_rows(folder, shard).to_pylist()
    change(rows)
    write_rows(folder / f"clips-{shard:06d}.parquet", pa.Table.from_pylist(rows, schema=row_schema()))
    write_index(folder)


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_a_whole_folder(complete):
    report = verify(complete, decode=True)
    assert report.ok, report.damaged
    assert (report.shards, report.clips) == (2, 6)


@pytest.mark.parametrize("which", range(6))
def test_a_flipped_byte_is_named_by_its_key(complete, which):
    index = open_index(complete)
    flip(index.tar_path(index.shard[which]), int(index.mp4_offset[which]) + 900)
    shard = f"clips-{index.shard[which]:06d}"
    damaged = verify(complete).damaged
    assert damaged == ((shard, index.key(which), f"mp4 in {shard}.tar differs from its sha256"),)


def test_a_tar_that_ends_early_or_is_gone(complete):
    keys = [open_index(complete).key(i) for i in range(6)]
    os.truncate(complete / "clips-000001.tar", int(open_index(complete).mp4_offset[5]) + 100)
    damaged = verify(complete).damaged
    assert keys[5] in {key for _, key, _ in damaged}
    assert {shard for shard, _, _ in damaged} == {"clips-000001"}
    (complete / "clips-000000.tar").unlink()
    assert {key for shard, key, _ in verify(complete).damaged if shard == "clips-000000"} == {"", *keys[:4]}


def test_an_idx_that_differs_or_is_gone(complete):
    flip(complete / "clips-000000.idx", 20)
    (complete / "clips-000001.idx").unlink()
    assert [(shard, key) for shard, key, _ in verify(complete).damaged] == [("clips-000000", ""), ("clips-000001", "")]


def test_rows_that_name_other_members_than_the_tar(complete):
    key = open_index(complete).key(4)
    rewrite(complete, 1, lambda rows: rows[0]["members"].pop())
    whats = [what for _, name, what in verify(complete).damaged if name == key]
    assert any("in the tar, not in the rows" in what for what in whats)


def test_a_row_that_differs_from_its_json(complete):
    rewrite(complete, 0, lambda rows: rows[2].update(label=7))
    assert [(key, what) for _, key, what in verify(complete).damaged] == [
        (open_index(complete).key(2), "its json member differs from its row")
    ]


def test_only_decoding_finds_a_wrong_frame_count_or_structure(complete):
    def lie(rows):
        rows[0]["num_frames"] += 1
        rows[1]["gop"] = 5

    rewrite(complete, 0, lie)
    keys = [open_index(complete).key(i) for i in range(2)]
    found = {(key, what) for _, key, what in verify(complete, decode=True).damaged}
    assert (keys[0], "30 frames decode, its row says 31") in found
    assert (keys[1], "frame 5 is of type P, its structure 'ip' says I") in found
    assert {what for _, _, what in verify(complete).damaged} == {"its json member differs from its row"}


def test_a_fragment_table_that_leaves_a_gap(complete):
    rewrite(complete, 0, lambda rows: rows[0]["fragments"].pop(1))
    whats = " ".join(what for _, _, what in verify(complete).damaged)
    assert "fragment 1 starts at byte" in whats


def test_a_row_file_that_cannot_be_read(complete):
    (complete / "clips-000001.parquet").write_bytes(b"PAR1 and nothing more")
    shard, key, what = verify(complete).damaged[0]
    assert (shard, key) == ("clips-000001", "")
    assert "cannot be read" in what


def test_folder_counts_and_state(complete):
    def whats(content):
        (complete / "dataset.json").unlink(missing_ok=True)
        if content:
            write_dataset_json(complete, content)
        return [what for _, _, what in verify(complete).damaged]

    assert whats(None) == ["dataset.json is absent"]
    assert "not complete" in whats(DatasetJson("test", "", "building", {}, {}))[0]
    lost = COUNTS | {"videos_failed": 1}
    assert "9 videos_listed are not 6 videos_built" in whats(DatasetJson("test", "", "complete", {}, {}, lost))[0]
    fewer = COUNTS | {"clips_planned": 5, "clips_written": 5}
    assert whats(DatasetJson("test", "", "complete", {}, {}, fewer)) == ["dataset.json counts 5 clips written, the rows hold 6"]


def test_a_stale_index_and_a_clip_that_is_there_twice(complete):
    os.utime(complete / "clips-000000.parquet", ns=(1, 1))
    assert ["index" in what for _, _, what in verify(complete).damaged] == [True]
    rewrite(complete, 1, lambda rows: rows[0].update(index=0))
    assert "the clip of index 0 is there 2 times" in {what for _, _, what in verify(complete).damaged}


def test_a_flipped_byte_in_the_index(complete):
    flip(complete / "index" / "fragment_size.npy", -1)
    assert [what for _, _, what in verify(complete).damaged] == [
        "the index's arrays are not those it was made with: make it anew with `vdata index`"
    ]


def test_a_folder_without_shards(tmp_path):
    with pytest.raises(ShardError, match="holds no finished shard"):
        verify(tmp_path)


def test_another_format_version_is_no_damage_but_refused(complete):
    table = read_rows(complete, 0).replace_schema_metadata({"vdata_format_version": "9"})
    write_rows(complete / "clips-000000.parquet", table)
    with pytest.raises(SchemaMismatchError, match="version 9"):
        verify(complete)
