"""Keyframes: every byte range is one IDR picture that decodes by itself."""

from __future__ import annotations

import io

import av
import numpy as np
import pyarrow as pa

from vdata.extract import EXTRACTORS
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.media.mp4 import avc_config
from vdata.records import Video


def test_a_keyframe_decodes_from_its_bytes_alone(make_video):
    path = make_video(num_frames=30)
    (clip,) = cut(path.parent, Video("v", path.name), ClipConfig(short_side=96, gop=8), LimitConfig())
    extractor = EXTRACTORS["keyframes"](EXTRACTORS["keyframes"].Config())
    found = extractor(clip)
    assert extractor.fields == ()
    assert dict(found.members) == {}
    (column,) = extractor.columns
    assert column.name == "keyframes"
    # Through the declared Arrow type and back, as a row travels.
    keyframes = pa.array([found.columns["keyframes"]], column.type).to_pylist()[0]
    assert [keyframe["frame"] for keyframe in keyframes] == [0, 8, 16, 24]
    with av.open(io.BytesIO(clip.mp4)) as container:
        whole = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for keyframe in keyframes:
        decoder = av.CodecContext.create("h264", "r")
        decoder.extradata = avc_config(clip.mp4[: clip.init_size])
        packet = av.Packet(clip.mp4[keyframe["offset"] : keyframe["offset"] + keyframe["size"]])
        (picture,) = decoder.decode(packet) + decoder.decode(None)
        assert np.array_equal(picture.to_ndarray(format="rgb24"), whole[keyframe["frame"]])
