"""What the loader reads is the same in number and content wherever the members lie."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

import pipelines.read
from pipelines import ClipIterator
from pipelines.clips import open_clips
from pipelines.read import Reader, Traffic, joined_spans
from vdata.errors import CorruptShardError
from vdata.views import Augment, Clip

VIEWS = (
    Clip("v0", frames=4, stride=4, size=32, augment=Augment()),
    Clip("v1", frames=4, stride=4, size=32, augment=Augment(), start="cvrl_gap:v0"),
)


@pytest.fixture
def cells_folder(clips, make_folder):
    """The 14 clips of `folder`, in cells of their row files."""
    return make_folder(clips, cells=["mp4"])


def tensors(batch, name=""):
    """The tensors of a batch by their paths."""
    if isinstance(batch, dict):
        return {path: one for key, value in batch.items() for path, one in tensors(value, f"{name}/{key}").items()}
    return {name: batch}


def test_both_formats_give_the_same_batches(folder, cells_folder):
    settings = {"views": VIEWS, "batch_size": 3, "seed": 5}
    with ClipIterator(folder, **settings) as tar, ClipIterator(cells_folder, **settings) as cells:
        for _ in range(2):
            pairs = list(zip(tar, cells, strict=True))
            assert len(pairs) == 4
            for batches in pairs:
                one, other = map(tensors, batches)
                assert one.keys() == other.keys()
                assert {"/v0", "/v1", "/label"} <= one.keys()
                assert all(torch.equal(one[name], other[name]) for name in one)


def test_both_formats_read_the_same_fragments_with_as_many_bytes(clips, folder, cells_folder, bytes_read):
    tar, cells = (Reader(open_clips(path)) for path in (folder, cells_folder))
    for number, clip in enumerate(clips):
        for frames in ([0], [13, 14], [11, 12, 29], range(clip.num_frames)):
            wanted = np.array(frames)
            bytes_read.clear()
            found = tar.read(number, wanted)
            of_tar = list(bytes_read)
            bytes_read.clear()
            assert cells.read(number, wanted) == found
            assert bytes_read == of_tar
            used = np.unique(wanted // 12)
            assert found.fragments == tuple(clip.mp4[f.offset : f.offset + f.size] for f in np.array(clip.fragments)[used])
            assert sum(bytes_read) == clip.init_size + sum(len(fragment) for fragment in found.fragments)


def test_folders_of_both_formats_are_joined(clips, folder, cells_folder):
    joined = open_clips([folder, cells_folder])
    reader = Reader(joined)
    for number in (0, 6, 13, 14, 20, 27):
        encoded = reader.read(number, np.arange(joined.num_frames[number]))
        assert encoded.init + b"".join(encoded.fragments) == clips[number % 14].mp4
    assert joined.mp4_path(13).name == "clips-000002.tar"
    assert joined.mp4_path(14) == cells_folder / "clips-000000.parquet"
    assert joined.folder == folder


@pytest.fixture
def remote(folder, on_s3):
    """The 14 clips of `folder` on the S3 server."""
    open_clips(folder)
    return on_s3(folder)


@pytest.mark.parametrize("far", [0, 40, 10**9])
def test_runs_are_joined_spans_with_small_gaps(far):
    spans = [(0, 10), (10, 30), (70, 80), (121, 130)]
    runs = joined_spans(spans, far)
    assert [span for run in runs for span in run] == spans
    ends = [(run[0][0], run[-1][1]) for run in runs]
    assert ends == {0: [(0, 30), (70, 80), (121, 130)], 40: [(0, 80), (121, 130)], 10**9: [(0, 130)]}[far]
    assert joined_spans([], far) == []


def test_batches_from_s3_are_those_of_the_local_folder(folder, remote):
    settings = {"views": VIEWS, "batch_size": 3, "seed": 5}
    with ClipIterator(folder, **settings) as local, ClipIterator(remote, **settings) as far:
        assert far.state_dict() == local.state_dict()
        for _ in range(2):
            pairs = list(zip(local, far, strict=True))
            assert len(pairs) == 4
            for batches in pairs:
                one, other = map(tensors, batches)
                assert one.keys() == other.keys()
                assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", ["tar", "cells"])
def test_windows_from_s3_are_those_of_the_local_folder(clips, folder, cells_folder, on_s3, kind):
    place = folder if kind == "tar" else cells_folder
    open_clips(place)
    near, far = Reader(open_clips(place)), Reader(open_clips(on_s3(place)))
    for number in range(0, 14, 3):
        for frames in ([0], [13, 14], [29], [11, 12, 29], range(clips[number].num_frames)):
            wanted = np.array(frames)
            assert far.read(number, wanted) == near.read(number, wanted)


def test_a_sample_from_s3_is_one_request_or_two_if_its_window_lies_deep(clips, remote, wire, monkeypatch):
    reader = Reader(open_clips(remote))
    clip = clips[13]
    init, size = clip.init_size, [fragment.size for fragment in clip.fragments]
    for far, frames, requests, num_bytes in (
        (10**9, [24], 1, init + sum(size[:3])),
        (size[0], [13], 1, init + sum(size[:2])),
        (size[0] - 1, [13], 2, init + size[1]),
        (0, [0, 12], 1, init + sum(size[:2])),
        (0, [0, 24, 36], 2, init + size[0] + size[2] + size[3]),
        (size[1], [0, 24], 1, init + sum(size[:3])),
    ):
        monkeypatch.setattr(pipelines.read, "_FAR", far)
        reader = Reader(reader._clips)
        before = wire.num_requests
        reader.read(13, np.array(frames))
        assert wire.num_requests - before == requests
        assert reader.traffic == Traffic(num_bytes, requests)


def test_the_init_of_a_clip_is_asked_for_once(clips, remote, wire, monkeypatch):
    monkeypatch.setattr(pipelines.read, "_FAR", 0)
    reader = Reader(open_clips(remote))
    first = reader.read(13, np.array([40]))
    before = wire.num_requests
    assert reader.read(13, np.array([40])) == first
    assert wire.num_requests == before + 1
    assert reader.traffic.num_bytes == clips[13].init_size + 2 * clips[13].fragments[3].size
    # All 14 clips have one init.
    for number in range(14):
        assert reader.read(number, np.array([25])).init == clips[number].mp4[: clips[number].init_size]
    assert len(reader._inits._inits) == 2


def test_more_inits_than_are_kept_are_asked_for_again(clips, make_clip, make_frames, make_folder, on_s3, monkeypatch):
    monkeypatch.setattr(pipelines.read, "_MOST_INITS", 1)
    other = make_clip(make_frames(30, (64, 48)))
    folder = make_folder([clips[0], other])
    open_clips(folder)
    reader = Reader(open_clips(on_s3(folder)))
    for _ in range(2):
        for number, clip in enumerate((clips[0], other)):
            assert reader.read(number, np.array([0])).init == clip.mp4[: clip.init_size]
    assert len(reader._inits._inits) == 2


def test_what_is_fetched_ahead_is_read_without_another_request(clips, folder, remote, wire):
    reader = Reader(open_clips(remote))
    before = wire.num_requests
    for number in (3, 4, 4, 5):
        reader.ahead(number, np.array([13, 14]))
    found = [reader.read(number, np.array([14, 13, 15])) for number in (3, 4, 5)]
    assert wire.num_requests - before == 3
    near = Reader(open_clips(folder))
    assert found == [near.read(number, np.array([13])) for number in (3, 4, 5)]
    near.ahead(3, np.array([13]))
    assert near.traffic.num_requests == 3 * 2
    assert not reader._coming


def test_what_is_fetched_ahead_and_never_read_is_let_go(remote, monkeypatch):
    monkeypatch.setattr(pipelines.read, "_MOST_AHEAD", 2)
    reader = Reader(open_clips(remote))
    for number in range(5):
        reader.ahead(number, np.array([0]))
    assert [clip for clip, _ in reader._coming] == [3, 4]
    reader.close()
    assert not reader._coming


def test_threads_share_a_reader_and_its_sums(clips, remote):
    reader = Reader(open_clips(remote))
    wanted = [number % 14 for number in range(42)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda number: reader.read(number, np.array([0])), wanted))
    assert [one.fragments[0] for one in found] == [
        clips[number].mp4[clips[number].init_size :][: clips[number].fragments[0].size] for number in wanted
    ]
    assert reader.traffic.num_requests == 42


def test_an_object_that_was_cut_or_is_gone_names_url_and_key(folder, remote, s3):
    index = open_clips(remote)
    tar = (folder / "clips-000001.tar").read_bytes()
    s3({"shards/train/clips-000001.tar": tar[: int(index.mp4_offset[9]) + 10]})
    s3.client.delete_object(Bucket=s3.bucket, Key="shards/train/clips-000002.tar")
    reader = Reader(index)
    reader.read(8, np.array([0]))
    with pytest.raises(CorruptShardError) as cut:
        reader.read(9, np.array([0]))
    with pytest.raises(CorruptShardError) as gone:
        reader.read(12, np.array([0]))
    for error, shard, clip, words in ((cut, 1, 9, "it ends at byte "), (gone, 2, 12, "it is not there")):
        text = str(error.value)
        assert f"'{remote}/clips-00000{shard}.tar' cannot be read for clip '{index.key(clip)}': {words}" in text
        assert "\n" not in text


def test_a_local_file_that_was_cut_names_path_and_key(clips, make_folder):
    folder = make_folder(clips[:3])
    index = open_clips(folder)
    with (folder / "clips-000000.tar").open("r+b") as tar:
        tar.truncate(int(index.mp4_offset[2]) + 10)
    with pytest.raises(CorruptShardError, match=f"clips-000000.tar' cannot be read for clip '{index.key(2)}': it ends at byte"):
        Reader(index).read(2, np.array([0]))


def test_skip_takes_another_clip_for_one_that_is_gone(remote, s3):
    s3.client.delete_object(Bucket=s3.bucket, Key="shards/train/clips-000002.tar")
    with ClipIterator(remote, views=VIEWS, batch_size=7, seed=0, on_error="skip") as iterator:
        batches = list(iterator)
    assert len(batches) == 2
    assert iterator.num_skipped == 4


def test_remote_and_local_folders_are_joined(clips, folder, remote):
    joined = open_clips([remote, folder])
    reader = Reader(joined)
    for number in (0, 13, 14, 27):
        encoded = reader.read(number, np.arange(joined.num_frames[number]))
        assert encoded.init + b"".join(encoded.fragments) == clips[number % 14].mp4
    assert str(joined.folder) == remote


@pytest.mark.parametrize("frames", [[0], [11], [12], [5, 30], [29], [13, 14, 25], [0, 24]])
def test_only_the_fragments_of_the_frames_are_read(clips, folder, frames):
    encoded = Reader(open_clips(folder)).read(3, np.array(frames))
    mp4 = clips[3].mp4
    wanted = [fragment for fragment in clips[3].fragments if any(frame // 12 * 12 == fragment.first_frame for frame in frames)]
    assert encoded.init == mp4[: clips[3].init_size]
    assert encoded.first_frames == tuple(fragment.first_frame for fragment in wanted)
    assert encoded.fragments == tuple(mp4[fragment.offset : fragment.offset + fragment.size] for fragment in wanted)


def test_neighbouring_fragments_are_one_read(folder, bytes_read):
    Reader(open_clips(folder)).read(13, np.array([0, 12, 24, 48]))
    assert len(bytes_read) == 2  # the init with fragments 0-2, fragment 4


def test_a_short_tar_and_an_absent_one_are_named(clips, make_folder):
    folder = make_folder(clips[:2], per_shard=1)
    index = open_clips(folder)
    os.truncate(folder / "clips-000000.tar", int(index.mp4_offset[0]) + clips[0].init_size + 100)
    (folder / "clips-000001.tar").unlink()
    reader = Reader(index)
    with pytest.raises(CorruptShardError, match=r"clips-000000\.tar.*ends at byte"):
        reader.read(0, np.array([0]))
    with pytest.raises(CorruptShardError, match=r"clips-000001\.tar.*No such file"):
        reader.read(1, np.array([0]))


def num_open(index) -> int:
    """Open descriptors of the index's own tars."""
    links = [os.path.realpath(descriptor) for descriptor in Path("/proc/self/fd").iterdir()]
    return len([link for link in links if link.startswith(str(index.folder)) and link.endswith(".tar")])


def test_files_are_closed_when_nobody_reads_them(clips, make_folder, monkeypatch):
    monkeypatch.setattr(pipelines.read, "_OPEN_FILES", 2)
    index = open_clips(make_folder(clips[:8], per_shard=1))
    reader = Reader(index)
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(reader.read, i % 8, np.array([0])) for i in range(64)]
        assert [job.result().fragments[0] for job in jobs[:8]] == [
            clip.mp4[clip.fragments[0].offset : clip.fragments[0].offset + clip.fragments[0].size] for clip in clips[:8]
        ]
    assert num_open(index) == 2
    del reader, jobs
    assert num_open(index) == 0
