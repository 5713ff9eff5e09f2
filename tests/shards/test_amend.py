"""A field goes into a shard beside what is there, or not at all."""

import os
import shutil

import pyarrow as pa
import pytest

from vdata.errors import CorruptShardError, SchemaMismatchError
from vdata.records import Column, Failure
from vdata.shards import open_shards
from vdata.shards.amend import FieldWriter
from vdata.shards.layout import ROWS, shard_path
from vdata.shards.replace import finish_replacements
from vdata.shards.rows import read_added, read_counts, read_rows
from vdata.shards.sums import read_sums
from vdata.shards.verify_shard import check_shard

NOTE = {"config": {"side": 3}, "tools": {"numpy": "2"}}
COLUMN = Column("size", pa.int32(), "How large.")


@pytest.fixture(params=[False, True], ids=["tar", "parquet"])
def folder(request, write_shards, tmp_path):
    """Two shards of four and two clips."""
    return write_shards(tmp_path / "shards", parquet=request.param)


def write(folder, name="flow", exts=("flow.npz",), columns=(COLUMN,), every=2, content=b"flow %d"):
    """Adds a field to every second clip of shard 0."""
    writer = FieldWriter(folder, 0, name, exts, columns, NOTE)
    for number, row in enumerate(writer.rows):
        if number % every == 0:
            writer.add(row["key"], dict.fromkeys(exts, content % number), {column.name: number for column in columns})
    return writer


def test_all_else_stays_as_it_is(folder):
    old = [sample.row for sample in open_shards(folder)]
    bytes_before = [{ext: sample[ext] for ext in sample.exts} for sample in open_shards(folder)]
    write(folder).commit()
    for number, sample in enumerate(open_shards(folder)):
        has = number in (0, 2)
        assert ("flow.npz" in sample) == has
        assert {ext: sample[ext] for ext in sample.exts if ext != "flow.npz"} == bytes_before[number]
        if number < 4:
            assert sample.row["size"] == (number if has else None)
            assert sample.row["fields"] == (["flow"] if has else [])
        same = [name for name in old[number] if name not in ("members", "fields")]
        assert {name: sample.row[name] for name in same} == {name: old[number][name] for name in same}
    assert open_shards(folder)[2]["flow.npz"] == b"flow 2"
    assert read_added(folder, 0) == {"flow": {**NOTE, "exts": ["flow.npz"], "columns": ["size"]}}
    assert read_added(folder, 1) == {}
    assert read_counts(folder, 0) == {}
    assert check_shard(folder, 0, decode=True).damaged == ()


def test_only_a_field_of_the_same_name_is_replaced(folder):
    write(folder).commit()
    write(folder, "other", ["other.npy"], [Column("speed", pa.int32(), "")], content=b"other %d").commit()
    names = read_rows(folder, 0).schema.names
    write(folder, every=1, content=b"longer flow %d").commit()
    assert read_rows(folder, 0).schema.names == names
    samples = list(open_shards(folder))[:4]
    assert [sample["flow.npz"] for sample in samples] == [b"longer flow %d" % number for number in range(4)]
    assert [sample.row["fields"] for sample in samples] == [["flow", "other"], ["flow"], ["flow", "other"], ["flow"]]
    assert samples[0]["other.npy"] == b"other 0"
    assert samples[0].exts.index("flow.npz") < samples[0].exts.index("other.npy")
    assert check_shard(folder, 0).damaged == ()
    with pytest.raises(SchemaMismatchError, match=r"has 'flow\.npz' already, not from `vdata add third`"):
        write(folder, "third")


def test_a_field_without_members_replaces_one_with(folder):
    write(folder).commit()
    write(folder, exts=(), every=1).commit()
    assert not list(folder.glob("*.flow.tar"))
    assert [sample.row["size"] for sample in list(open_shards(folder))[:4]] == [0, 1, 2, 3]
    assert all("flow.npz" not in sample for sample in open_shards(folder))
    assert check_shard(folder, 0).damaged == ()
    assert all("flow" not in name for name in read_sums(folder / "clips-000000.sha256"))


def test_a_column_of_the_build_may_be_told_again_but_not_otherwise(folder):
    row = read_rows(folder, 0).slice(0, 1).to_pylist()[0]
    shared = Column("gop", pa.int32(), "")
    writer = FieldWriter(folder, 0, "flow", [], [shared, COLUMN], NOTE)
    writer.add(row["key"], {}, {"gop": row["gop"], "size": 1})
    with pytest.raises(SchemaMismatchError, match="another value of 'gop'"):
        writer.add(row["key"], {}, {"gop": row["gop"] + 1, "size": 1})
    writer.commit()
    assert read_added(folder, 0)["flow"]["columns"] == ["size"]


