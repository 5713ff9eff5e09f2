import hashlib
import json
import os
import shutil
import subprocess
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vdata.errors import SchemaMismatchError, ShardError
from vdata.shards import open_index, open_shards, row_schema, write_index
from vdata.shards.dataset_json import DatasetJson, write_dataset_json
from vdata.shards.removed import RemovedClip, note_removed
from vdata.shards.rows import read_rows, write_rows
from vdata.shards.sums import read_sums, write_folder_sums, write_sums
from vdata.shards.verify import verify, verify_folders
from vdata.shards.write import merge_errors

COUNTS = {"videos_listed": 9, "videos_built": 6, "videos_partial": 0, "videos_skipped": 1, "videos_failed": 2}
COUNTS |= {"clips_planned": 6, "clips_written": 6, "clips_failed": 0, "clips_removed": 0}
TARS, SHARDS = ("clips-000000.tar", "clips-000001.tar"), ("clips-000000", "clips-000001")


@pytest.fixture
def complete(shard_folder):
    """A finished folder in which nothing is wrong."""
    write_index(shard_folder)
    merge_errors(shard_folder)
    pq.write_table(pa.table({"shard": [0, 0, 1, -1]}), shard_folder / "plan.parquet")
    write_dataset_json(shard_folder, DatasetJson("test", "", "complete", {}, {}, COUNTS))
    write_folder_sums(shard_folder)
    (shard_folder / ".tmp").mkdir(exist_ok=True)
    return shard_folder


def rewrite(folder, shard, change):
    """Other rows, as a writer with a bug would have written them: the checksum file agrees with them."""
    rows = read_rows(folder, shard).to_pylist()
    change(rows)
    write_rows(folder / f"{SHARDS[shard]}.parquet", pa.Table.from_pylist(rows, schema=row_schema()))
    seal(folder, shard)
    write_index(folder)


def seal(folder, shard):
    sums = folder / f"{SHARDS[shard]}.sha256"
    write_sums(sums, {name: folder / name for name in read_sums(sums)})


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def found(folder, **options):
    return [(item.shard, item.key, item.file) for item in verify(folder, **options).damaged]


def whats(folder):
    return [item.what for item in verify(folder).damaged]


def places(folder):
    """Every member's place by tarfile, which knows nothing of rows: (file, key, ext, header, content, padding, end)."""
    for name in TARS:
        with tarfile.open(folder / name) as archive:
            for info in archive:
                key, _, ext = info.name.partition(".")
                end = info.offset_data + info.size
                yield name, key, ext, info.offset, info.offset_data, end, end + -info.size % 512


def test_a_whole_folder(complete):
    for workers in (1, 2):
        seen = []
        report = verify(complete, decode=True, workers=workers, on_shard=lambda *counts, seen=seen: seen.append(counts))
        assert report.ok, report.damaged
        assert (report.shards, report.clips) == (2, 6)
        assert seen == [(1, 2), (2, 2)]


def test_damage_is_the_same_whatever_the_number_of_processes(complete):
    flip(complete / TARS[0], 700)
    flip(complete / f"{SHARDS[1]}.idx", 9)
    assert verify(complete, workers=2) == verify(complete)


