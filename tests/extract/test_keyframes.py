"""Keyframes: every byte range is one IDR picture that decodes by itself, and every JPEG is that picture."""

from __future__ import annotations

import io

import av
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from vdata.errors import ConfigError
from vdata.extract import EXTRACTORS
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.media.mp4 import avc_config
from vdata.records import Video


def clip_of(path, **settings):
    (clip,) = cut(path.parent, Video("v", path.name), ClipConfig(**{"short_side": 96, "gop": 8, **settings}), LimitConfig())
    return clip


def extract(clip, **settings):
    """The extractor, its members, and its columns through their declared Arrow types and back, as a row travels."""
    extractor = EXTRACTORS["keyframes"](EXTRACTORS["keyframes"].Config(**settings))
    found = extractor(clip)
    types = {column.name: column.type for column in extractor.columns}
    assert types.keys() == found.columns.keys()
    columns = {name: pa.array([value], types[name]).to_pylist()[0] for name, value in found.columns.items()}
    return extractor, dict(found.members), columns


def whole(clip):
    with av.open(io.BytesIO(clip.mp4)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def psnr(found, wanted):
    """Of the luma (BT.601): of the chroma both have a sample for four pixels, and decoders spread it each in its own way."""
    return 10 * np.log10(255**2 / np.mean(((found.astype(float) - wanted) @ [0.299, 0.587, 0.114]) ** 2))


def test_a_keyframe_decodes_from_its_bytes_alone(make_video):
    clip = clip_of(make_video(num_frames=30))
    extractor, members, columns = extract(clip)
    assert extractor.fields == ()
    assert members == {}
    assert [keyframe["frame"] for keyframe in columns["keyframes"]] == [0, 8, 16, 24]
    for keyframe in columns["keyframes"]:
        decoder = av.CodecContext.create("h264", "r")
        decoder.extradata = avc_config(clip.mp4[: clip.init_size])
        packet = av.Packet(clip.mp4[keyframe["offset"] : keyframe["offset"] + keyframe["size"]])
        (picture,) = decoder.decode(packet) + decoder.decode(None)
        assert np.array_equal(picture.to_ndarray(format="rgb24"), whole(clip)[keyframe["frame"]])


def test_jpegs_lie_one_behind_the_other_and_show_the_keyframes(make_video):
    # 128x96 is brought to a picture of 86x64 on a larger canvas: the JPEGs show the picture alone.
    clip = clip_of(make_video(num_frames=30), short_side=64)
    extractor, members, columns = extract(clip, form="jpeg")
    (field,) = extractor.fields
    stream, ranges = members[field.ext], columns["keyframe_jpegs"]
    assert columns["keyframes"] == extract(clip)[2]["keyframes"]
    ends = [item["offset"] + item["size"] for item in ranges]
    assert [item["offset"] for item in ranges] == [0, *ends[:-1]]
    assert ends[-1] == len(stream)
    box = clip.picture
    assert (clip.width, clip.height) != (box.width, box.height)
    for item, keyframe in zip(ranges, columns["keyframes"], strict=True):
        jpeg = Image.open(io.BytesIO(stream[item["offset"] : item["offset"] + item["size"]]))
        assert (jpeg.format, jpeg.mode) == ("JPEG", "RGB")
        wanted = whole(clip)[keyframe["frame"]][: box.height, : box.width]
        assert np.asarray(jpeg).shape == wanted.shape
        assert psnr(np.asarray(jpeg), wanted) > 38
        # Red and blue are where they were.
        assert psnr(np.asarray(jpeg)[..., ::-1], wanted) < 30


def test_the_member_is_a_motion_jpeg_stream(make_video):
    clip = clip_of(make_video(num_frames=30))
    _, members, columns = extract(clip, form="jpeg")
    stream = members["keyframes.mjpeg"]
    first = np.asarray(Image.open(io.BytesIO(stream)))
    with av.open(io.BytesIO(stream), format="mjpeg") as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(shown) == len(columns["keyframe_jpegs"]) == 4
    for picture, number in zip(shown, (0, 8, 16, 24), strict=True):
        assert psnr(picture, whole(clip)[number][: clip.picture.height, : clip.picture.width]) > 38
    assert psnr(shown[0], first) > 45


def test_quality_decides_the_size_and_equal_clips_give_equal_bytes(make_video):
    clip = clip_of(make_video(num_frames=20))
    best, good, poor = (extract(clip, form="jpeg", quality=quality)[1]["keyframes.mjpeg"] for quality in (100, 90, 30))
    assert len(best) > 1.5 * len(good) > 3 * len(poor)
    assert extract(clip, form="jpeg")[1]["keyframes.mjpeg"] == good


@pytest.mark.parametrize("settings", [{"form": "png"}, {"quality": 0}, {"quality": 101}])
def test_a_setting_that_breaks_its_rule_is_refused(settings):
    (name,) = settings
    with pytest.raises(ConfigError, match=f"keyframes.{name}"):
        EXTRACTORS["keyframes"].Config(**settings)


@pytest.mark.videos
@pytest.mark.parametrize(("name", "decibel"), [("people/vid_h264.mp4", 38), ("action/video4.mp4", 42)])
def test_jpegs_of_real_videos(videos_root, name, decibel):
    clip = next(iter(cut(videos_root, Video("v", f"good/{name}", end_seconds=2.0), ClipConfig(short_side=96), LimitConfig())))
    _, members, columns = extract(clip, form="jpeg")
    pictures = whole(clip)
    for item, keyframe in zip(columns["keyframe_jpegs"], columns["keyframes"], strict=True):
        jpeg = Image.open(io.BytesIO(members["keyframes.mjpeg"][item["offset"] :]))
        assert psnr(np.asarray(jpeg), pictures[keyframe["frame"]][: clip.picture.height, : clip.picture.width]) > decibel
