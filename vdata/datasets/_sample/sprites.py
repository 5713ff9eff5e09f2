"""The twelve textures and three shapes of the sprites, drawn from formulas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["HALF", "SHAPES", "SPRITES", "Sprite", "inside", "texture"]

SHAPES = ("square", "disc", "ring")

_PATTERNS = ("stripes", "checks", "rings", "dots")
_COLOURS = {
    "amber": ((250, 190, 40), (90, 20, 110)),
    "cyan": ((60, 220, 230), (120, 30, 20)),
    "lime": ((170, 240, 60), (30, 30, 120)),
}

SPRITES = tuple(f"{colour}-{pattern}" for pattern in _PATTERNS for colour in _COLOURS)
"""Names of the textures: a pattern in one of three pairs of colours."""

HALF = 16
"""Half the side of a drawn texture in pixels, a little over the largest radius: it is only ever made smaller."""

_OVERSAMPLING = 4
"""Samples a pixel, along x and along y."""


@dataclass(frozen=True, slots=True)
class Sprite:
    """A texture in a shape, with the colour gain of this one video."""

    texture: int
    shape: int
    gain: tuple[float, float, float]
    """Factors of red, green and blue."""

    def image(self) -> NDArray[np.uint8]:
        """Red, green and blue times the cover, and the cover, uint8 (2 HALF, 2 HALF, 4)."""
        x, y = _grid()
        cover = _shrunk(inside(self.shape, x, y).astype(np.float32))[..., None]
        colour = np.minimum(texture(self.texture) * np.asarray(self.gain, np.float32), np.float32(255))
        return np.rint(np.concatenate([colour, np.full_like(cover, 255)], axis=-1) * cover).astype(np.uint8)


def inside(shape: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points belong to the shape; x and y are distances from its centre, in radii."""
    name, squared = SHAPES[shape], x * x + y * y
    if name == "square":
        return np.maximum(np.abs(x), np.abs(y)) <= 1
    return (squared <= 1) if name == "disc" else (squared <= 1) & (squared >= 0.25)  # noqa: PLR2004 - half the radius


@cache
def texture(index: int) -> NDArray[np.float32]:
    """The colours of a texture, float32 (2 HALF, 2 HALF, 3) in [0, 255]."""
    pattern, colour = SPRITES[index].split("-")[::-1]
    x, y = _grid()
    mix = {
        "stripes": (np.floor((x + y) * 2.5) % 2),
        "checks": (np.floor(x * 2) + np.floor(y * 2)) % 2,
        "rings": np.floor(np.sqrt(x * x + y * y) * 5) % 2,
        "dots": ((x * 2.5 % 1 - 0.5) ** 2 + (y * 2.5 % 1 - 0.5) ** 2 < 0.1).astype(float),  # noqa: PLR2004 - a dot's size
    }[pattern]
    first, second = np.asarray(_COLOURS[colour], np.float32)
    soft = _shrunk(mix.astype(np.float32))[..., None]
    return np.asarray(soft * first + (1 - soft) * second, np.float32)


def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places of a texture's samples, x and y, in [-1, 1]."""
    count = 2 * HALF * _OVERSAMPLING
    steps = (np.arange(count) + 0.5) * 2 / count - 1
    x, y = np.meshgrid(steps, steps)
    return x, y


def _shrunk(fine: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of each pixel's samples: edges without steps."""
    split = fine.reshape(2 * HALF, _OVERSAMPLING, 2 * HALF, _OVERSAMPLING)
    return np.asarray(split.mean(axis=(1, 3)), np.float32)
