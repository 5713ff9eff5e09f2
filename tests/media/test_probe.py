import subprocess
from fractions import Fraction

import av
import numpy as np
import pytest

from vdata.errors import OpenError
from vdata.media.config import LimitConfig
from vdata.media.ffmpeg import binary
from vdata.media.probe import average_rate, probe
from vdata.media.source import open_source


def probed(path, limits):
    with open_source(path.parent, path.name) as file:
        return probe(file, limits)


def test_probe_agrees_with_pyav_on_real_videos(videos_root):
    for path in sorted((videos_root / "good").rglob("*.*")):
        source = probed(path, LimitConfig())
        with av.open(str(path), metadata_errors="replace") as container:
            stream = container.streams.video[0]
            assert source.num_packets == sum(packet.size > 0 for packet in container.demux(stream)), path.name
            assert source.codec == stream.codec_context.codec.canonical_name, path.name
            assert bool(source.audio_codecs) == bool(container.streams.audio), path.name
            assert {source.width, source.height} == {stream.width, stream.height}, path.name


@pytest.mark.parametrize(
    ("name", "fps"),
    [
        ("action/test.avi", Fraction(25)),
        ("oddities/mpeg2.mpg", Fraction(30000, 1001)),
        ("oddities/sample.flv", Fraction(30)),  # the container claims 1000
        ("gestures/bird.mkv", Fraction(30)),  # times are milliseconds
        ("people/car-detection.mp4", Fraction(25, 2)),
        ("oddities/xvid_packed_like_ucf.avi", Fraction(28)),  # packed B-frames, hardly a pts
    ],
)
def test_rates_of_real_videos(videos_root, name, fps):
    assert probed(videos_root / "good" / name, LimitConfig()).fps == fps


@pytest.mark.parametrize(("name", "size"), [("video_90.mov", (320, 568)), ("video_180.mov", (568, 320))])
def test_rotation_is_applied_to_the_size(videos_root, name, size):
    source = probed(videos_root / "good/oddities" / name, LimitConfig())
    assert (source.width, source.height) == size


def test_pixel_aspect_reaches_the_display_aspect(videos_root):
    assert probed(videos_root / "good/oddities/video_desks.3gp", LimitConfig()).aspect == Fraction(352, 288) * Fraction(12, 11)


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(25, 2), Fraction(15)])
@pytest.mark.parametrize("num_frames", [2, 50, 300, 200_000])
def test_a_constant_rate_survives_millisecond_times(fps, num_frames):
    times = [round(frame / fps * 1000) for frame in range(num_frames)]
    rate = average_rate(times, Fraction(1, 1000))
    # No frame may fall half a frame or more from its place: that is where a filter drops or doubles it.
    places = np.array(times) / 1000 * float(rate)
    assert np.abs(places - np.arange(num_frames)).max() < 0.5
    assert num_frames < 50 or rate == fps


def test_an_uneven_rate_is_its_average():
    assert average_rate([0, 100, 500, 700], Fraction(1, 1000)) == Fraction(30, 7)


@pytest.mark.parametrize("tick", [Fraction(1, 25), Fraction(1, 12800), Fraction(1, 1000)])
def test_a_gap_in_an_even_stream_leaves_its_rate(tick):
    times = [int(frame / 25 / tick) for frame in range(60) if frame not in (1, 30, 31)]
    assert average_rate(times, tick) == 25


def test_rates_stay_within_what_a_clip_may_have():
    assert average_rate([0, 1, 2, 3], Fraction(1, 1000)) == 240
    assert average_rate([0, 10**9], Fraction(1, 1000)) == Fraction(1, 1000)


def test_one_frame_gets_25():
    assert average_rate([3], Fraction(1, 1000)) == 25


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("audio_only.mp4", "no_video_stream"),
        ("zero_bytes.mp4", "empty"),
        ("text_renamed.mp4", "not_video"),
        ("truncated_no_moov.mp4", "truncated"),
        ("sample_fragmented_clearkey.mp4", "not_video"),
    ],
)
def test_files_that_are_no_video(videos_root, name, reason):
    with pytest.raises(OpenError) as caught:
        probed(videos_root / "bad" / name, LimitConfig())
    assert caught.value.reason == reason
    assert name in caught.value.message
    assert reason == "empty" or caught.value.tail


def test_limits_of_size_and_duration(make_video):
    path = make_video(num_frames=50)
    with pytest.raises(OpenError, match=r"too_large: frames of 128x96 exceed limit.max_pixels \(1000\)"):
        probed(path, LimitConfig(max_pixels=1000))
    with pytest.raises(OpenError, match=r"too_long: .* 2 s exceeds limit.max_seconds \(1\)"):
        probed(path, LimitConfig(max_seconds=1))


def test_hdr_is_refused(make_video):
    path = make_video(options={"x264-params": "transfer=smpte2084:colorprim=bt2020:colormatrix=bt2020nc"})
    with pytest.raises(OpenError, match="hdr"):
        probed(path, LimitConfig())


def test_a_playlist_opens_nothing_else(tmp_path, make_video):
    """A relative entry, which ffmpeg's concat would open if it could open anything at all."""
    make_video("other.mp4")
    playlist = tmp_path / "playlist.mp4"
    playlist.write_text("ffconcat version 1.0\nfile 'other.mp4'\n")
    with pytest.raises(OpenError):
        probed(playlist, LimitConfig())
    streamed = tmp_path / "playlist2.mp4"
    streamed.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nother.mp4\n#EXT-X-ENDLIST\n")
    with pytest.raises(OpenError):
        probed(streamed, LimitConfig())


def test_words_in_names_and_metadata_mean_nothing(tmp_path, make_video):
    source = make_video(num_frames=10)
    path = tmp_path / "arib-std-b67 smpte2084 rotation of 90 degrees.mkv"
    comment = "comment=rotation of 90.00 degrees, smpte2084"
    # Copied by a plain ffmpeg, which writes the comment into container and stream.
    command = [binary(), "-v", "error", "-i", source, "-c", "copy", "-metadata", comment, "-metadata:s:v", comment, path]
    subprocess.run(command, check=True)
    found = probed(path, LimitConfig())
    assert (found.width, found.height, found.is_hdr) == (128, 96, False)


def test_times_far_apart_are_a_refusal(tmp_path):
    """Two frames with 50,000 seconds between them, as damaged times give."""
    path = tmp_path / "gap.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for pts in (0, 50_000_000):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
            frame.pts, frame.time_base = pts, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(OpenError, match="too_long"):
        probed(path, LimitConfig())
