"""Frames from fragments: against PyAV's container reader on the whole clip, and what damage says."""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import av
import av.error
import numpy as np
import pytest

from pipelines import decode
from pipelines.clips import open_clips
from pipelines.decode import Decoder
from pipelines.read import Encoded, Reader
from vdata.errors import DecodeError, MediaError
from vdata.media.clip import EncodedClip


def encoded_of(clip: EncodedClip, frames: Sequence[int]) -> Encoded:
    """Init and the fragments that hold any of the frames."""
    ends = [*(fragment.first_frame for fragment in clip.fragments[1:]), clip.num_frames]
    pairs = zip(clip.fragments, ends, strict=True)
    kept = [fragment for fragment, end in pairs if any(fragment.first_frame <= number < end for number in frames)]
    parts = tuple(clip.mp4[fragment.offset : fragment.offset + fragment.size] for fragment in kept)
    return Encoded(clip.mp4[: clip.init_size], parts, tuple(fragment.first_frame for fragment in kept))


def pictures(decoder: Decoder, encoded: Encoded, frames: Sequence[int]) -> dict[int, np.ndarray]:
    # Copied at once: the decoder may use a frame's memory again.
    return {number: frame.to_ndarray(format="rgb24") for number, frame in decoder.frames(encoded, set(frames))}


def assert_frames(decoder: Decoder, clip: EncodedClip, frames: Sequence[int], whole: np.ndarray) -> None:
    found = pictures(decoder, encoded_of(clip, frames), frames)
    assert set(found) == set(frames)
    assert all(np.array_equal(picture, whole[number]) for number, picture in found.items())


@pytest.fixture(scope="module", params=[1, 3], ids=["one layer", "three layers"])
def layered(request, make_clip, make_frames, whole) -> tuple[EncodedClip, np.ndarray]:
    """A clip of 61 frames, 96x64, and all its frames."""
    clip = make_clip(make_frames(61), 12 if request.param == 1 else 16, request.param)
    return clip, whole(clip.mp4)


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
def test_every_window_equals_the_whole_clip_s_frames(layered, stride):
    clip, expected = layered
    decoder = Decoder()
    for start in range(61 - 4 * stride):
        assert_frames(decoder, clip, range(start, start + 4 * stride + 1, stride), expected)


def test_scattered_frames_and_single_ones(layered):
    clip, expected = layered
    decoder, rng = Decoder(), np.random.default_rng(0)
    for number in range(61):
        assert_frames(decoder, clip, [number], expected)
    for _ in range(20):
        assert_frames(decoder, clip, rng.choice(61, 6, replace=False).tolist(), expected)


def test_each_frame_comes_once_and_in_the_order_of_time(layered):
    clip, _ = layered
    wanted = [3, 4, 5, 17, 40]
    assert [number for number, _ in Decoder().frames(encoded_of(clip, wanted), set(wanted))] == wanted


@pytest.mark.parametrize(
    ("frames", "one_layer", "three_layers"),
    [
        ([14, 27], 3 + 4, 6 + 5),  # from 12 and from 24; 0 4 8 12 15 14 and 16 20 24 28 27
        ([0], 1, 1),
        (range(0, 61, 4), 9 + 9 + 9 + 9 + 9 + 1, 4 * 3 + 4),
        (range(12), 12, 13),
    ],
)
def test_pictures_that_nobody_needs_are_not_decoded(layered, frames, one_layer, three_layers):
    clip, _ = layered
    decoder = Decoder()
    pictures(decoder, encoded_of(clip, frames), frames)
    assert decoder.num_packets == {"ip": one_layer, "ibbbp": three_layers}[clip.structure]


def test_a_closed_gop_of_another_length(make_clip, make_frames, whole):
    clip = make_clip(make_frames(20), gop=5)
    assert encoded_of(clip, [4, 9, 19]).first_frames == (0, 5, 15)
    assert_frames(Decoder(), clip, [4, 9, 19], whole(clip.mp4))


def test_contexts_are_kept_and_those_that_raised_are_not(layered, monkeypatch):
    clip, expected = layered
    made = []
    create = av.VideoCodecContext.create
    monkeypatch.setattr(decode.av.VideoCodecContext, "create", lambda *given: (made.append(given), create(*given))[1])
    decoder = Decoder()
    for start in range(5):
        assert_frames(decoder, clip, [start, 30 + start], expected)
    assert len(made) == 1
    encoded = encoded_of(clip, [3])
    with pytest.raises(MediaError):
        pictures(decoder, Encoded(encoded.init, (encoded.fragments[0][:-1],), (0,)), [3])
    with pytest.raises(DecodeError):
        pictures(decoder, encoded, [3, 60])
    # Left in the middle: what is inside it must not come out of the next window.
    next(decoder.frames(encoded_of(clip, range(30)), set(range(30))))
    assert_frames(decoder, clip, [5, 40], expected)
    assert len(made) > 1
    count = len(made)
    assert_frames(decoder, clip, [6, 41], expected)
    assert len(made) == count


