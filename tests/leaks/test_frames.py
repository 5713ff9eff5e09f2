"""Keyframes of shards as hashes: the same pixels as the reader's, read in small pieces; damage is named, not raised."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from vdata.leaks.config import LeakConfig
from vdata.leaks.frames import hash_folder
from vdata.leaks.hash import frame_distances, hash_picture
from vdata.shards import open_shards
from vdata.shards.remote import folder_of

EVERY = LeakConfig(every_seconds=0.0, still_distance=0)


@pytest.fixture
def shards(tmp_path, make_video, build):
    make_video("root/a.mp4", num_frames=60, velocity=(9, 5))
    make_video("root/b.mp4", num_frames=30, seed=1, size=(96, 128))
    return build(tmp_path / "root", tmp_path / "out", seconds=1.0)


def test_each_keyframe_is_hashed_as_the_reader_shows_it(shards, bytes_read):
    samples = open_shards(shards)
    bytes_read.clear()
    frames = hash_folder(shards, EVERY)
    read = sum(bytes_read)
    assert read == sum(s.row["init_size"] + sum(k["size"] for k in s.row["keyframes"]) for s in samples)
    expected = []
    for clip, sample in enumerate(samples):
        for k, fragment in enumerate(sample.row["fragments"]):
            # Luma from rounded RGB is a grey level off here and there.
            luma = cv2.cvtColor(sample.keyframe(k), cv2.COLOR_RGB2YCrCb)[..., 0]
            expected.append((clip, sample.row["start_seconds"] + fragment["first_frame"] / 25, hash_picture(luma, 32)))
    assert frames.clip.tolist() == [clip for clip, _, _ in expected]
    assert_allclose(frames.seconds, [seconds for _, seconds, _ in expected])
    assert frame_distances(frames.hashes, np.stack([words for _, _, words in expected])).max() <= 6
    assert frames.weight.tolist() == [1] * len(expected)


def test_without_the_field_keyframes_the_fragments_are_read(shards, tmp_path, make_video, build, monkeypatch):
    known = hash_folder(shards, EVERY)
    row = type(open_shards(shards).index).row
    monkeypatch.setattr("vdata.shards.index.Index.row", lambda self, i: {**row(self, i), "keyframes": None})
    assert np.array_equal(hash_folder(shards, EVERY).hashes, known.hashes)


def test_processes_give_what_one_gives(shards, monkeypatch):
    monkeypatch.setattr("vdata.leaks.frames._CLIPS", 2)
    told = []
    alone, many = hash_folder(shards, EVERY), hash_folder(shards, EVERY, workers=2, on_clips=lambda *done: told.append(done))
    assert np.array_equal(alone.hashes, many.hashes)
    assert np.array_equal(alone.clip, many.clip)
    count = len(open_shards(shards))
    assert told == [(min(done, count), count) for done in range(2, count + 2, 2)]


def test_still_and_blank_keyframes_are_counted_and_close_ones_left_out(tmp_path, make_video, build, convert):
    still = make_video("root/still.mp4", num_frames=60, velocity=(0, 0))
    convert(still, tmp_path / "root/white.mp4", "drawbox=color=white:t=fill")
    frames = hash_folder(build(tmp_path / "root", tmp_path / "out"), LeakConfig())
    assert (frames.weight.tolist(), frames.num_blank) == ([5], 5)
    # Of 0, 0.48, 0.96, 1.44 and 1.92 s.
    frames = hash_folder(tmp_path / "out", LeakConfig(every_seconds=0.9))
    assert (frames.weight.tolist(), frames.num_blank) == ([3], 3)


def test_a_damaged_clip_is_named_and_the_others_are_hashed(shards):
    samples = open_shards(shards)
    sample = samples[0]
    (member,) = (member for member in sample.row["members"] if member["name"] == "mp4")
    tar = shards / member["file"]
    data = bytearray(tar.read_bytes())
    first = member["offset"] + sample.row["keyframes"][0]["offset"]
    data[first : first + sample.row["keyframes"][0]["size"]] = bytes(sample.row["keyframes"][0]["size"])
    tar.write_bytes(data)
    frames = hash_folder(shards, EVERY)
    assert [item.key for item in frames.unreadable] == [sample.key]
    assert "keyframe" in frames.unreadable[0].message
    assert set(frames.clip.tolist()) == set(range(1, len(samples)))
    tar.unlink()
    assert len(hash_folder(shards, EVERY).unreadable) == len(samples)


def test_shards_elsewhere_give_the_same(shards, on_s3):
    assert np.array_equal(hash_folder(shards, EVERY).hashes, hash_folder(folder_of(on_s3(shards)), EVERY).hashes)
