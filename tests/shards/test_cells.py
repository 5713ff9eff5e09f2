"""Every cell stands whole where its row says, for us; and is an ordinary cell, for everybody else."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import vdata.shards.cells as cells_module
from vdata.errors import ConfigError, CorruptShardError, SchemaMismatchError
from vdata.records import Column
from vdata.shards.cells import CellWriter, RowGroups, read_cells
from vdata.shards.rows import read_counts, read_rows, read_schema
from vdata.shards.schema import row_schema

EXTS = ("mp4", "motion.npz", "text.json")
SCHEMA = row_schema(cells=EXTS)


def samples(count: int, seed: int = 0, largest: int = 20_000) -> list[dict[str, bytes]]:
    """Members of very different sizes, empty ones among them, and some that are absent."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, largest, (count, len(EXTS))) * (rng.random((count, len(EXTS))) < 0.9)
    found = [{ext: rng.bytes(int(size)) for ext, size in zip(EXTS, row, strict=True)} for row in sizes]
    return [{ext: data for ext, data in one.items() if ext == "mp4" or rng.random() < 0.6} for one in found]


@pytest.fixture
def write(tmp_path, clips, make_row):
    """A function that writes samples into clips-000000.parquet of a folder of its own, and returns its path."""

    def make(members, groups=None, counts=None, schema=SCHEMA) -> Path:
        folder = tmp_path / f"shards-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        writer = CellWriter(folder / "clips-000000.parquet", schema, groups)
        for number, one in enumerate(members):
            writer.add({**make_row(clips[number % 6], number), "key": f"clip-{number:05d}"}, one)
        writer.close(counts)
        return folder / "clips-000000.parquet"

    return make


