from __future__ import annotations

import itertools

import av
import cv2
import numpy as np
import pytest

from vdata.datasets._sample.pan import pan_video


@pytest.mark.parametrize(
    "velocity", [(2.0, 1.0), (-3.0, 0.0), (0.0, 2.5), (0.5, -0.25), (-1.75, 1.5), (0.0, -4.0), (4.0, 0.0), (-0.6, -2.3)]
)
def test_lucas_kanade_finds_the_velocity(tmp_path, velocity):
    path = tmp_path / "pan.mp4"
    pan_video(path, velocity=velocity, num_frames=6)
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert len(frames) == 6
    assert frames[0].shape == (96, 128)
    places = np.stack(np.meshgrid(np.arange(16, 112, 8), np.arange(16, 80, 8)), axis=-1).reshape(-1, 1, 2).astype(np.float32)
    flows = [cv2.calcOpticalFlowPyrLK(before, after, places, None)[0] - places for before, after in itertools.pairwise(frames)]
    np.testing.assert_allclose(np.median(flows, axis=(1, 2)).mean(axis=0), velocity, atol=0.06)


def test_a_whole_pixel_pan_is_a_copy(tmp_path):
    path = tmp_path / "pan.mp4"
    pan_video(path, velocity=(3.0, -2.0), num_frames=3)
    with av.open(str(path)) as container:
        first, second, _ = (frame.to_ndarray(format="gray").astype(int) for frame in container.decode(video=0))
    assert np.abs(second[:-2, 3:] - first[2:, :-3]).mean() < 2
