import gc
import hashlib
import json
import subprocess
import sys
import tarfile
import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset

from vdata.errors import ConfigError, SchemaMismatchError
from vdata.records import Column, Failure, Skipped
from vdata.shards import ShardCounts, ShardWriter, clear_leftovers, committed_shards, merge_errors, open_shards, row_schema
from vdata.shards.rows import read_rows

# In a process of its own: DALI's threads and a later fork in pytest's process can hang.
DALI_READER = """
import hashlib, json, sys
from nvidia.dali import fn, pipeline_def, types

folder, exts = sys.argv[1], sys.argv[2].split(",")
tars = [f"{folder}/clips-{i:06d}.tar" for i in range(int(sys.argv[3]))]

@pipeline_def(batch_size=2, num_threads=1, device_id=None)
def pipeline():
    return tuple(fn.readers.webdataset(
        paths=tars, index_paths=[tar[:-4] + ".idx" for tar in tars], ext=exts, dtypes=[types.UINT8] * len(exts), name="shards",
        missing_component_behavior="empty", prefetch_queue_depth=1,
    ))

pipe = pipeline()
pipe.build()
num = pipe.reader_meta("shards")["epoch_size"]
found = []
while len(found) < num:
    outputs = pipe.run()
    for i in range(2):
        found.append([hashlib.sha256(bytes(output.at(i))).hexdigest() for output in outputs])
print(json.dumps(found[:num]))
"""


def contents(folder: Path, exts: list[str]) -> list[dict[str, bytes]]:
    """The members by the stdlib, sample by sample."""
    samples: dict[str, dict[str, bytes]] = {}
    for tar in sorted(folder.glob("clips-*.tar")):
        with tarfile.open(tar) as archive:
            for info in archive:
                key, _, ext = info.name.partition(".")
                samples.setdefault(key, dict.fromkeys(exts, b""))[ext] = archive.extractfile(info).read()
    return list(samples.values())


