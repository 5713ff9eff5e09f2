"""The P-only encode of a stored clip: its frames, its GOPs, and the motion that is in them."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from vdata.errors import DecodeError
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.contract import check_clip
from vdata.media.cut import cut
from vdata.media.encoder import encode_p_only, output_options
from vdata.media.structure import STRUCTURES
from vdata.records import Video

CONFIG = ClipConfig(short_side=96, layers=3, gop=8)


@pytest.fixture
def clip(make_video):
    path = make_video(num_frames=29, size=(150, 98), velocity=(4.0, 0.0))
    return next(cut(path.parent, Video("v", path.name), CONFIG, LimitConfig(), with_motion=False))


def decoded(mp4):
    with av.open(io.BytesIO(mp4)) as container:
        frames = list(container.decode(video=0))
    return "".join("?IPB"[frame.pict_type] for frame in frames), [frame.to_ndarray(format="gray") for frame in frames]


def test_it_has_the_clip_s_frames_in_one_layer(clip):
    types, frames = decoded(encode_p_only(clip.mp4, ClipConfig(gop=8, crf=8), clip.fps, LimitConfig()))
    assert types == STRUCTURES[1].types(29, 8)
    for theirs, ours in zip(decoded(clip.mp4)[1], frames, strict=True):
        assert cv2.PSNR(theirs, ours) > 40


def test_the_same_clip_gives_the_same_bytes(clip):
    first, second = (encode_p_only(clip.mp4, ClipConfig(gop=8), clip.fps, LimitConfig()) for _ in range(2))
    assert first == second


def test_a_clip_that_is_damaged_is_told(clip):
    damaged = bytearray(clip.mp4)
    damaged[clip.init_size + 900 : clip.init_size + 1500] = bytes(600)
    with pytest.raises(DecodeError, match="does not decode for its motion"):
        encode_p_only(bytes(damaged), ClipConfig(gop=8), clip.fps, LimitConfig())


@pytest.mark.parametrize("layers", STRUCTURES)
def test_every_option_that_the_structure_rests_on_is_said(layers):
    options = output_options(STRUCTURES[layers], ClipConfig(layers=layers), Fraction(25))
    x264 = dict(pair.split("=") for pair in options["x264-params"].split(":"))
    assert x264["bframes"] == str({1: 0, 3: 3}[layers])
    assert (options["refs"], options["sc_threshold"], x264["open-gop"]) == (1, 0, "0")
    assert options["g"] == options["keyint_min"] == {1: 12, 3: 16}[layers]
    if layers == 3:
        assert (x264["b-adapt"], x264["b-pyramid"], x264["weightp"]) == ("0", "none", "0")


def test_motion_of_the_pan_is_in_it(clip):
    """dx = 4: libavcodec's own sign is the other one."""
    rows = clip.motion.vectors
    assert clip.p_only == b""
    assert abs(np.median(rows["motion_x"]) / 4 + 4) <= 0.5
    assert abs(np.median(rows["motion_y"]) / 4) <= 0.5


@pytest.mark.parametrize("preset", ["ultrafast", "veryfast", "medium"])
@pytest.mark.parametrize("layers", [1, 3])
def test_every_preset_keeps_the_contract(make_video, preset, layers):
    path = make_video(num_frames=20, size=(150, 98))
    config = ClipConfig(short_side=96, layers=layers, preset=preset, fastdecode=False)
    check_clip(next(cut(path.parent, Video("v", path.name), config, LimitConfig(), with_motion=False)))
