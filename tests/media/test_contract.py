import dataclasses
import subprocess

import pytest

from vdata.errors import ContractError
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.contract import check_clip
from vdata.media.cut import cut
from vdata.media.ffmpeg import binary
from vdata.media.mp4 import boxes
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
    other = tmp_fragmented(path)
    first = other.index(b"moof") - 4
    fragments = tuple(Fragment(12 * k, *span) for k, span in enumerate(spans(other)))
    changed = dataclasses.replace(clip, mp4=other, init_size=first, fragments=fragments)
    with pytest.raises(ContractError, match=words) as caught:
        check_clip(changed)
    assert caught.value.reason == "picture_format"


def tmp_fragmented(path):
    """The file's packets in our muxer's layout, not encoded again."""
    arguments = ["-v", "error", "-i", path, "-c", "copy", "-movflags", STRUCTURES[1].movflags, "-f", "mp4", "-"]
    return subprocess.run([binary(), *map(str, arguments)], stdout=subprocess.PIPE, check=True).stdout


def spans(data):
    found = list(boxes(data))
    starts = [box.start for box in found if box.kind == b"moof"]
    return [(start, end - start) for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]
