"""A texture that moves at one known speed: the plainest video for a test of motion vectors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vdata.datasets._sample import film

__all__ = ["pan_video"]

_NUM_WAVES = 64
_WAVELENGTHS = (7.0, 60.0)
"""Of the plane waves whose sum is the texture. Pixels."""


def pan_video(
    path: Path,
    velocity: tuple[float, float] = (2.0, 1.0),
    num_frames: int = 48,
    size: tuple[int, int] = (128, 96),
    fps: int = 25,
) -> None:
    """Nothing; writes a video whose whole picture moves by `velocity` = (dx, dy) pixels a frame: right and down are positive.

    The texture is a sum of plane waves, so it has a value at any fraction of a pixel and no edge: the motion is exact in
    every frame, without interpolation, noise or sprite. `size` is (width, height).
    """
    film.write(path, _frames(velocity, num_frames, size), size, fps)


def _frames(velocity: tuple[float, float], num_frames: int, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    wave = 2 * np.pi / np.exp(rng.uniform(np.log(_WAVELENGTHS[0]), np.log(_WAVELENGTHS[1]), size=_NUM_WAVES))
    angle = rng.uniform(0, 2 * np.pi, size=_NUM_WAVES)
    along_x, along_y = wave * np.cos(angle), wave * np.sin(angle)
    colour = np.exp(2j * np.pi * rng.uniform(size=(3, _NUM_WAVES)))
    # exp(i (kx x + ky y)) is a product of a row and a column: a matrix product in place of a cosine for every pixel and wave.
    columns = np.exp(1j * np.outer(np.arange(size[0]), along_x))
    rows = np.exp(1j * np.outer(np.arange(size[1]), along_y))
    contrast = 45 / np.sqrt(_NUM_WAVES / 2)
    for t in range(num_frames):
        moved = np.exp(-1j * t * (velocity[0] * along_x + velocity[1] * along_y))
        planes = [((rows * (moved * tint)) @ columns.T).real for tint in colour]
        yield np.clip(np.rint(128 + contrast * np.stack(planes, axis=-1)), 0, 255).astype(np.uint8)
