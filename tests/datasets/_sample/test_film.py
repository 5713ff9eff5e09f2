from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np

from vdata.datasets._sample import film
from vdata.datasets._sample.sound import SAMPLE_RATE


def waves(count: int) -> list[np.ndarray]:
    x, y = np.meshgrid(np.arange(96), np.arange(96))
    shades = [128 + 100 * np.sin((x + 2 * y + 3 * t) / 15) for t in range(count)]
    return [(shade[..., None] * (1.0, 0.8, 0.5)).astype(np.uint8) for shade in shades]


def test_frames_rate_and_colour_come_back(tmp_path):
    path, frames = tmp_path / "a.mp4", waves(12)
    film.write(path, frames, (96, 96), 25)
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert container.streams.video[0].average_rate == 25
        decoded = list(container.decode(video=0))
    assert [frame.pts * frame.time_base for frame in decoded] == [Fraction(i, 25) for i in range(12)]
    assert (int(decoded[0].colorspace), int(decoded[0].color_range)) == (6, 1)
    for frame, original in zip(decoded, frames, strict=True):
        assert cv2.PSNR(frame.to_ndarray(format="rgb24"), original) > 38


def test_sound_comes_back_exactly_and_starts_with_the_picture(tmp_path):
    path = tmp_path / "a.mp4"
    samples = (8000 * np.sin(np.arange(3 * SAMPLE_RATE // 2) / 7)).astype(np.int16)
    film.write(path, waves(5), (96, 96), 25, samples)
    with av.open(str(path)) as container:
        assert container.streams.audio[0].start_time == 0
        frames = list(container.decode(audio=0))
    assert frames[0].pts == 0
    assert frames[0].sample_rate == SAMPLE_RATE
    np.testing.assert_array_equal(np.concatenate([frame.to_ndarray()[0] for frame in frames]), samples)


def test_the_same_frames_give_the_same_bytes(tmp_path):
    for name in "ab":
        film.write(tmp_path / f"{name}.mp4", waves(8), (96, 96), 25, np.zeros(500, np.int16))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
