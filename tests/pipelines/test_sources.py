"""Bytes and frames of windows: slices of the clip, PyAV's container reader, and what damage says.

The encoded source runs on no GPU here: PyAV decodes its bytes instead.
"""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest

from pipelines import decode, read
from pipelines.clips import open_clips
from pipelines.decode import Decoder
from pipelines.read import Encoded, Reader
from pipelines.sources import DecodedSource, EncodedSource
from vdata.errors import CorruptShardError, DecodeError, MediaError
from vdata.views import Clip

PICTURE = (0, 0, 96, 64)
# The last one needs the first and the third GOP and nothing of the second.
WINDOWS = [np.array([20, 24, 28]), np.array([29, 0, 15]), np.array([2, 28, 30])]


@pytest.mark.parametrize("frames", [[0], [11], [12], [5, 30], [29], [13, 14, 25], [0, 24]])
def test_only_the_fragments_of_the_frames_are_read(clips, folder, frames):
    encoded = Reader(open_clips(folder)).read(3, np.array(frames))
    mp4 = clips[3].mp4
    wanted = [fragment for fragment in clips[3].fragments if any(frame // 12 * 12 == fragment.first_frame for frame in frames)]
    assert encoded.init == mp4[: clips[3].init_size]
    assert encoded.first_frames == tuple(fragment.first_frame for fragment in wanted)
    assert encoded.fragments == tuple(mp4[fragment.offset : fragment.offset + fragment.size] for fragment in wanted)


def test_neighbouring_fragments_are_one_read(folder, monkeypatch):
    sizes = []
    monkeypatch.setattr(
        read.os, "pread", lambda fd, size, offset, pread=os.pread: (sizes.append(size), pread(fd, size, offset))[1]
    )
    Reader(open_clips(folder)).read(13, np.array([0, 12, 24, 48]))
    assert len(sizes) == 3  # the init, fragments 0-2, fragment 4


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
    monkeypatch.setattr(read, "_OPEN_FILES", 2)
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


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_windows_equal_the_whole_clips_frames(folder, pixels, stride, place):
    decoder, reader = Decoder(), Reader(open_clips(folder))
    for clip in (3, 8, 13):
        room = len(pixels[clip]) - (4 * stride + 1)
        frames = np.arange(5) * stride + {"start": 0, "middle": room // 2, "end": room}[place]
        (window,) = decoder.decode(reader.read(clip, frames), [frames], PICTURE)
        assert np.array_equal(window, pixels[clip][frames])


def test_overlapping_repeated_and_reversed_frames(folder, pixels):
    windows = [np.array([20, 22, 24, 26]), np.array([29, 24, 24, 3]), np.array([40])]
    encoded = Reader(open_clips(folder)).read(9, np.concatenate(windows))
    for window, found in zip(windows, Decoder().decode(encoded, windows, PICTURE), strict=True):
        assert np.array_equal(found, pixels[9][window])


def test_a_picture_away_from_the_corner(folder, clips, whole):
    encoded = Reader(open_clips(folder)).read(2, np.array([7]))
    (window,) = Decoder().decode(encoded, [np.array([7])], (6, 4, 30, 20))
    assert np.array_equal(window[0], whole(clips[2].mp4)[7, 4:24, 6:36])


def test_packets_behind_the_last_wanted_frame_are_not_decoded(folder, monkeypatch):
    sent = []
    monkeypatch.setattr(decode.av, "Packet", lambda data, packet=decode.av.Packet: (sent.append(len(data)), packet(data))[1])
    frames = np.array([14, 27])  # in the GOPs of 12 and of 24
    Decoder().decode(Reader(open_clips(folder)).read(0, frames), [frames], PICTURE)
    assert len(sent) == 3 + 4


def test_many_streams_in_many_threads(make_clip, make_frames, make_folder, whole, monkeypatch):
    monkeypatch.setattr(decode, "_CONTEXTS", 2)
    clips = [make_clip(make_frames(26, size=(32 + 16 * i, 32), seed=i)) for i in range(4)]
    reader, decoder = Reader(open_clips(make_folder(clips))), Decoder()

    def window(job: int) -> bool:
        clip, frames = job % 4, np.arange(job % 7, 26, 5)
        found = decoder.decode(reader.read(clip, frames), [frames], (0, 0, 32 + 16 * clip, 32))[0]
        return np.array_equal(found, expected[clip][frames])

    expected = [whole(clip.mp4) for clip in clips]
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(window, range(60)))


def test_a_closed_gop_of_another_length(make_clip, make_frames, make_folder, whole):
    clip = make_clip(make_frames(20), gop=5)
    frames = np.array([4, 9, 19])
    encoded = Reader(open_clips(make_folder([clip]))).read(0, frames)
    assert encoded.first_frames == (0, 5, 15)
    assert np.array_equal(Decoder().decode(encoded, [frames], PICTURE)[0], whole(clip.mp4)[frames])


def test_damage_raises_and_the_next_window_is_right(folder, pixels):
    reader, decoder = Reader(open_clips(folder)), Decoder()
    frames = np.arange(0, 24, 3)
    encoded = reader.read(1, frames)
    first = encoded.fragments[0]
    # Zeros over the middle of the picture data, and a table that is cut short.
    zeroed = first[: len(first) // 3] + bytes(len(first) // 3) + first[2 * (len(first) // 3) :]
    for broken in (zeroed, first[:60], b"\0" * len(first)):
        with pytest.raises(MediaError):
            decoder.decode(Encoded(encoded.init, (broken, encoded.fragments[1]), encoded.first_frames), [frames], PICTURE)
        assert np.array_equal(decoder.decode(encoded, [frames], PICTURE)[0], pixels[1][frames])


def test_what_libavcodec_would_conceal_raises(folder):
    encoded = Reader(open_clips(folder)).read(1, np.arange(12))
    rng = np.random.default_rng(0)
    concealed = 0
    for _ in range(40):
        first = bytearray(encoded.fragments[0])
        first[rng.integers(len(first) // 4, len(first))] ^= 1 << rng.integers(8)
        with av.open(io.BytesIO(encoded.init + bytes(first))) as container:
            container.streams.video[0].thread_count = 1
            if any(frame.is_corrupt for frame in container.decode(video=0)):
                concealed += 1
                with pytest.raises(DecodeError):
                    Decoder().decode(Encoded(encoded.init, (bytes(first),), (0,)), [np.arange(12)], PICTURE)
    assert concealed > 3


def test_a_frame_that_is_not_there_is_named(folder):
    encoded = Reader(open_clips(folder)).read(0, np.array([25]))
    with pytest.raises(DecodeError, match="frame 31 is not among"):
        Decoder().decode(encoded, [np.array([25, 31])], PICTURE)


def test_encoded_windows_are_mp4s_whose_counted_frames_are_the_wanted_ones(folder, pixels, whole):
    for (mp4, frames), window in zip(EncodedSource(open_clips(folder)).load(6, WINDOWS), WINDOWS, strict=True):
        assert frames.dtype == np.int32
        assert np.array_equal(whole(mp4.tobytes())[frames, :64, :96], pixels[6][window])


def test_encoded_windows_hold_no_fragment_before_the_first(folder, clips):
    mp4, frames = EncodedSource(open_clips(folder)).load(6, [np.array([20, 24, 28])])[0]
    assert frames.tolist() == [8, 12, 16]
    assert len(mp4) == clips[6].init_size + sum(fragment.size for fragment in clips[6].fragments[1:3])


def test_encoded_feeds_name_every_source_of_the_graph(folder):
    source = EncodedSource(open_clips(folder))
    views = (Clip("a"), Clip("b"), Clip("c"))
    feeds = source.feeds(views, [source.load(clip, WINDOWS) for clip in (6, 2)], np.array([6, 2]))
    assert set(feeds) == {f"{name}{part}" for name in "abc" for part in ("", ".frames", ".picture_corner", ".picture_shape")}
    assert feeds["a.picture_corner"].tolist() == [[0, 0], [0, 0]]
    assert feeds["a.picture_shape"].tolist() == [[64, 96], [64, 96]]
    assert feeds["c.frames"].shape == (2, 3)


def test_decoded_windows_are_pictures(folder, pixels):
    loaded = DecodedSource(open_clips(folder)).load(6, WINDOWS)
    assert all(np.array_equal(found, pixels[6][window]) for found, window in zip(loaded, WINDOWS, strict=True))


@pytest.mark.parametrize("source", [DecodedSource, EncodedSource])
def test_a_broken_member_is_named_by_tar_and_key(clips, make_folder, source):
    folder = make_folder(clips[:3])
    index = open_clips(folder)
    with (folder / "clips-000000.tar").open("r+b") as tar:
        tar.seek(int(index.mp4_offset[1]) + clips[1].init_size)
        tar.write(bytes(200))  # the first fragment's moof
    loader = source(index)
    with pytest.raises(CorruptShardError, match=rf"clips-000000\.tar', key '{index.key(1)}'.*on_error='skip'"):
        loader.load(1, [np.array([0, 4])])
    assert len(loader.load(0, [np.array([0, 4])])) == 1