def test_many_streams_in_many_threads(make_clip, make_frames, whole, monkeypatch):
    """More streams than contexts are kept, so they come and go."""
    monkeypatch.setattr(decode, "_CONTEXTS", 2)
    clips = [make_clip(make_frames(26, size=(32 + 16 * i, 32), seed=i), 16, 1 + 2 * (i % 2)) for i in range(5)]
    expected, decoder = [whole(clip.mp4) for clip in clips], Decoder()

    def window(job: int) -> bool:
        frames = range(job % 7, 26, 1 + job % 5)
        found = pictures(decoder, encoded_of(clips[job % 5], frames), frames)
        return len(found) == len(frames) and all(np.array_equal(found[number], expected[job % 5][number]) for number in frames)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(window, range(120)))


def test_damage_raises_and_the_next_window_is_right(layered):
    clip, expected = layered
    decoder, frames = Decoder(), range(0, 24, 3)
    encoded = encoded_of(clip, frames)
    first = encoded.fragments[0]
    third = len(first) // 3
    for broken in (first[:third] + bytes(third) + first[2 * third :], first[:60], first[:-5], b"\0" * len(first), b""):
        with pytest.raises(MediaError):
            pictures(decoder, Encoded(encoded.init, (broken, *encoded.fragments[1:]), encoded.first_frames), frames)
        assert_frames(decoder, clip, frames, expected)


def test_a_damaged_init_raises(layered):
    clip, expected = layered
    encoded, decoder = encoded_of(clip, [0]), Decoder()
    for broken in (encoded.init[:100], b"", encoded.init.replace(b"avcC", b"hvcC"), encoded.init.replace(b"avc1", b"hvc1")):
        with pytest.raises(MediaError):
            pictures(decoder, Encoded(broken, encoded.fragments, encoded.first_frames), [0])
    assert_frames(decoder, clip, [0, 1], expected)


def test_no_flipped_byte_is_a_bug(layered):
    """A frame that is right or wrong, or an error that names the contract or the decoder: nothing else comes of any byte."""
    clip, _ = layered
    encoded, decoder, rng = encoded_of(clip, [5]), Decoder(), np.random.default_rng(0)
    data = encoded.init + encoded.fragments[0]
    raised = 0
    for place in rng.choice(len(data), 400, replace=False).tolist():
        broken = bytearray(data)
        broken[place] ^= 1 << rng.integers(8)
        init, fragment = bytes(broken[: clip.init_size]), bytes(broken[clip.init_size :])
        try:
            assert set(pictures(decoder, Encoded(init, (fragment,), (0,)), [5, 6])) == {5, 6}
        except MediaError:
            raised += 1
    assert raised > 50


def test_what_libavcodec_would_conceal_raises(make_clip, make_frames):
    clip = make_clip(make_frames(30, seed=1))
    encoded = encoded_of(clip, range(12))
    rng = np.random.default_rng(0)
    concealed = 0
    for _ in range(60):
        first = bytearray(encoded.fragments[0])
        first[rng.integers(len(first) // 4, len(first))] ^= 1 << rng.integers(8)
        if has_concealed(encoded.init + bytes(first)):
            concealed += 1
            with pytest.raises(DecodeError):
                pictures(Decoder(), Encoded(encoded.init, (bytes(first),), (0,)), range(12))
    assert concealed > 3


def has_concealed(mp4: bytes) -> bool:
    """Whether libavcodec's own ways give a picture that it has patched up."""
    with av.open(io.BytesIO(mp4)) as container:
        container.streams.video[0].thread_count = 1
        try:
            return any(frame.is_corrupt for frame in container.decode(video=0))
        except av.error.InvalidDataError:
            return False


def test_a_frame_that_is_not_there_is_named(layered):
    clip, _ = layered
    with pytest.raises(DecodeError, match=r"frame 61 is not among the 1 fragments"):
        pictures(Decoder(), encoded_of(clip, [60]), [60, 61])


def test_the_reader_s_fragments_are_what_it_takes(folder, clips, whole):
    encoded = Reader(open_clips(folder)).read(2, np.array([7, 30]))
    expected = whole(clips[2].mp4)
    found = pictures(Decoder(), encoded, [7, 30])
    assert all(np.array_equal(found[number], expected[number]) for number in (7, 30))
