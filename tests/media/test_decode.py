import itertools

import av
import numpy as np
import pytest
from av.video.frame import PictureType

from vdata.errors import DecodeError
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.media.decode import decode_frames, decode_keyframe
from vdata.media.mp4 import boxes, packets
from vdata.records import Picture, Video

GOP = 12
WHOLE = Picture(0, 0, 96, 64)
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof+skip_trailer"}


def reference(path):
    """Every frame of the whole file by PyAV's shortest way."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.fixture
def fragmented(make_video, tmp_path):
    """A clip of 49 frames, so that the last fragment is a single frame; (path, init, fragments)."""
    options = {"g": f"{GOP}", "keyint_min": f"{GOP}", "sc_threshold": "0", "bf": "0", "refs": "1"}
    source = make_video("source.mp4", num_frames=49, size=(96, 64), options=options)
    path = tmp_path / "clip.mp4"
    with av.open(str(source)) as read, av.open(str(path), "w", options=FRAGMENTED) as write:
        stream = write.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                write.mux(packet)
    mp4 = path.read_bytes()
    pairs = [(a, b) for a, b in itertools.pairwise(boxes(mp4)) if a.kind == b"moof"]
    return path, mp4[: pairs[0][0].start], [mp4[moof.start : mdat.end] for moof, mdat in pairs]


def test_any_frames_of_a_whole_clip(fragmented):
    path, _, _ = fragmented
    whole = reference(path)
    assert len(whole) == 49
    for wanted in (range(49), range(3, 40, 5), [48], [30, 2, 30], []):
        assert np.array_equal(decode_frames(path.read_bytes(), wanted, WHOLE), whole[list(wanted)])


def test_any_run_of_fragments_keeps_the_frame_numbers(fragmented):
    path, init, fragments = fragmented
    whole = reference(path)
    assert len(fragments) == 5
    for first, end in itertools.combinations(range(6), 2):
        wanted = range(first * GOP, min(end * GOP, 49))
        mp4 = init + b"".join(fragments[first:end])
        assert np.array_equal(decode_frames(mp4, wanted, WHOLE), whole[wanted.start : wanted.stop])


def test_fragments_need_not_be_neighbours(fragmented):
    path, init, fragments = fragmented
    mp4 = init + fragments[1] + fragments[4]
    assert np.array_equal(decode_frames(mp4, [15, 48], WHOLE), reference(path)[[15, 48]])


def test_b_frames_are_numbered_by_time_not_by_packets(make_video):
    path = make_video(num_frames=30, size=(96, 64), options={"bf": "3", "g": "15"})
    with av.open(str(path)) as container:
        assert PictureType.B in {frame.pict_type for frame in container.decode(video=0)}
    assert np.array_equal(decode_frames(path.read_bytes(), [1, 2, 7, 29], WHOLE), reference(path)[[1, 2, 7, 29]])


def test_the_picture_is_cut_after_the_conversion(fragmented):
    path, _, _ = fragmented
    picture = Picture(0, 0, 91, 63)
    assert np.array_equal(decode_frames(path.read_bytes(), [5], picture), reference(path)[[5], :63, :91])


def test_a_keyframe_from_its_packet_alone(fragmented):
    path, init, fragments = fragmented
    whole = reference(path)
    for k, fragment in enumerate(fragments):
        first = packets(fragment)[0]
        pixels = decode_keyframe(init, fragment[first.offset : first.offset + first.size], WHOLE)
        assert np.array_equal(pixels, whole[k * GOP])


def test_frames_that_are_not_there_are_named(fragmented):
    _, init, fragments = fragmented
    with pytest.raises(DecodeError, match="frame 12 is not among"):
        decode_frames(init + fragments[0], [3, 12], WHOLE)


@pytest.mark.parametrize("mp4", [b"", b"no video at all", bytes(1000)])
def test_bytes_that_are_no_video(mp4):
    with pytest.raises(DecodeError):
        decode_frames(mp4, [0], WHOLE)


def test_a_packet_that_is_no_keyframe(fragmented):
    _, init, _ = fragmented
    with pytest.raises(DecodeError):
        decode_keyframe(init, b"\0\0\0\5junk!", WHOLE)


@pytest.fixture
def layered(make_video):
    """A clip of 49 frames in three layers."""
    path = make_video("layered-source.mp4", num_frames=49, size=(96, 64))
    config = ClipConfig(short_side=64, layers=3)
    return next(cut(path.parent, Video("v", path.name), config, LimitConfig(), with_motion=False))


def test_frames_and_keyframes_of_three_layers(layered, tmp_path):
    """In any order, from the whole clip and from any run of its fragments."""
    (tmp_path / "layered.mp4").write_bytes(layered.mp4)
    whole, init = reference(tmp_path / "layered.mp4"), layered.mp4[: layered.init_size]
    assert len(whole) == 49
    for wanted in (range(49), range(3, 40, 5), [48], [47], [15, 2, 16], [1]):
        assert np.array_equal(decode_frames(layered.mp4, wanted, WHOLE), whole[list(wanted)])
    for first, fragment in enumerate(layered.fragments):
        part = init + layered.mp4[fragment.offset :]
        wanted = range(16 * first, 49)
        assert np.array_equal(decode_frames(part, wanted, WHOLE), whole[list(wanted)])
    for keyframe in layered.keyframes:
        packet = layered.mp4[keyframe.offset : keyframe.offset + keyframe.size]
        assert np.array_equal(decode_keyframe(init, packet, WHOLE), whole[keyframe.frame])
