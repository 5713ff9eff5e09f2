"""Thinning against whole-clip decoding by two decoders, and against a slow closure over the rules of the structures."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import av
import av.logging
import numpy as np
import pytest

from pipelines.fragments import needed
from vdata.errors import ContractError
from vdata.media.clip import EncodedClip
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import DroppedTail, cut
from vdata.media.ffmpeg import binary
from vdata.media.mp4 import decode_time, packets, track_run
from vdata.media.structure import STRUCTURES
from vdata.media.thin import thin
from vdata.records import Video

STRIDES = (1, 2, 4, 8)
WINDOW = 16
"""Frames of a window."""


def clips_of(path: Path, **settings) -> list[EncodedClip]:
    config = ClipConfig(**{"short_side": 64, "layers": 3} | settings)
    found = cut(path.parent, Video("v", path.name), config, LimitConfig(), with_motion=False)
    return [item for item in found if not isinstance(item, DroppedTail)]


def needed_by_hand(types: str, gop: int, wanted: Iterable[int]) -> list[int]:
    """The closure, one rule at a time, over sets."""
    needed, open_ends = set(), list(wanted)
    while open_ends:
        frame = open_ends.pop()
        needed.add(frame)
        start = frame - frame % gop
        before = [other for other in range(start, frame) if types[other] != "B"][-1:]
        after = [other for other in range(frame + 1, len(types)) if types[other] != "B"][:1] if types[frame] == "B" else []
        open_ends += before + after
    return sorted(needed)


def needed_of(clip: EncodedClip, wanted: Iterable[int]) -> list[int]:
    """The frames that the loader decodes for these, fragment by fragment."""
    found = []
    for fragment, data in zip(clip.fragments, fragments_of(clip), strict=True):
        places = {frame - fragment.first_frame for frame in wanted}
        found += [fragment.first_frame + coded.place for coded in needed(data, places)]
    return sorted(found)


@pytest.mark.parametrize(("layers", "gop"), [(1, 12), (1, 1), (1, 5), (3, 16), (3, 4), (3, 8)])
def test_needed_frames_are_the_closure_of_the_rules(make_video, layers, gop):
    rng = np.random.default_rng(0)
    for num_frames in (1, 2, 5, 17, 48, 70):
        path = make_video(num_frames=num_frames, size=(64, 48))
        (clip,) = clips_of(path, short_side=48, layers=layers, gop=gop)
        types = STRUCTURES[layers].types(num_frames, gop)
        for size in (0, 1, 3, WINDOW) * 5:
            wanted = rng.integers(0, num_frames, size).tolist()
            assert needed_of(clip, wanted) == needed_by_hand(types, gop, wanted)


COSTS = [(1, 0, 16, 16), (2, 0, 18, 29), (4, 0, 16, 46), (4, 1, 36, 52), (8, 0, 24, 71)]
"""Stride and start of a window of 250 frames, and the packets that it costs with three layers and with one."""


def test_the_packets_that_a_window_costs(make_video):
    """On the stride the P's between the wanted frames, at most; off it the B's neighbours and their chain too."""
    path, types = make_video(num_frames=250, size=(64, 48)), STRUCTURES[3].types(250, 16)
    one, three = (clips_of(path, short_side=48, seconds=60, layers=layers)[0] for layers in STRUCTURES)
    for stride, start, num_three, num_one in COSTS:
        wanted = [start + k * stride for k in range(WINDOW)]
        found = needed_of(three, wanted)
        assert (len(found), len(needed_of(one, wanted))) == (num_three, num_one), (stride, start)
        assert all(types[frame] != "B" for frame in found if frame not in wanted), (stride, start)


@pytest.fixture(params=STRUCTURES, ids=["one layer", "three layers"])
def clip(request, make_video) -> EncodedClip:
    """61 frames: the last GOP has 13 frames, or one."""
    path = make_video(num_frames=61, size=(96, 64), velocity=(3.0, 1.0))
    return clips_of(path, layers=request.param)[0]


def fragments_of(clip: EncodedClip) -> list[bytes]:
    return [clip.mp4[fragment.offset : fragment.offset + fragment.size] for fragment in clip.fragments]


def thinned(clip: EncodedClip, wanted: Iterable[int]) -> tuple[list[int], bytes]:
    """What the loader would decode for these frames: their numbers, and the init with the fragments that hold them."""
    found = needed_of(clip, wanted)
    parts = [clip.mp4[: clip.init_size]]
    for fragment, data in zip(clip.fragments, fragments_of(clip), strict=True):
        parts.append(thin(data, {frame - fragment.first_frame for frame in found}))
    return found, b"".join(parts)


def decoded(mp4: bytes, ticks: int) -> dict[int, bytes]:
    """A hash of each frame's planes, by the number that its time says."""
    with av.open(io.BytesIO(mp4)) as container:
        frames = list(container.decode(video=0))
    assert all(frame.pts % ticks == 0 for frame in frames)
    return {frame.pts // ticks: hashlib.sha256(frame.to_ndarray().tobytes()).digest() for frame in frames}


def ticks_of(clip: EncodedClip) -> int:
    return packets(fragments_of(clip)[0])[0].duration


def windows(num_frames: int, phases: Iterable[int], strides: Iterable[int] = STRIDES) -> Iterator[range]:
    """A window from every phase with every stride, as long as the clip lets it be."""
    for stride in strides:
        for phase in phases:
            if phase < num_frames:
                yield range(phase, num_frames, stride)[:WINDOW]


def assert_thins_exactly(clip: EncodedClip, chosen: Iterable[range]) -> None:
    ticks = ticks_of(clip)
    whole = decoded(clip.mp4, ticks)
    assert list(whole) == list(range(clip.num_frames))
    for window in chosen:
        needed, mp4 = thinned(clip, window)
        found = decoded(mp4, ticks)
        assert list(found) == needed, window
        assert set(window) <= set(found)
        assert all(whole[number] == picture for number, picture in found.items()), window


def test_every_stride_and_phase_decodes_to_the_frames_of_the_whole_clip(clip):
    assert_thins_exactly(clip, windows(clip.num_frames, range(clip.gop)))


def test_single_frames_and_scattered_ones_too(clip):
    rng = np.random.default_rng(1)
    chosen = [[frame] for frame in range(clip.num_frames)]
    chosen += [sorted(rng.choice(clip.num_frames, 5, replace=False).tolist()) for _ in range(20)]
    assert_thins_exactly(clip, chosen)


def raw_frames(mp4: bytes, size: int) -> list[bytes]:
    """What the ffmpeg binary decodes."""
    command = [binary(), "-v", "error", "-i", "pipe:", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    raw = subprocess.run(command, input=mp4, stdout=subprocess.PIPE, check=True).stdout
    return [raw[start : start + size] for start in range(0, len(raw), size)]


@pytest.mark.parametrize(("stride", "phase"), [(1, 5), (2, 1), (4, 0), (4, 3), (8, 6), (60, 0)])
def test_the_ffmpeg_binary_reads_the_same(clip, stride, phase):
    size = clip.width * clip.height * 3 // 2
    whole = raw_frames(clip.mp4, size)
    needed, mp4 = thinned(clip, range(phase, clip.num_frames, stride))
    assert raw_frames(mp4, size) == [whole[number] for number in needed]


def binary_log(mp4: bytes) -> str:
    command = [binary(), "-v", "debug", "-i", "pipe:", "-f", "null", "-"]
    return subprocess.run(command, input=mp4, capture_output=True, check=True).stderr.decode()


def pyav_log(mp4: bytes) -> str:
    """What PyAV's own libav says at its debug level."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.DEBUG)
    try:
        with av.logging.Capture(local=True) as messages, av.open(io.BytesIO(mp4)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            assert list(container.decode(video=0))
    finally:
        av.logging.set_level(level)
    return "\n".join(text for _, _, text in messages)


def complaints(log: str) -> list[str]:
    return re.findall("(?i)frame num gap|missing reference|reference picture missing|error while decoding|co located POCs", log)


@pytest.mark.parametrize("log_of", [binary_log, pyav_log])
def test_no_decoder_sees_a_gap(clip, log_of):
    for window in windows(clip.num_frames, (0, 1, 6), (1, 4, 8)):
        assert complaints(log_of(thinned(clip, window)[1])) == []


@pytest.mark.parametrize("log_of", [binary_log, pyav_log])
def test_a_reference_that_is_missing_would_be_seen(clip, log_of, monkeypatch):
    """What thinning refuses to do, done: the log would tell."""
    monkeypatch.setattr(sys.modules[thin.__module__], "is_reference", lambda _: False)
    mp4 = clip.mp4[: clip.init_size] + thin(fragments_of(clip)[0], {0, 4, 11 if clip.gop == 12 else 12})
    assert "Frame num gap" in complaints(log_of(mp4))


def test_a_reference_in_the_middle_is_never_left_out(clip):
    data = fragments_of(clip)[0]
    with pytest.raises(ContractError, match=r"picture \d+ of a fragment is left out, which picture \d+ may need"):
        thin(data, {0, 8})
    with pytest.raises(ContractError, match="picture 0 of a fragment is left out"):
        thin(data, {4})


def test_what_is_kept_whole_or_not_at_all(clip):
    data = fragments_of(clip)[0]
    assert thin(data, range(clip.gop)) is data
    assert thin(data, ()) == b""


def test_times_flags_and_bytes_stay(clip):
    """The kept pictures have the bytes, the decoding times, the shifts and the flags that they had; the last lasts to the end."""
    data = fragments_of(clip)[1]
    keep = {coded.place for coded in needed(data, {0, 3, 8})}
    less = thin(data, keep)
    before, after = listed(data), listed(less)
    assert len(after) == len(keep) < len(before)
    assert after.items() <= before.items()
    assert decode_time(less) == decode_time(data)
    assert sum(track_run(less).durations) == sum(track_run(data).durations)
    assert thin(less, range(len(keep))) is less


def listed(fragment: bytes) -> Mapping[int, tuple[bytes, int, int]]:
    """Bytes, shift and flags of each picture by its decoding time."""
    run, time, found = track_run(fragment), 0, {}
    for packet, flags in zip(run.packets(), run.flags, strict=True):
        found[time] = (fragment[packet.offset : packet.offset + packet.size], packet.shift, flags)
        time += packet.duration
    return found


def test_a_fragment_of_another_muxer_is_refused(clip):
    """Boxes behind the track run, of which a thinner one would not know what they say."""
    data = fragments_of(clip)[0]
    run, free = track_run(data).box, b"\0\0\0\x08free"
    moof, traf = 0, data.index(b"traf") - 4
    grown = bytearray(data[: run.end] + free + data[run.end :])
    for start in (moof, traf):
        size = int.from_bytes(grown[start : start + 4], "big")
        grown[start : start + 4] = (size + len(free)).to_bytes(4, "big")
    place = run.body + 8
    grown[place : place + 4] = (int.from_bytes(grown[place : place + 4], "big") + len(free)).to_bytes(4, "big")
    assert len(packets(bytes(grown))) == clip.gop
    with pytest.raises(ContractError, match="boxes follow the track run"):
        thin(bytes(grown), {0})


@contextmanager
def named(path: Path) -> Iterator[None]:
    """A failure that names the video."""
    try:
        yield
    except AssertionError as error:
        error.add_note(path.name)
        raise


@pytest.mark.videos
@pytest.mark.parametrize("name", ["action/video4.mp4", "gestures/walk.mkv", "people/one-by-one-person-detection.mp4"])
def test_real_videos_thin_exactly(videos_root, name):
    for clip in clips_of(videos_root / "good" / name)[:2]:
        assert_thins_exactly(clip, windows(clip.num_frames, (0, 1, 7, 14)))


@pytest.mark.slow
@pytest.mark.videos
def test_every_real_video_thins_exactly_at_every_stride_and_phase(videos_root):
    for path in sorted((videos_root / "good").rglob("*.*")):
        with named(path):
            for clip in clips_of(path):
                assert_thins_exactly(clip, windows(clip.num_frames, range(clip.gop)))
                assert complaints(pyav_log(thinned(clip, range(0, clip.num_frames, 4))[1])) == []
