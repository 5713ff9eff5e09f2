"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

REPOSITORY = Path(__file__).parents[1]


def draw_frames(num_frames: int, size: tuple[int, int], velocity: tuple[float, float], seed: int = 0) -> np.ndarray:
    """(T, H, W, 3) uint8: a smooth texture that moves by `velocity` pixels a frame, sampled at subpixel positions."""
    width, height = size
    margin = int(np.ceil(np.abs(velocity).max() * num_frames)) + 16
    rng = np.random.default_rng(seed)
    texture = rng.integers(0, 256, ((height + 2 * margin) // 4, (width + 2 * margin) // 4, 3), dtype=np.uint8)
    texture = cv2.resize(texture, (width + 2 * margin, height + 2 * margin), interpolation=cv2.INTER_CUBIC)
    frames = []
    for t in range(num_frames):
        # dst(x) = src(x + margin - v t): the picture moves right for a positive vx.
        shift = np.array([[1, 0, margin - velocity[0] * t], [0, 1, margin - velocity[1] * t]], np.float32)
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        frames.append(cv2.warpAffine(texture, shift, (width, height), flags=flags))
    return np.stack(frames)


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a moving texture as a video file and returns its path."""

    def make(
        path: Path | str | None = None,
        *,
        num_frames: int = 48,
        size: tuple[int, int] = (128, 96),
        fps: float | Fraction = 25,
        velocity: tuple[float, float] = (2.0, 1.0),
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        options: dict[str, str] | None = None,
        seed: int = 0,
    ) -> Path:
        path = tmp_path / (path or f"video-{len(list(tmp_path.iterdir()))}.mp4")
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
            stream.width, stream.height, stream.pix_fmt = size[0], size[1], pix_fmt
            stream.codec_context.thread_count = 1
            stream.options = {"crf": "16", "preset": "veryfast", **(options or {})} if codec == "libx264" else options or {}
            for array in draw_frames(num_frames, size, velocity, seed):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(array, "rgb24")))
            container.mux(stream.encode())
        return path

    return make


@pytest.fixture(scope="session")
def videos_root() -> Path:
    """The folder of real videos: VDATA_TEST_VIDEOS, or `shared/videos` beside the checkout."""
    root = Path(os.environ.get("VDATA_TEST_VIDEOS", REPOSITORY.parent / "shared" / "videos"))
    if not root.is_dir():
        pytest.skip(f"no real videos at {root}; set VDATA_TEST_VIDEOS")
    return root


@pytest.fixture(autouse=True)
def _restored_random_state():
    """Keeps one test's use of NumPy's global generator from reaching the next."""
    state = np.random.get_state()  # noqa: NPY002 - the global generator is what leaks
    yield
    np.random.set_state(state)  # noqa: NPY002
