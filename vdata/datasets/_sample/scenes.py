"""The photographs behind the sprites, cut into tiles that train, val and test never share.

The files are read straight out of the scikit-image wheel: `skimage.data` would fetch what is missing from the network.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.io import imread

__all__ = ["SCENES", "SPLITS", "TILE_PIXELS", "photograph", "rectangles", "tiles"]

SPLITS = ("train", "val", "test")

SCENES = ("brick", "chelsea", "coffee", "coins", "grass", "gravel", "hubble", "ihc", "moon", "page", "retina", "rocket")
"""Chosen because every tile of a photograph looks like its others and unlike those of the rest."""

TILE_PIXELS = 160
"""Short side of a tile after scaling: room for a picture of 96 pixels, zoomed out by a third."""

_FILES = {"hubble": "hubble_deep_field.jpg", "retina": "retina.jpg", "rocket": "rocket.jpg"}


@cache
def photograph(scene: int) -> NDArray[np.uint8]:
    """The whole photograph, uint8 (H, W, 3), RGB."""
    name = SCENES[scene]
    file = resources.files("skimage") / "data" / _FILES.get(name, f"{name}.png")
    # Not cv2.imread: libpng prints a warning about chelsea's colour profile.
    picture = np.asarray(imread(file), np.uint8)
    return np.stack([picture] * 3, axis=-1) if picture.ndim == 2 else picture  # noqa: PLR2004 - a grey photograph


def rectangles(height: int, width: int, split: str) -> list[tuple[int, int, int, int]]:
    """The three (x0, y0, x1, y1) of a split in a photograph of that size.

    A 3 x 3 Latin square: every split has one tile in each row and in each column, so that none gets only the sky.
    """
    shift = SPLITS.index(split)
    xs, ys = np.linspace(0, width, 4).astype(int), np.linspace(0, height, 4).astype(int)
    columns = [(row + shift) % 3 for row in range(3)]
    return [(int(xs[c]), int(ys[r]), int(xs[c + 1]), int(ys[r + 1])) for r, c in enumerate(columns)]


@cache
def tiles(scene: int, split: str) -> tuple[NDArray[np.uint8], ...]:
    """The split's three tiles, uint8 (H, W, 3) with a short side of TILE_PIXELS.

    Each is cut out before it is scaled: interpolation cannot carry a neighbour's pixels over.
    """
    picture = photograph(scene)
    height, width = picture.shape[:2]
    return tuple(_scaled(picture[y0:y1, x0:x1]) for x0, y0, x1, y1 in rectangles(height, width, split))


def _scaled(tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = TILE_PIXELS / min(tile.shape[:2])
    size = (round(tile.shape[1] * factor), round(tile.shape[0] * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR_EXACT
    return np.asarray(cv2.resize(tile, size, interpolation=how), np.uint8)