def test_two_writes_give_the_same_bytes(write_shards, tmp_path):
    first, second = write_shards(tmp_path / "a"), write_shards(tmp_path / "b")
    names = sorted(path.name for path in first.glob("clips-*"))
    assert len(names) == 10
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_dali_reads_every_member(shard_folder):
    exts = ["mp4", "text.json", "json"]
    command = [sys.executable, "-c", DALI_READER, str(shard_folder), ",".join(exts), "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    wanted = [[hashlib.sha256(sample[ext]).hexdigest() for ext in exts] for sample in contents(shard_folder, exts)]
    assert len(wanted) == 6
    assert json.loads(done.stdout.splitlines()[-1]) == wanted


def test_webdataset_reads_every_member(shard_folder, mp4s):
    urls = [str(path) for path in sorted(shard_folder.glob("*.tar"))]
    with warnings.catch_warnings():
        # webdataset leaves its last file to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        samples = list(webdataset.WebDataset(urls, shardshuffle=False))
        gc.collect()
    assert [sample["mp4"] for sample in samples] == mp4s
    assert [sample.get("text.json") for sample in samples] == [b'{"number":%d}' % i if i % 2 == 0 else None for i in range(6)]
    assert [sample["__key__"] for sample in samples] == [json.loads(sample["json"])["key"] for sample in samples]


def test_a_tar_alone_holds_the_row(shard_folder):
    for sample in open_shards(shard_folder):
        assert json.loads(sample["json"]) == {name: value for name, value in sample.row.items() if name != "members"}


def test_rows_name_every_byte(shard_folder):
    for sample in open_shards(shard_folder):
        assert sample.row["members"][0]["name"] == "mp4"
        for member in sample.row["members"]:
            data = (shard_folder / member["file"]).read_bytes()[member["offset"] : member["offset"] + member["size"]]
            assert hashlib.sha256(data).hexdigest() == member["sha256"]


def test_row_file_has_the_columns_of_the_format(shard_folder):
    schema = pq.read_schema(shard_folder / "clips-000000.parquet")
    assert schema.equals(row_schema())
    assert schema.names[:4] == ["key", "index", "video_id", "video_index"]
    assert schema.names[-3:] == ["init_size", "fragments", "members"]


class Crash(BaseException):
    """A machine that dies: nothing catches it."""


@pytest.mark.parametrize("stored", [[".tar", ".idx"], []])
def test_a_crash_at_any_step_of_the_commit_leaves_no_half_shard(tmp_path, clips, make_row, monkeypatch, stored):
    rename = Path.rename
    order = [f"clips-000000{suffix}" for suffix in (*stored, ".errors.parquet", ".sha256", ".parquet")]
    for steps_done in range(len(order)):
        folder = tmp_path / str(steps_done)
        writer = ShardWriter(folder, 0, row_schema(cells=() if stored else ["mp4"]))
        writer.add("a", make_row(clips[3], 0), {"mp4": clips[3].mp4})
        renamed = []

        def dying(path, target, renamed=renamed, steps_done=steps_done):
            if len(renamed) == steps_done:
                raise Crash
            renamed.append(Path(target).name)
            return rename(path, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", dying)
            with pytest.raises(Crash):
                writer.commit()
        assert renamed == order[:steps_done]
        assert committed_shards(folder) == []
        assert set(clear_leftovers(folder)) == {".tmp", *renamed}
        assert list(folder.iterdir()) == []


def test_a_rebuilt_shard_replaces_the_old_one_with_its_sidecars(shard_folder, clips, make_row):
    (shard_folder / "clips-000001.flow.tar").touch()
    writer = ShardWriter(shard_folder, 1, row_schema())
    writer.add("new", make_row(clips[3], 9), {"mp4": clips[3].mp4})
    assert committed_shards(shard_folder) == [0, 1]
    counts = writer.commit()
    assert counts == ShardCounts(clips=1, failures=0, bytes=(shard_folder / "clips-000001.tar").stat().st_size)
    assert not (shard_folder / "clips-000001.flow.tar").exists()
    assert read_rows(shard_folder, 1)["key"].to_pylist() == ["new"]


def test_a_shard_without_a_clip_commits_with_no_rows_and_no_tar(tmp_path):
    writer = ShardWriter(tmp_path, 0, row_schema())
    writer.fail(Failure("a.mp4", "a", None, "cut", "no_frames", "nothing decodes"))
    assert writer.commit() == ShardCounts(clips=0, failures=1, bytes=0)
    assert committed_shards(tmp_path) == [0]
    names = [path.name for path in sorted(tmp_path.glob("clips*"))]
    assert names == ["clips-000000.errors.parquet", "clips-000000.parquet", "clips-000000.sha256"]
    assert len(open_shards(tmp_path)) == 0


def test_an_aborted_shard_leaves_nothing(tmp_path, clips, make_row):
    writer = ShardWriter(tmp_path, 0, row_schema())
    writer.add("a", make_row(clips[3], 0), {"mp4": clips[3].mp4})
    writer.abort()
    writer.abort()
    assert list((tmp_path / ".tmp").iterdir()) == []
    assert committed_shards(tmp_path) == []


def test_two_writers_of_one_shard_do_not_meet(tmp_path, clips, make_row):
    writers = [ShardWriter(tmp_path, 0, row_schema()) for _ in range(2)]
    for writer in writers:
        writer.add("a", make_row(clips[3], 0), {"mp4": clips[3].mp4})
    writers[0].commit()
    first = (tmp_path / "clips-000000.tar").read_bytes()
    writers[1].commit()
    assert (tmp_path / "clips-000000.tar").read_bytes() == first


def test_rows_that_break_the_schema_are_refused(tmp_path, clips, make_row):
    writer = ShardWriter(tmp_path, 0, row_schema([Column("camid", pa.int32(), "Camera.")]))
    members = {"mp4": clips[3].mp4}
    writer.add("a", make_row(clips[3], 0, camid=4), members)
    with pytest.raises(SchemaMismatchError, match="two clips with the key 'a'"):
        writer.add("a", make_row(clips[3], 1), members)
    with pytest.raises(SchemaMismatchError, match="clip 'b': no column is named 'pid'"):
        writer.add("b", make_row(clips[3], 1, pid=3), members)
    with pytest.raises(SchemaMismatchError, match="clip 'c': column 'label' has no value"):
        writer.add("c", make_row(clips[3], 1, label=None), members)
    with pytest.raises(ConfigError, match="key"):
        writer.add("a.b", make_row(clips[3], 1), members)
    writer.add("d", make_row(clips[3], 1), members)
    writer.commit()
    assert read_rows(tmp_path, 0, ["camid"])["camid"].to_pylist() == [4, None]


def test_errors_of_all_shards_and_of_the_listing_are_merged(shard_folder):
    (shard_folder / "clips-000007.errors.parquet").write_bytes((shard_folder / "clips-000000.errors.parquet").read_bytes())
    assert merge_errors(shard_folder, [Skipped("notes.txt", "not_media", "no video by its name")]) == 3
    rows = pq.read_table(shard_folder / "errors.parquet").to_pylist()
    assert [(row["source"], row["stage"], row["reason"], row["shard"]) for row in rows] == [
        ("notes.txt", "list", "not_media", ""),
        ("a/bad.mp4", "cut", "no_frames", "clips-000000"),
        ("a/bad.mp4", "cut", "no_frames", "clips-000001"),
    ]
    assert list(rows[0]) == ["source", "video_id", "key", "stage", "reason", "message", "tail", "shard", "retryable"]
    assert rows[1]["key"] is None
    assert rows[1]["retryable"] is False