@pytest.mark.parametrize("clips_a_group", [1, 3, 16, 64])
def test_every_member_is_a_byte_range_of_the_file(write, clips_a_group):
    members = samples(50, seed=clips_a_group)
    path = write(members, RowGroups(clips=clips_a_group))
    content = path.read_bytes()
    rows = read_rows(path.parent, 0).to_pylist()
    assert [row["key"] for row in rows] == [f"clip-{number:05d}" for number in range(50)]
    for row, one in zip(rows, members, strict=True):
        assert [member["name"] for member in row["members"]] == list(one)
        for member in row["members"]:
            assert member["file"] == path.name
            assert content[member["offset"] : member["offset"] + member["size"]] == one[member["name"]]
            assert member["sha256"] == hashlib.sha256(one[member["name"]]).hexdigest()
    assert pq.read_metadata(path).num_row_groups == -(-50 // clips_a_group)


def test_cells_of_more_than_a_page_and_many_in_a_group(write):
    # Past pyarrow's usual page of 1 MiB, and past its usual batch of 1024 values.
    for members in (samples(5, largest=3_000_000), samples(1500, largest=60)):
        path = write(members, RowGroups(clips=2000, bytes=2**30))
        assert pq.read_metadata(path).num_row_groups == 1
        assert list(read_cells(path)) == members


def test_plain_pyarrow_reads_every_cell(write):
    members = samples(40)
    path = write(members)
    table = pq.read_table(path)
    assert table.schema.names == SCHEMA.names
    for ext in EXTS:
        assert table[ext].to_pylist() == [one.get(ext) for one in members]
    assert pq.read_table(path, columns=["motion.npz"])["motion.npz"].to_pylist() == [one.get("motion.npz") for one in members]
    assert list(read_cells(path)) == members


def test_a_file_without_rows_has_all_columns(write):
    path = write([])
    assert pq.read_table(path).schema.names == SCHEMA.names
    assert len(read_rows(path.parent, 0)) == 0
    assert list(read_cells(path)) == []


def test_cells_are_stored_plain_and_the_rest_compressed(write):
    metadata = pq.read_metadata(write(samples(40)))
    for group in range(metadata.num_row_groups):
        chunks = [metadata.row_group(group).column(i) for i in range(metadata.num_columns)]
        for chunk in chunks:
            cell = chunk.path_in_schema in EXTS
            assert chunk.compression == ("UNCOMPRESSED" if cell else "ZSTD"), chunk.path_in_schema
            assert chunk.is_stats_set != cell
            assert not (cell and chunk.has_dictionary_page)
        assert {chunk.path_in_schema for chunk in chunks} > set(EXTS)


def test_equal_samples_give_equal_bytes(write):
    first, second, other = write(samples(40)), write(samples(40)), write(samples(40, seed=1))
    assert first.read_bytes() == second.read_bytes() != other.read_bytes()


def test_counts_and_schema_come_back(write):
    path = write(samples(3), counts={"built": 3, "reasons": {"timeout": 1}})
    assert read_counts(path.parent, 0) == {"built": 3, "reasons": {"timeout": 1}}
    assert read_schema(path.parent, 0).equals(SCHEMA, check_metadata=True)


def test_rows_are_read_without_the_cells(write):
    members = samples(40)
    path = write(members)
    rows = read_rows(path.parent, 0)
    assert rows.schema.names == row_schema().names
    content = bytearray(path.read_bytes())
    for row in rows.to_pylist():
        for member in row["members"]:
            content[member["offset"] : member["offset"] + member["size"]] = bytes(member["size"])
    path.write_bytes(content)
    assert read_rows(path.parent, 0).equals(rows)
    assert read_rows(path.parent, 0, ["key", "members"]).equals(rows.select(["key", "members"]))
    with pytest.raises(SchemaMismatchError, match="no column 'mp4'"):
        read_rows(path.parent, 0, ["mp4"])
    with pytest.raises(CorruptShardError, match="cannot be read"):
        list(read_cells(path))


def test_a_flipped_byte_of_a_row_is_noticed(write):
    path = write(samples(40))
    chunk = pq.read_metadata(path).row_group(1).column(0)
    content = bytearray(path.read_bytes())
    content[chunk.data_page_offset + chunk.total_compressed_size - chunk.total_compressed_size // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptShardError, match="clips-000000"):
        read_rows(path.parent, 0)


def test_the_writer_holds_no_more_than_a_row_group(tmp_path, clips, make_row):
    path = tmp_path / "clips-000000.parquet"
    writer = CellWriter(path, SCHEMA, RowGroups(bytes=300_000))
    given = 0
    for number in range(60):
        writer.add({**make_row(clips[0], number), "key": f"clip-{number}"}, {"mp4": bytes(40_000 + number)})
        given += 40_000 + number
        # Python's own buffer holds back some KiB.
        assert given - path.stat().st_size < 300_000 + 40_100
    writer.close()
    assert pq.read_metadata(path).num_row_groups == -(-60 // 8)


def test_a_place_that_is_wrong_is_noticed_before_the_commit(write, monkeypatch):
    places = cells_module._places
    monkeypatch.setattr(cells_module, "_places", lambda *given: {ext: found + 1 for ext, found in places(*given).items()})
    with pytest.raises(
        CorruptShardError, match=r"clip-00000\.mp4' is not at byte \d+ of the 'clips-000000.parquet' just written"
    ):
        write([{"mp4": b"not all alike"}])


def test_members_without_a_column_or_too_large_are_refused(tmp_path, clips, make_row, monkeypatch):
    writer = CellWriter(tmp_path / "clips-000000.parquet", SCHEMA)
    row = {**make_row(clips[0], 0), "key": "a"}
    with pytest.raises(
        SchemaMismatchError, match=r"'a' has a member 'flac', its row file has columns for mp4, motion\.npz, text\.json"
    ):
        writer.add(row, {"mp4": b"", "flac": b""})
    monkeypatch.setattr(cells_module, "_CELL_LIMIT", 100)
    with pytest.raises(SchemaMismatchError, match="its member 'mp4' has 100 bytes, a cell must have less"):
        writer.add(row, {"mp4": bytes(100)})
    writer.abandon()


def test_a_full_disk_is_told_by_its_errno_and_can_be_left(clips, make_row):
    writer = CellWriter(Path("/dev/full"), SCHEMA, RowGroups(clips=1))
    with pytest.raises(OSError, match="No space left") as caught:
        writer.add({**make_row(clips[0], 0), "key": "a"}, {"mp4": bytes(200_000)})
    assert caught.value.errno == errno.ENOSPC
    writer.abandon()
    writer.abandon()


def test_a_schema_of_cells_has_names_of_its_own():
    with pytest.raises(ConfigError, match=r"'codec'.*is a column already"):
        row_schema(cells=["mp4", "codec"])
    with pytest.raises(ConfigError, match=r"'blob'.*binary"):
        row_schema([Column("blob", pa.binary(), "")])
    for settings in ({"clips": 0}, {"bytes": 0}):
        with pytest.raises(ConfigError, match="at least 1"):
            RowGroups(**settings)
