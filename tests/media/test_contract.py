import dataclasses
import subprocess

import pytest

from vdata.errors import ContractError
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.contract import check_clip
from vdata.media.cut import cut
from vdata.media.ffmpeg import binary
from vdata.media.mp4 import boxes, packets
from vdata.media.structure import STRUCTURES
from vdata.records import Fragment, Video


@pytest.fixture
def clip(make_video):
    path = make_video(num_frames=30)
    return next(cut(path.parent, Video("x", path.name), ClipConfig(short_side=96, gop=12), LimitConfig()))


def test_our_own_clip_holds(clip):
    check_clip(clip)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda clip: {"num_frames": clip.num_frames + 1}, "frame_types"),
        (lambda clip: {"gop": 10}, "layout"),
        (lambda clip: {"width": clip.width + 16}, "picture_format"),
        (lambda clip: {"fragments": clip.fragments[:-1]}, "layout"),
        (lambda clip: {"fragments": (clip.fragments[0], Fragment(12, clip.fragments[1].offset + 1, 9))}, "layout"),
        (lambda clip: {"mp4": clip.mp4 + b"\0"}, "layout"),
        (lambda clip: {"fps": clip.fps * 2}, "times"),
    ],
)
def test_each_broken_rule_is_named(clip, change, reason):
    with pytest.raises(ContractError) as caught:
        check_clip(dataclasses.replace(clip, **change(clip)))
    assert caught.value.reason == reason


def test_a_clip_that_starts_late_is_refused(clip):
    """The second half of a clip, with its times as they were."""
    second = clip.fragments[1]
    data = clip.mp4[second.offset :]
    fragments = tuple(Fragment(f.first_frame - 12, f.offset - second.offset + clip.init_size, f.size) for f in clip.fragments[1:])
    late = dataclasses.replace(clip, mp4=clip.mp4[: clip.init_size] + data, fragments=fragments, num_frames=18)
    with pytest.raises(ContractError, match="fragment 0 of frame 0 starts at 6144 ticks, not at 0"):
        check_clip(late)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"x264-params": "ref=4:bframes=0:keyint=12:min-keyint=12:scenecut=0"}, "references"),
        ({"x264-params": "ref=1:bframes=0:keyint=12:min-keyint=12:scenecut=0:sar=4/3"}, "pixel aspect"),
        ({"x264-params": "ref=1:bframes=0:keyint=12:min-keyint=12:scenecut=0", "profile": "main"}, "profile"),
    ],
)
def test_another_encoder_s_stream_is_refused(clip, make_video, options, words):
    """Streams of the right layout and types, whose parameter sets break one rule each, and the colour tags with it."""
    path = make_video(num_frames=30, options=options)
    with pytest.raises(ContractError, match=words) as caught:
        check_clip(in_place_of(clip, tmp_fragmented(path)))
    assert caught.value.reason == "picture_format"


@pytest.fixture
def layered(make_video):
    """22 frames in three layers."""
    path = make_video(num_frames=22)
    return next(cut(path.parent, Video("x", path.name), ClipConfig(short_side=96, layers=3), LimitConfig()))


def test_our_own_three_layers_hold(layered):
    check_clip(layered)
    assert layered.decoded.types == "IBBBPBBBPBBBPBBPIBBBPP"
    check_clip(dataclasses.replace(layered, p_only=b""))


OURS = "keyint=16:min-keyint=16:scenecut=0:open-gop=0:ref=1:weightp=0:b-adapt=0:bframes=3:b-pyramid=none:colormatrix=smpte170m"


def structured(layered, make_video, params):
    """A stream of x264's in the same layout, tagged as ours; what is said later counts."""
    options = {"x264-params": f"{OURS}:range=tv:{params}", "profile": "high"}
    return in_place_of(layered, tmp_fragmented(make_video(num_frames=22, options=options), layers=3))


def test_another_encode_of_the_same_structure_holds(layered, make_video):
    check_clip(structured(layered, make_video, "crf=30"))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ("b-pyramid=strict", "times: frame 1 "),
        ("b-pyramid=normal", "times: frame 1 "),
        ("bframes=2", "times: frame 4 "),
        ("bframes=0", "times: frame 4 "),
        ("keyint=12:min-keyint=12", "times: fragment 1 of frame 16"),
        ("open-gop=1", "times: fragment 1 of frame 16"),
        ("ref=3", r"Fraction\(1, 1\), 3\), not"),
    ],
)
def test_another_structure_is_refused(layered, make_video, params, words):
    with pytest.raises(ContractError, match=words):
        check_clip(structured(layered, make_video, params))


def test_a_b_picture_that_others_may_need_is_refused(layered):
    """One bit: the first B says that it is a reference."""
    data, fragment = bytearray(layered.mp4), layered.fragments[0]
    packet = packets(layered.mp4[fragment.offset : fragment.offset + fragment.size])[2]
    header = fragment.offset + packet.offset + 4
    assert data[header] == 0x01
    data[header] |= 0x20
    with pytest.raises(ContractError, match="may be a reference of others"):
        check_clip(dataclasses.replace(layered, mp4=bytes(data)))


def test_pictures_that_are_all_shown_too_late_are_refused(layered):
    """With empty_moov there is no edit list that takes off what the B's delay."""
    arguments = ["-v", "error", "-i", "pipe:", "-c", "copy", "-movflags", STRUCTURES[1].movflags, "-f", "mp4", "-"]
    late = subprocess.run([binary(), *arguments], input=layered.mp4, stdout=subprocess.PIPE, check=True).stdout
    with pytest.raises(ContractError) as caught:
        check_clip(in_place_of(layered, late))
    assert caught.value.reason == "times"


def test_a_stream_for_motion_that_is_not_p_only_is_refused(layered):
    with pytest.raises(ContractError, match="the stream for motion is IBBBP"):
        check_clip(dataclasses.replace(layered, p_only=layered.mp4))


def in_place_of(clip, mp4):
    """The clip with another stream: its fragments where they lie, a GOP each."""
    found = spans(mp4)
    fragments = tuple(Fragment(clip.gop * k, *span) for k, span in enumerate(found))
    return dataclasses.replace(clip, mp4=mp4, init_size=found[0][0], fragments=fragments)


def tmp_fragmented(path, layers=1):
    """The file's packets in our muxer's layout, not encoded again."""
    arguments = ["-v", "error", "-i", path, "-c", "copy", "-movflags", STRUCTURES[layers].movflags, "-f", "mp4", "-"]
    return subprocess.run([binary(), *map(str, arguments)], stdout=subprocess.PIPE, check=True).stdout


def spans(data):
    found = list(boxes(data))
    starts = [box.start for box in found if box.kind == b"moof"]
    return [(start, end - start) for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]
