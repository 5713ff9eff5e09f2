"""The promises on every clip of the real videos; minutes long, so by `make test-slow`."""

import hashlib
import io
import os

import av
import numpy as np
import pytest

from vdata import open_shards
from vdata.builder import RunConfig, build, resolve
from vdata.media.mp4 import packets, slice_type
from vdata.shards.verify import verify

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.videos]


@pytest.fixture(scope="module")
def built(videos_root, tmp_path_factory):
    """The folder of real videos, built with vectors by two workers, with one worker's tars beside it."""
    out = tmp_path_factory.mktemp("built")
    config = resolve("folder", settings={"motion": {"form": "vectors"}})
    report = build(config, videos_root, out / "two", run=RunConfig(workers=2))
    assert report.reconciles
    build(config, videos_root, out / "one", run=RunConfig(workers=1))
    return out


def decoded(data):
    with av.open(io.BytesIO(data)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_one_and_two_workers_give_identical_tars(built):
    def hashes(name):
        return {path.name: hashlib.sha256(path.read_bytes()).digest() for path in (built / name).glob("*.tar")}

    assert hashes("one") == hashes("two") != {}


def test_every_byte_is_as_promised(built):
    assert verify(built / "two", decode=True).ok


def test_runs_of_fragments_decode_as_the_whole_clip_does(built):
    """From each fragment: itself, itself and the next, and all that follow."""
    num_runs = 0
    for sample in open_shards(built / "two"):
        data, row = sample["mp4"], sample.row
        whole, fragments = decoded(data), row["fragments"]
        assert len(whole) == row["num_frames"]
        for first, fragment in enumerate(fragments):
            for last in sorted({first, min(first + 1, len(fragments) - 1), len(fragments) - 1}):
                end = fragments[last]["offset"] + fragments[last]["size"]
                part = decoded(data[: row["init_size"]] + data[fragment["offset"] : end])
                wanted = whole[fragment["first_frame"] : fragment["first_frame"] + len(part)]
                assert np.array_equal(part, wanted), sample.key
                assert last < len(fragments) - 1 or fragment["first_frame"] + len(part) == row["num_frames"]
                num_runs += 1
    assert num_runs > 1000


def test_picture_types_are_i_every_gop_and_else_p(built):
    for sample in open_shards(built / "two"):
        data, row = sample["mp4"], sample.row
        types = ""
        for fragment in row["fragments"]:
            part = data[fragment["offset"] : fragment["offset"] + fragment["size"]]
            types += "".join(slice_type(part[packet.offset : packet.offset + packet.size]) for packet in packets(part))
        assert types == "".join("P" if frame % row["gop"] else "I" for frame in range(row["num_frames"]))


def test_vectors_are_motion_vector_extractor_s(built):
    videocap = pytest.importorskip("mvextractor.videocap")
    num_rows = 0
    for sample in open_shards(built / "two"):
        handle = os.memfd_create("clip")
        os.write(handle, sample["mp4"])
        capture = videocap.VideoCap()
        assert capture.open(f"/proc/self/fd/{handle}")
        for rows in sample.motion_vectors():
            read, _, theirs, _ = capture.read()
            assert read
            assert np.array_equal(rows, theirs.reshape(-1, 10)), sample.key
            num_rows += len(rows)
        assert not capture.read()[0]
        capture.release()
        os.close(handle)
    assert num_rows > 1_000_000
