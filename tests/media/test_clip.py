"""The pictures that extractors see are those of an independent decoder."""

import io
from dataclasses import replace

import av
import numpy as np
import pytest

from vdata.errors import DecodeError
from vdata.media.clip import EncodedClip
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.media.origin import Origin
from vdata.media.structure import STRUCTURES
from vdata.records import Video
from vdata.shards.schema import clip_columns


@pytest.fixture(params=[{"gop": 6}, {"gop": 12, "layers": 3}], ids=["one layer", "three layers"])
def clip(request, make_video):
    path = make_video("a.mp4", num_frames=40, size=(98, 64))
    return next(cut(path.parent, Video("a", "a.mp4"), ClipConfig(seconds=1.0, short_side=64, **request.param), LimitConfig()))


@pytest.fixture
def reference(clip):
    with av.open(io.BytesIO(clip.mp4)) as container:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    return frames[:, : clip.picture.height, : clip.picture.width]


@pytest.mark.parametrize("frames", [(0,), (0, 12), (0, 6, 12), (12, 0), (5,), (0, 5, 6), range(24), (3, 3)])
def test_pictures_by_their_numbers(clip, reference, frames):
    assert np.array_equal(clip.pictures(frames), reference[list(frames)])


def test_no_frames_are_no_pictures(clip):
    assert clip.pictures(()).shape == (0, clip.picture.height, clip.picture.width, 3)


def test_who_asks_again_gets_the_same_and_may_not_change_it(clip):
    pictures = clip.pictures((0, 6))
    assert clip.pictures([0, 6]) is pictures
    with pytest.raises(ValueError, match="read-only"):
        pictures[0, 0, 0] = 0


def test_the_clip_s_own_pictures_and_its_motion_may_come_from_two_streams(clip):
    assert clip.decoded.types == STRUCTURES[1 if clip.gop == 6 else 3].types(24, clip.gop)
    assert clip.motion.types == STRUCTURES[1].types(24, clip.gop)
    assert (clip.decoded is clip.motion) == (clip.gop == 6)


def test_a_stream_for_motion_of_another_length_is_refused(clip):
    shorter = clip.mp4[: clip.fragments[-1].offset]
    with pytest.raises(DecodeError, match=f"the P-only encode has {24 - clip.gop} frames, the clip 24"):
        _ = replace(clip, structure="ibbbp", p_only=shorter).motion


def test_a_frame_that_is_not_there_is_told(clip):
    with pytest.raises(DecodeError, match="frame 99"):
        clip.pictures((0, 99))


def test_a_row_without_pictures_is_an_empty_clip_that_goes_with_the_rows_columns():
    row = EncodedClip.without_pictures(Origin(None, Video("d", "d.txt", medium="text")))
    assert (row.has_pictures, row.num_frames, row.codec, row.fragments) == (False, 0, "", ())
    columns = clip_columns(row)
    assert (columns["codec"], columns["fps_num"], columns["fragments"]) == ("", 0, [])
    assert None not in columns.values()
