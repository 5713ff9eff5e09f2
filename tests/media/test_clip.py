"""The pictures that extractors see are those of an independent decoder."""

import io

import av
import numpy as np
import pytest

from vdata.errors import DecodeError
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.records import Video


@pytest.fixture
def clip(make_video):
    path = make_video("a.mp4", num_frames=40, size=(98, 64))
    return next(cut(path.parent, Video("a", "a.mp4"), ClipConfig(seconds=1.0, short_side=64, gop=6), LimitConfig()))


@pytest.fixture
def reference(clip):
    with av.open(io.BytesIO(clip.mp4)) as container:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    return frames[:, : clip.picture.height, : clip.picture.width]


@pytest.mark.parametrize("frames", [(0,), (0, 6, 12), (12, 0), (5,), (0, 5, 6), range(24), (3, 3)])
def test_pictures_by_their_numbers(clip, reference, frames):
    assert np.array_equal(clip.pictures(frames), reference[list(frames)])


def test_no_frames_are_no_pictures(clip):
    assert clip.pictures(()).shape == (0, clip.picture.height, clip.picture.width, 3)


def test_who_asks_again_gets_the_same_and_may_not_change_it(clip):
    pictures = clip.pictures((0, 6))
    assert clip.pictures([0, 6]) is pictures
    with pytest.raises(ValueError, match="read-only"):
        pictures[0, 0, 0] = 0


def test_a_frame_that_is_not_there_is_told(clip):
    with pytest.raises(DecodeError, match="frame 99"):
        clip.pictures((0, 99))