def test_a_flipped_byte_anywhere_in_a_tar_is_named_by_its_key(complete):
    """In every member: the header's first and last bytes, the content's, the padding's; then behind the last member."""
    tried = 0
    for name, key, ext, header, content, end, padded in list(places(complete)):
        original = (complete / name).read_bytes()
        for position in {header, header + 156, content - 1, content, content + 900, end - 1, end, padded - 1} - {padded}:
            if header <= position < padded and (position < end or ext == "json"):
                flip(complete / name, position)
                assert found(complete) == [(name[:12], key, name)], position
                (complete / name).write_bytes(original)
                tried += 1
    assert tried > 80
    for position in (-1, -1024, -10240 // 2):
        flip(complete / TARS[1], position)
        assert found(complete) == [(SHARDS[1], "", TARS[1])]
        flip(complete / TARS[1], position)


def test_a_flipped_byte_in_any_other_file_is_named_by_its_file(complete):
    """Files that no reader trusts alone, at places all over them: Parquet footers and zstd pages too."""
    paths = [path for path in sorted(complete.rglob("*")) if path.is_file() and path.suffix not in (".tar", ".npy")]
    assert len(paths) == 2 * 4 + 5
    for path in paths:
        original, stamp = path.read_bytes(), path.stat().st_mtime_ns
        for position in range(0, len(original), max(1, len(original) // 6)):
            flip(path, position)
            os.utime(path, ns=(stamp, stamp))
            name = "index" if path.parent.name == "index" else path.name
            shard = path.name[:12] if path.name.startswith("clips-") else ""
            assert (shard, "", name) in found(complete), (path.name, position)
            path.write_bytes(original)
            os.utime(path, ns=(stamp, stamp))
    assert verify(complete).ok


def test_a_flipped_byte_in_the_index(complete):
    for name in ("fragment_size.npy", "text.json.offset.npy", "shard.npy"):
        for position in (-1, 20):
            flip(complete / "index" / name, position)
            assert whats(complete) == [f"index/ is not as the rows give it ({name}): make it anew with `vdata index`"]
            flip(complete / "index" / name, position)


def test_sha256sum_itself_can_check_a_folder(complete):
    sums = [f"{SHARDS[0]}.sha256", f"{SHARDS[1]}.sha256", "SHA256SUMS"]
    check = ["sha256sum", "--check", "--strict", "--quiet", *sums]
    assert subprocess.run(check, check=False, cwd=complete, capture_output=True).returncode == 0
    flip(complete / "plan.parquet", 50)
    assert b"plan.parquet: FAILED" in subprocess.run(check, check=False, cwd=complete, capture_output=True).stdout


def test_a_tar_that_ends_early_or_is_gone(complete):
    keys = [open_index(complete).key(i) for i in range(6)]
    os.truncate(complete / TARS[1], int(open_index(complete).mp4_offset[5]) + 100)
    damaged = found(complete)
    assert keys[5] in {key for _, key, _ in damaged}
    assert keys[4] not in {key for _, key, _ in damaged}
    assert {(shard, file) for shard, _, file in damaged} == {(SHARDS[1], TARS[1])}
    (complete / TARS[0]).unlink()
    assert {key for shard, key, _ in found(complete) if shard == SHARDS[0]} == {"", *keys[:4]}


def test_more_bytes_behind_a_tar(complete):
    with (complete / TARS[0]).open("ab") as file:
        file.write(b"secret")
    assert found(complete) == [(SHARDS[0], "", TARS[0])]


def test_an_idx_that_is_gone(complete):
    (complete / f"{SHARDS[1]}.idx").unlink()
    assert found(complete) == [(SHARDS[1], "", f"{SHARDS[1]}.idx")]


def test_rows_that_name_other_members_than_the_tar(complete):
    key = open_index(complete).key(4)
    rewrite(complete, 1, lambda rows: rows[0]["members"].pop())
    damaged = [item for item in verify(complete).damaged if item.key == key]
    assert any("in the tar, not in the rows" in item.what for item in damaged)


def test_a_row_that_differs_from_its_json(complete):
    rewrite(complete, 0, lambda rows: rows[2].update(label=7))
    assert [(item.key, item.what) for item in verify(complete).damaged] == [
        (open_index(complete).key(2), "its json member differs from its row")
    ]


def test_only_decoding_finds_a_wrong_frame_count_or_structure(complete):
    def lie(rows):
        rows[0]["num_frames"] += 1
        rows[1]["gop"] = 5

    rewrite(complete, 0, lie)
    keys = [open_index(complete).key(i) for i in range(2)]
    found = {(item.key, item.what) for item in verify(complete, decode=True).damaged}
    assert (keys[0], "30 frames decode, its row says 31") in found
    assert (keys[1], "frame 5 is of type P, its structure 'ip' says I") in found
    assert set(whats(complete)) == {"its json member differs from its row"}


def test_a_fragment_table_that_leaves_a_gap(complete):
    rewrite(complete, 0, lambda rows: rows[0]["fragments"].pop(1))
    assert "fragment 1 starts at byte" in " ".join(whats(complete))


def test_a_row_file_that_cannot_be_read(complete):
    (complete / f"{SHARDS[1]}.parquet").write_bytes(b"PAR1 and nothing more")
    assert (SHARDS[1], "", f"{SHARDS[1]}.parquet") in found(complete)
    (complete / f"{SHARDS[1]}.sha256").unlink()
    assert any("cannot be read" in what for what in whats(complete))


def test_a_planned_shard_without_a_row_file(complete):
    (complete / f"{SHARDS[1]}.parquet").unlink()
    files = {file for _, _, file in found(complete)}
    assert files >= {f"{SHARDS[1]}{suffix}" for suffix in (".parquet", ".tar", ".idx", ".errors.parquet", ".sha256")}
    for path in complete.glob("clips-*"):
        path.unlink()
    report = verify(complete)
    assert {item.shard for item in report.damaged} == set(SHARDS)
    assert report.clips == 0


def test_a_shard_that_is_not_planned_and_strays(complete):
    pq.write_table(pa.table({"shard": [0]}), complete / "plan.parquet")
    write_folder_sums(complete)
    assert any("names no shard 1" in what for what in whats(complete))
    (complete / f"{SHARDS[0]}.flow.tar").touch()
    (complete / "clips-000009.tar").touch()
    (complete / ".tmp/clips-000004.abc").mkdir()
    (complete / "index.1234.tmp").mkdir()
    files = {file for _, _, file in found(complete)}
    assert files >= {f"{SHARDS[0]}.flow.tar", "clips-000009.tar", ".tmp/clips-000004.abc", "index.1234.tmp"}


def test_folder_counts_and_state(complete):
    def whats_of(content):
        (complete / "dataset.json").unlink(missing_ok=True)
        if content:
            write_dataset_json(complete, content)
            write_folder_sums(complete)
        return whats(complete)

    assert whats_of(None)[0].startswith("dataset.json is absent")
    assert "not complete" in whats_of(DatasetJson("test", "", "building", {}, {}))[0]
    lost = COUNTS | {"videos_failed": 1}
    assert "9 videos_listed are not 6 videos_built" in whats_of(DatasetJson("test", "", "complete", {}, {}, lost))[0]
    fewer = COUNTS | {"clips_planned": 5, "clips_written": 5}
    assert whats_of(DatasetJson("test", "", "complete", {}, {}, fewer)) == [
        "dataset.json counts 5 clips written, the rows hold 6"
    ]


def test_a_copy_with_other_times_is_not_damaged(complete):
    os.utime(complete / f"{SHARDS[0]}.parquet", ns=(1, 1))
    assert found(complete) == []


def test_a_stale_index(complete):
    header = complete / "index/index.json"
    content = json.loads(header.read_text())
    content["rows"][0][1] += 1
    header.write_text(json.dumps(content))
    assert [file for _, _, file in found(complete)] == ["index"]


def test_a_clip_that_is_there_twice(complete):
    rewrite(complete, 1, lambda rows: rows[0].update(index=0))
    assert "the clip of index 0 is there twice: in clips-000000.parquet, clips-000001.parquet" in whats(complete)
    key = open_index(complete).key(0)
    rewrite(complete, 1, lambda rows: rows[0].update(key=key))
    assert any(f"the key '{key}' is there twice" in what for what in whats(complete))


def test_a_removed_clip_that_is_there(complete):
    key = open_index(complete).key(3)
    note_removed(complete, [RemovedClip(key, "video 3", 0), RemovedClip("other-00000", "other", 1)])
    write_folder_sums(complete)
    assert found(complete) == [(SHARDS[0], key, f"{SHARDS[0]}.parquet")]


def test_a_folder_without_shards(tmp_path):
    with pytest.raises(ShardError, match="holds no finished shard"):
        verify(tmp_path)
    with pytest.raises(ShardError, match="holds no finished shard"):
        verify_folders(tmp_path)


def test_splits_are_found_even_when_one_has_lost_its_shards(complete, tmp_path):
    for name in ("train", "val"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "plan.parquet").write_bytes((complete / "plan.parquet").read_bytes())
    assert [folder.name for folder in verify_folders(tmp_path / "data")] == ["train", "val"]


def test_another_format_version_is_no_damage_but_refused(complete):
    table = read_rows(complete, 0).replace_schema_metadata({"vdata_format_version": "9"})
    write_rows(complete / f"{SHARDS[0]}.parquet", table)
    seal(complete, 0)
    with pytest.raises(SchemaMismatchError, match="version 9"):
        verify(complete)


def test_the_hashes_are_those_of_the_files(complete):
    for sums in complete.glob("*.sha256"):
        assert {f"{sums.stem}{suffix}" for suffix in (".tar", ".idx", ".parquet", ".errors.parquet")} == set(read_sums(sums))
        for name, digest in read_sums(sums).items():
            assert hashlib.sha256((complete / name).read_bytes()).hexdigest() == digest


def test_rows_without_pictures_are_whole_and_their_damage_is_named(bare_folder, mixed_folder, tmp_path):
    for folder in (bare_folder, mixed_folder):
        report = verify(folder, decode=True)
        assert report.ok, report.damaged
    shutil.copytree(bare_folder, tmp_path / "copy")
    sample = open_shards(tmp_path / "copy")["document-1-00000"]
    (member,) = (member for member in sample.row["members"] if member["name"] == "text.json")
    path = tmp_path / "copy" / member["file"]
    data = bytearray(path.read_bytes())
    data[member["offset"] + 5] ^= 1
    path.write_bytes(data)
    damaged = verify(tmp_path / "copy").damaged
    assert any(member["file"] in damage.what for damage in damaged)
    # A row file that differs from its hash is read no further than it can be relied on.
    assert member["file"].endswith(".parquet") or any(damage.key == sample.key for damage in damaged)
