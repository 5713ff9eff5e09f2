import dataclasses

import pytest

from vdata.errors import ContractError
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.contract import check_clip
from vdata.media.cut import cut
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
    with pytest.raises(ContractError, match="does not start at time 0"):
        check_clip(late)
