"""Where the main sprite is and where the camera looks, in every frame, by closed formulas.

Coordinates are continuous pixels of the picture: pixel i covers [i, i + 1). Every value is a multiple of 1/32 pixel: that is
the step of OpenCV's integer interpolation, so the picture shows exactly what is said here, and the last bit of a
processor's sine reaches neither a file nor the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOTIONS", "RADIUS_PIXELS", "Camera", "Trajectory"]

MOTIONS = ("still", "horizontal", "vertical", "circle", "shake", "pulse")
"""The classes. A horizontal flip and a time reversal map each onto itself, because all phases are drawn uniformly."""

RADIUS_PIXELS = (8.0, 14.0)
"""Smallest and largest radius of any sprite."""

_RATES = {
    "still": (0.0, 0.0, 0.0),
    "horizontal": (1.0, 0.0, 0.0),
    "vertical": (0.0, 1.0, 0.0),
    "circle": (1.0, 1.0, 0.0),
    "shake": (1.5, 2.5, 0.0),
    "pulse": (0.0, 0.0, 1.0),
}
"""Turns of x, y and radius in one period."""


@dataclass(frozen=True, slots=True)
class Trajectory:
    """x, y and radius as three sine waves; the class says which of them advance.

    A wave that does not advance stays at its drawn phase. So x, y and radius have the same distribution in any one frame
    whatever the class and the speed, and only their change over time tells them apart.
    """

    motion: str
    period: float
    """Frames of one turn at rate 1."""
    centre: tuple[float, float]
    """The waves' middle. Pixels."""
    amplitude: float
    """Of x and y. Pixels."""
    swing: float
    """Amplitude of the radius. Pixels."""
    phases: tuple[float, float, float]
    """Of x, y and radius in frame 0. Turns."""

    def __call__(self, num_frames: int) -> NDArray[np.float64]:
        """x, y and radius of every frame, (T, 3), pixels."""
        turns = np.asarray(self.phases) + np.outer(np.arange(num_frames) / self.period, _RATES[self.motion])
        middle = (*self.centre, sum(RADIUS_PIXELS) / 2)
        return _rounded(middle + np.array([self.amplitude, self.amplitude, self.swing]) * np.sin(2 * np.pi * turns))

    def turns(self, seconds: NDArray[np.float64], fps: int) -> NDArray[np.float64]:
        """The phase that the sound keeps time with, in turns: that of the first wave that advances; constant for `still`."""
        moving = next((axis for axis, rate in enumerate(_RATES[self.motion]) if rate), 0)
        return self.phases[moving] + seconds * fps / self.period * _RATES[self.motion][moving]


@dataclass(frozen=True, slots=True)
class Camera:
    """The view onto the plane that the scene's tile, mirrored at its edges, fills without end. Sprites do not follow it."""

    kind: str
    """`none`, `pan` or `zoom`."""
    origin: tuple[float, float]
    """The point of the tile that the picture's centre shows in the middle of the video. Pixels of the tile."""
    velocity: tuple[float, float] = (0.0, 0.0)
    """Of the scene in the picture. Pixels a frame."""
    zoom: float = 0.0
    """Growth of the scene in the picture, as a rate of the natural exponent, a frame."""

    def __call__(self, num_frames: int, size: tuple[int, int]) -> NDArray[np.float64]:
        """The affine matrix from tile to picture of every frame, (T, 2, 3). `size` is (width, height)."""
        time = np.arange(num_frames) - (num_frames - 1) / 2
        scale = np.rint(np.exp(self.zoom * time) * 2**16) / 2**16
        matrix = np.zeros((num_frames, 2, 3))
        for axis in range(2):
            matrix[:, axis, axis] = scale
            matrix[:, axis, 2] = _rounded(size[axis] / 2 + self.velocity[axis] * time - scale * self.origin[axis])
        return matrix


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.rint(values * 32) / 32