def test_what_was_not_declared_is_refused(folder):
    writer = FieldWriter(folder, 0, "flow", ["flow.npz"], [], NOTE)
    key = writer.rows[0]["key"]
    with pytest.raises(SchemaMismatchError, match=r"declares no member 'flow\.npy'"):
        writer.add(key, {"flow.npy": b""}, {})
    with pytest.raises(SchemaMismatchError, match="declares no column 'size'"):
        writer.add(key, {}, {"size": 1})
    writer.abort()
    assert not any((folder / ".tmp").iterdir())


def test_failures_stand_beside_those_of_the_build_until_the_next_time(folder):
    for message in ("first", "second"):
        writer = write(folder)
        writer.fail(Failure("a.mp4", "a", "k", "add flow", "memory", message, retryable=True))
        writer.commit()
        rows = read_rows(folder, 0, suffix=".errors.parquet").to_pylist()
        assert [(row["stage"], row["message"], row["shard"]) for row in rows] == [
            ("cut", "broken in shard 0", "clips-000000"),
            ("add flow", message, "clips-000000"),
        ]


@pytest.mark.parametrize("steps", range(8))
def test_a_crash_at_any_rename_leaves_the_shard_with_the_field_or_without(folder, tmp_path, monkeypatch, steps):
    """Every system call that moves or deletes a file of the shard may be the last one."""
    write(shutil.copytree(folder, tmp_path / "wanted")).commit()
    calls = 0

    def counted(call):
        def limited(*arguments, **options):
            nonlocal calls
            if "clips-000000" in str(arguments[0]):
                calls += 1
                if calls > steps:
                    raise _CrashError
            return call(*arguments, **options)

        return limited

    keys = [sample.key for sample in open_shards(folder)]
    writer = write(folder)
    with monkeypatch.context() as patched:
        for name in ("rename", "replace", "unlink"):
            patched.setattr(os, name, counted(getattr(os, name)))
        try:
            writer.commit()
            crashed = False
        except _CrashError:
            crashed = True
    # Before anything is mended, readers find every clip, and its bytes.
    assert [sample.key for sample in open_shards(folder)] == keys
    assert all(sample["mp4"] for sample in open_shards(folder))
    finish_replacements(folder)
    if crashed and "flow" not in read_added(folder, 0):
        write(folder).commit()
    for suffix in (".flow.tar", ROWS, ".sha256", ".errors.parquet"):
        if shard_path(tmp_path / "wanted", 0, suffix).exists():
            assert shard_path(folder, 0, suffix).read_bytes() == shard_path(tmp_path / "wanted", 0, suffix).read_bytes()
    assert check_shard(folder, 0).damaged == ()


class _CrashError(Exception):
    """The process is gone."""


def test_copying_gives_the_same_field_to_the_same_clips(folder, tmp_path):
    bare = shutil.copytree(folder, tmp_path / "bare")
    writer = write(folder)
    writer.fail(Failure("a.mp4", "a", "k", "add flow", "memory", "none left"))
    writer.commit()
    FieldWriter.copying(folder, bare, 0, "flow").commit()
    for path in folder.glob("clips-000000*"):
        assert (bare / path.name).read_bytes() == path.read_bytes(), path.name


def test_damage_is_not_copied_into_a_new_row_file(write_shards, tmp_path):
    folder = write_shards(tmp_path / "shards", parquet=True)
    place = next(member for member in open_shards(folder)[0].row["members"] if member["name"] == "text.json")
    content = bytearray((folder / place["file"]).read_bytes())
    content[place["offset"] + 3] ^= 4
    (folder / place["file"]).write_bytes(content)
    with pytest.raises(CorruptShardError, match=r"text\.json' is damaged: mend it"):
        write(folder).commit()
    assert b"flow" not in (folder / place["file"]).read_bytes()


def test_a_shard_without_its_sums_is_refused_at_once(folder):
    (folder / "clips-000000.sha256").unlink()
    with pytest.raises(CorruptShardError, match=r"clips-000000\.sha256 is not in .*run `vdata verify --repair` first"):
        write(folder)


def test_a_field_beside_the_clips_leaves_the_index_digest(folder):
    digest = open_shards(folder).index.digest
    write(folder).commit()
    assert open_shards(folder).index.digest == digest


def test_what_a_dead_worker_left_on_its_way_is_put_into_place_first(folder, tmp_path):
    first = write(folder)
    made = first._rewritten() if first.in_cells else first._beside()
    (folder / ".ready").mkdir()
    made.rename(folder / ".ready/clips-000000")
    write(folder, "other", ["other.npy"], [], content=b"other %d").commit()
    assert not (folder / ".ready").exists()
    assert check_shard(folder, 0).damaged == ()
    assert "other.npy" in open_shards(folder)[0]
