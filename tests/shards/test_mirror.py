"""A remote index is the local one, fetched once; what is wrong with it is told in one line and never made good over there."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

import vdata
from vdata.errors import CorruptShardError, ShardError
from vdata.shards import open_index, open_shards, write_index
from vdata.shards.index_header import HEADER, array_names, read_header
from vdata.shards.remote import RemoteFolder


@pytest.fixture
def indexed(shard_folder):
    write_index(shard_folder)
    return shard_folder


def open_url(url):
    return open_index(RemoteFolder(url))


def test_a_remote_index_is_the_local_one(indexed, put):
    local, remote = open_index(indexed), open_url(put(indexed))
    for name in array_names(read_header(indexed / "index")):
        assert np.array_equal(np.load(indexed / f"index/{name}.npy"), np.load(remote.copy / f"index/{name}.npy"))
    assert isinstance(remote.fragment_offset, np.memmap)
    assert (remote.digest, remote.files, remote.schema) == (local.digest, local.files, local.schema)
    assert str(remote.mp4_path(5)) == "memory://pre/train/clips-000001.tar"


def test_it_is_fetched_once(indexed, on_s3, wire):
    url = on_s3(indexed)
    num_arrays = len(array_names(read_header(indexed / "index")))
    open_url(url)
    # A listing, the header and its size before and after, the arrays.
    assert wire.num_requests == 1 + 2 + num_arrays + 2
    open_url(url)
    assert wire.num_requests == 5 + num_arrays + 1 + 2
    assert wire.upstream.count(b"/num_frames.npy http/1.1\r\n") == 1


def test_a_newer_one_is_another_entry(indexed, put, add_column):
    before = open_url(put(indexed))
    add_column(indexed, 0, "motion_score", pa.array([0.5, 0.1, 0.9, 0.3], pa.float32()))
    write_index(indexed)
    after = open_url(put(indexed))
    assert after.digest == before.digest
    assert after.copy != before.copy
    assert after.column("motion_score")[:2].tolist() == np.float32([0.5, 0.1]).tolist()


@pytest.mark.parametrize("parquet", [False, True])
def test_samples_are_those_of_the_local_folder(write_shards, tmp_path, put, mp4s, parquet):
    folder = write_shards(tmp_path / "shards", parquet=parquet)
    write_index(folder)
    local, remote = vdata.open_shards(folder), vdata.open_shards(put(folder))
    assert [sample.row for sample in remote] == [sample.row for sample in local]
    assert [sample["mp4"] for sample in remote] == mp4s
    key = local[4].key
    assert np.array_equal(remote[key].frames(3, 9, 2), local[key].frames(3, 9, 2))
    assert len(open_shards(put(folder), where="video_id in ('video 1', 'video 5')")) == 2


def test_row_files_are_fetched_when_asked_for_once_and_without_cells(write_shards, tmp_path, on_s3, wire):
    folder = write_shards(tmp_path / "shards", parquet=True, extra={"big.npy": np.random.default_rng(0).bytes(2_000_000)})
    write_index(folder)
    index = open_url(on_s3(folder))
    assert not list(index.copy.glob("*.parquet"))
    before = wire.num_down
    assert index.key(5) == open_index(folder).key(5)
    assert [path.name for path in index.copy.glob("*.parquet")] == ["clips-000001.parquet"]
    assert index.column("key").tolist() == open_index(folder).column("key").tolist()
    assert wire.num_down - before < 200_000
    before = wire.num_requests
    assert open_index(index.folder).column("key").tolist() == index.column("key").tolist()
    assert wire.num_requests == before + 3


def test_numbers_need_no_row_file(indexed, put):
    index = open_url(put(indexed))
    assert index.column("num_frames").tolist() == [30, 12, 7, 1, 13, 24]
    assert not list(index.copy.glob("*.parquet"))


def test_no_index_and_no_shards(indexed, put):
    url = put(indexed, "data/train")
    with pytest.raises(ShardError, match=r"/data' holds no shards but the splits train: open one, as 'memory://pre/data/train'"):
        open_url(url.removesuffix("/train"))
    with pytest.raises(ShardError, match=r"there are no shards in .*AWS_ENDPOINT_URL"):
        open_url(f"{url}/none")
    for path in indexed.glob("index/*"):
        path.unlink()
    with pytest.raises(ShardError, match="has shards but no index: run `vdata index` where the shards can be written"):
        open_url(put(indexed, "bare"))


def test_a_stale_index_is_an_error(indexed, put, objects):
    url = put(indexed)
    objects.pipe("/pre/train/clips-000002.parquet", b"abc")
    with pytest.raises(ShardError, match=r"is stale: clips-000002.parquet has 3 bytes, and is absent in the index; run `vdata"):
        open_url(url)
    objects.rm("/pre/train/clips-000002.parquet")
    objects.rm("/pre/train/clips-000000.parquet")
    with pytest.raises(ShardError, match=r"clips-000000.parquet is absent, and has \d+ bytes in the index"):
        open_url(url)


def test_another_layout_is_an_error(indexed, put):
    header = json.loads((indexed / "index" / HEADER).read_text())
    (indexed / "index" / HEADER).write_text(json.dumps(header | {"layout": -1}))
    with pytest.raises(ShardError, match="is of another version of vdata: run `vdata index`"):
        open_url(put(indexed))


@pytest.mark.parametrize("damage", ["absent", "short", "other"])
def test_arrays_that_are_not_the_header_s_are_an_error_and_are_not_kept(indexed, put, damage, tmp_path):
    array = indexed / "index/num_frames.npy"
    if damage == "absent":
        array.unlink()
    elif damage == "short":
        array.write_bytes(array.read_bytes()[:-8])
    else:
        np.save(array, np.load(array) + 1)
    with pytest.raises(ShardError, match="do not belong together"):
        open_url(put(indexed))
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_row_files_that_go_or_change_after_opening_are_named(indexed, put, objects):
    index = open_url(put(indexed))
    objects.rm("/pre/train/clips-000000.parquet")
    with pytest.raises(CorruptShardError, match=r"/train/clips-000000.parquet' is not there, and the index names it"):
        index.key(0)
    objects.pipe("/pre/train/clips-000001.parquet", b"abc")
    with pytest.raises(CorruptShardError, match=r"clips-000001.parquet' has 3 bytes, and \d+ in the index"):
        index.key(5)
    assert not list(index.copy.glob("clips*"))


def test_a_row_file_with_cells_that_is_no_parquet_is_named(write_shards, tmp_path, put, objects):
    folder = write_shards(tmp_path / "shards", parquet=True)
    write_index(folder)
    index = open_url(put(folder))
    objects.pipe("/pre/train/clips-000000.parquet", bytes((folder / "clips-000000.parquet").stat().st_size))
    with pytest.raises(CorruptShardError, match=r"/train/clips-000000.parquet' cannot be read: "):
        index.key(0)


def test_a_copy_that_lost_a_file_is_fetched_again(indexed, put):
    url = put(indexed)
    for damage in (lambda path: path.unlink(), lambda path: path.write_bytes(b""), lambda path: os.truncate(path, 140)):
        damage(open_url(url).copy / "index/num_frames.npy")
        assert open_url(url).num_frames.tolist() == [30, 12, 7, 1, 13, 24]


def test_a_copy_that_was_deleted_while_open_is_no_loss(indexed, put):
    index, local = open_url(put(indexed)), open_index(indexed)
    for _ in range(2):
        shutil.rmtree(index.copy)
        assert index.column("key").tolist() == local.column("key").tolist()
    assert index.num_frames.tolist() == open_index(index.folder).num_frames.tolist()


OPEN = "import sys, vdata; print(vdata.open_shards(sys.argv[1]).index.num_frames.tolist())"


def test_two_processes_open_at_once_and_fetch_once(indexed, on_s3, wire, tmp_path):
    url = on_s3(indexed)
    command = [sys.executable, "-c", OPEN, url]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) for _ in range(2)]
    assert [process.communicate(timeout=60)[0].strip() for process in running] == ["[30, 12, 7, 1, 13, 24]"] * 2
    assert wire.upstream.count(b"/num_frames.npy http/1.1\r\n") == 1
    assert len([path for path in (tmp_path / "cache").iterdir() if path.is_dir()]) == 1


def test_shards_without_a_video_are_read_over_there_too(bare_folder, put):
    write_index(bare_folder)
    remote, local = open_shards(put(bare_folder)), open_shards(bare_folder)
    assert [sample.row for sample in remote] == [sample.row for sample in local]
    assert remote["document-1-00000"].text() == local["document-1-00000"].text()
