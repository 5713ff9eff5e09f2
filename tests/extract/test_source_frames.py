"""The source's frames that a clip shows: read off pictures whose grey level is their number, through ffmpeg itself."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from vdata.extract._source_frames import Clocks, SourceClock
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.records import Video

STEP = 4
"""Grey levels from one frame to the next, so that the number survives the encoder."""
COUNT = 50


def grey(number):
    return np.full((48, 64, 3), 20 + STEP * number, np.uint8)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A video of 50 frames a second apart in grey, at 25 and at 30000/1001 frames a second, and the same as images."""
    root = tmp_path_factory.mktemp("grey")
    for name, rate in (("pal.mp4", Fraction(25)), ("ntsc.mkv", Fraction(30000, 1001))):
        with av.open(str(root / name), "w") as container:
            stream = container.add_stream("libx264", rate=rate)
            stream.width, stream.height, stream.pix_fmt, stream.options = 64, 48, "yuv420p", {"qp": "1"}
            for number in range(COUNT):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(grey(number), "rgb24")))
            container.mux(stream.encode())
    (root / "images").mkdir()
    for number in range(COUNT):
        cv2.imwrite(str(root / f"images/{number:03d}.png"), grey(number))
    return root


VIDEOS = {
    "pal": Video("v", "pal.mp4"),
    "ntsc": Video("v", "ntsc.mkv"),
    "images": Video("v", "images", frames=tuple(f"images/{i:03d}.png" for i in range(COUNT)), frame_rate=Fraction(10)),
}


def clips_of(root, video, fps=None):
    config = ClipConfig(short_side=48, gop=5, seconds=0.4, min_seconds=0.0, crf=1, **({"fps": fps} if fps else {}))
    for clip in cut(root, video, config, LimitConfig()):
        # With its source closed, as `vdata add` has it.
        yield replace(clip, origin=replace(clip.origin, file=None))


def seen(clip):
    """The number of every picture of the clip."""
    with av.open(io.BytesIO(clip.mp4)) as container:
        greys = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    return [round((level - 20) / STEP) for level in greys]


@pytest.mark.parametrize("fps", [None, 12.5, 7, 60])
@pytest.mark.parametrize("start", [0.0, 0.513, 1.0])
@pytest.mark.parametrize("name", VIDEOS)
def test_shown_is_what_the_pictures_show(root, name, start, fps):
    video, clocks, places = replace(VIDEOS[name], start_seconds=start), Clocks(), dict[int, tuple[int, int]]()
    for number, clip in enumerate(clips_of(root, video, fps)):
        clock = clocks.of(clip.origin)
        pictures = seen(clip)
        assert clock.shown(clip).tolist() == pictures
        for frame, picture in enumerate(pictures):
            places.setdefault(picture, (number, frame))
        # Each of the source's frames is of the first frame that shows it, whichever clip that is in.
        expected = [places[k][1] if places.get(k, (-1,))[0] == number else -1 for k in range(COUNT)]
        assert clock.showing(clip, np.arange(COUNT)).tolist() == expected
    assert number >= 2 or start or fps


def test_frames_by_their_time():
    clock = SourceClock(Fraction(30000, 1001), 100)
    assert clock.at(np.arange(100) * 1001 / 30000).tolist() == list(range(100))
    odd = np.array([-1e300, -0.02, -0.01, 0.016, 0.017, 1e300, np.inf, np.nan])
    assert clock.at(odd).tolist() == [-1, -1, 0, 0, 1, 100, 100, -1]


def test_a_span_counts_the_container_s_time_and_a_whole_video_its_own(root, tmp_path):
    """The picture begins 0.28 s behind the container's start, where its sound is."""
    late = tmp_path / "late.mkv"
    with av.open(str(root / "pal.mp4")) as source, av.open(str(late), "w") as target:
        video = target.add_stream_from_template(source.streams.video[0])
        sound = target.add_stream("pcm_s16le", rate=8000, layout="mono")
        for start in range(0, 16000, 4000):
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 4000), np.int16), "s16", "mono")
            samples.sample_rate, samples.pts = 8000, start
            target.mux(sound.encode(samples))
        for packet in source.demux(video=0):
            if packet.size:
                shift = round(0.28 / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, video
                target.mux(packet)
    whole, span = (next(clips_of(tmp_path, Video("v", late.name, start_seconds=start))) for start in (0.0, 0.5))
    assert SourceClock.of(whole.origin).at(np.array([0.0, 0.2])).tolist() == [0, 5]
    clock = SourceClock.of(span.origin)
    assert clock.shown(span).tolist() == seen(span)
    assert seen(span)[0] == 6
    assert clock.at(np.array([0.28, 0.48])).tolist() == [0, 5]


def test_a_clock_is_asked_for_once_a_video(root, monkeypatch):
    asked = []
    of = SourceClock.of
    monkeypatch.setattr(SourceClock, "of", lambda origin: asked.append(origin.video.video_id) or of(origin))
    clocks = Clocks()
    for video in (VIDEOS["pal"], replace(VIDEOS["ntsc"], video_id="w")):
        for clip in clips_of(root, video):
            clocks.of(clip.origin)
    assert asked == ["v", "w"]
