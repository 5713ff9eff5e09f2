"""Parameter sets against PyAV's decoder."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest

from vdata.media.container.described import UnclearError
from vdata.media.container.pictures import mpeg4_picture, only_sps, sps_picture, units_before_slice


@pytest.mark.parametrize("size", [(128, 96), (100, 70), (16, 16), (1000, 562)])
@pytest.mark.parametrize(
    "options", [{}, {"x264-params": "sar=16/11"}, {"x264-params": "sar=7/5:range=pc"}, {"profile": "baseline"}]
)
def test_sps_is_what_the_decoder_says(make_video, size, options):
    with av.open(str(make_video(num_frames=1, size=size, options=options))) as container:
        context = container.streams.video[0].codec_context
        picture = sps_picture(only_sps(context.extradata))
        assert (picture.width, picture.height) == (context.width, context.height) == size
        assert picture.pixel_aspect == (context.sample_aspect_ratio or 1)
        assert not picture.is_hdr


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_is_seen(make_video, transfer):
    with av.open(str(make_video(num_frames=1, options={"x264-params": f"transfer={transfer}"}))) as container:
        assert sps_picture(only_sps(container.streams.video[0].codec_context.extradata)).is_hdr


def test_mpeg4_layer_is_what_the_decoder_says(make_video):
    with av.open(str(make_video("part2.mp4", num_frames=1, size=(150, 98), codec="mpeg4"))) as container:
        picture = mpeg4_picture(container.streams.video[0].codec_context.extradata)
    assert (picture.width, picture.height, picture.pixel_aspect) == (150, 98, Fraction(1))


def test_a_transfer_in_the_stream_is_unclear(make_video):
    """An SEI of type 147 may turn an ordinary stream into HLG."""
    with av.open(str(make_video(num_frames=1))) as container:
        packet = bytes(next(container.demux(video=0)))
    assert [unit[0] & 0x1F for unit in units_before_slice(packet, 4)] == [6]  # x264's words
    sei = bytes([6, 147, 1, 18, 0x80])
    with pytest.raises(UnclearError):
        list(units_before_slice(len(sei).to_bytes(4, "big") + sei + packet, 4))
    with pytest.raises(UnclearError):
        list(units_before_slice(packet[:100], 4))


def test_every_cut_is_unclear_or_as_before(make_video):
    with av.open(str(make_video(num_frames=1))) as container:
        extradata = container.streams.video[0].codec_context.extradata
    whole = sps_picture(only_sps(extradata))
    for size in range(5, len(only_sps(extradata))):
        try:
            assert sps_picture(only_sps(extradata)[:size]) == whole
        except UnclearError:
            continue
