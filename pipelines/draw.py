"""A view as numbers: its frames, crop box, flip, colour matrix and blur. Drawn here, applied by the DALI graph.

One draw serves all frames of a clip. Everything is a pure function of numbers in [0, 1), for a whole batch at once, so that CPU
and GPU apply the same and a test can apply it with NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from pipelines.windows import NUM_WINDOW_UNIFORMS
from vdata.views import CENTRE_SHARE, Augment, View

__all__ = ["Draw", "centre_boxes", "colour", "crop_boxes", "draw"]

Floats = npt.NDArray[np.float64]

_ATTEMPTS = 10
"""Tries of the random resized crop before the fallback, as in torchvision; SimCLR's code has 100."""
_CROP = slice(NUM_WINDOW_UNIFORMS, NUM_WINDOW_UNIFORMS + 2 * _ATTEMPTS + 2)
_COLOUR = slice(_CROP.stop, _CROP.stop + 10)
_FLIP, _BLUR, _SIGMA = range(_COLOUR.stop, _COLOUR.stop + 3)

_LUMA = np.array([0.299, 0.587, 0.114])
"""Source: ITU-R BT.601."""
_TO_YIQ = np.array([_LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
"""Source: NTSC's YIQ, in which a turn of the hue is a rotation of I and Q. The rows of I and Q sum to 0: gray stays gray."""
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


@dataclass(frozen=True, slots=True)
class Draw:
    """What one view takes of the B clips of a batch. Pixels count from the picture's left upper corner."""

    frames: npt.NDArray[np.int64]
    """(B, T): frame numbers of the clips."""
    box: npt.NDArray[np.float32]
    """(B, 4): x0, y0, x1, y1 of the crop, not rounded."""
    flip: npt.NDArray[np.bool_]
    """(B,) mirrored left to right, after the crop."""
    matrix: npt.NDArray[np.float32]
    """(B, 3, 3): a colour becomes matrix @ rgb + offset, then is clipped to [0, 255]."""
    offset: npt.NDArray[np.float32]
    """(B, 3), in steps of 1/255."""
    blur: npt.NDArray[np.bool_]
    """(B,)"""
    sigma: npt.NDArray[np.float32]
    """(B,) of the Gaussian blur, in pixels of the view."""

    def put(self, row: int, one: Draw) -> None:
        """Writes the only row of `one` over a row of this."""
        for field in fields(self):
            getattr(self, field.name)[row] = getattr(one, field.name)[0]


def draw(view: View, frames: npt.NDArray[np.int64], picture: npt.NDArray[np.integer], u: Floats) -> Draw:
    """The draw of a view for windows of `frames` (B, T), from rows of numbers (B, sampler.NUM_UNIFORMS).

    `picture` (B, 4) is x, y, width, height of the picture in the coded frame; only the size counts here.
    """
    sides = picture[:, 2].astype(np.float64), picture[:, 3].astype(np.float64)
    if view.augment is None:
        return _plain(view, frames, *sides)
    augment = view.augment
    matrix, offset = colour(augment, u[:, _COLOUR])
    low, high = augment.blur_sigma
    return Draw(
        frames=frames,
        box=crop_boxes(augment, *sides, u[:, _CROP]).astype(np.float32),
        flip=u[:, _FLIP] < augment.flip,
        matrix=matrix.astype(np.float32),
        offset=offset.astype(np.float32),
        blur=u[:, _BLUR] < augment.blur,
        sigma=(low + (high - low) * u[:, _SIGMA]).astype(np.float32),
    )


def _plain(view: View, frames: npt.NDArray[np.int64], width: Floats, height: Floats) -> Draw:
    """The draw of a view without augmentation: the centre crop, or the whole picture where the view has no size."""
    count = len(width)
    whole = np.stack([np.zeros(count), np.zeros(count), width, height], axis=1)
    return Draw(
        frames=frames,
        box=(whole if view.size is None else centre_boxes(width, height)).astype(np.float32),
        flip=np.zeros(count, bool),
        matrix=np.tile(np.eye(3, dtype=np.float32), (count, 1, 1)),
        offset=np.zeros((count, 3), np.float32),
        blur=np.zeros(count, bool),
        sigma=np.ones(count, np.float32),
    )


def centre_boxes(width: Floats, height: Floats) -> Floats:
    """(B, 4) the square in the middle of each picture, CENTRE_SHARE of its short side wide."""
    side = CENTRE_SHARE * np.minimum(width, height)
    x, y = (width - side) / 2, (height - side) / 2
    return np.stack([x, y, x + side, y + side], axis=1)


def crop_boxes(augment: Augment, width: Floats, height: Floats, u: Floats) -> Floats:
    """(B, 4) random resized crops, from (B, 22) numbers.

    Source: Inception's crop as torchvision has it: area uniform, aspect log-uniform, the first of ten tries that fits, else
    the largest box in the middle whose aspect is allowed. Corners are not rounded to pixels, since the resize takes any.
    """
    area = width[:, None] * height[:, None] * _between(augment.area, u[:, 0 : 2 * _ATTEMPTS : 2])
    low, high = np.log(augment.aspect)
    aspect = np.exp(_between((low, high), u[:, 1 : 2 * _ATTEMPTS : 2]))
    wide, tall = np.sqrt(area * aspect), np.sqrt(area / aspect)
    fits = (wide <= width[:, None]) & (tall <= height[:, None])
    pick = np.arange(len(width)), np.argmax(fits, axis=1)
    nearest = np.clip(width / height, *augment.aspect)
    any_fits = fits.any(axis=1)
    box_width = np.where(any_fits, wide[pick], np.minimum(width, height * nearest))
    box_height = np.where(any_fits, tall[pick], np.minimum(height, width / nearest))
    x = (width - box_width) * np.where(any_fits, u[:, -2], 0.5)
    y = (height - box_height) * np.where(any_fits, u[:, -1], 0.5)
    return np.stack([x, y, x + box_width, y + box_height], axis=1)


def colour(augment: Augment, u: Floats) -> tuple[Floats, Floats]:
    """Matrix (B, 3, 3) and offset (B, 3) of jitter and grayscale for colours in [0, 255], from (B, 10) numbers.

    Source: SimCLR's jitter (brightness, contrast, saturation and hue in random order, factors U[max(0, 1 - s), 1 + s]) as one
    affine map. What one map cannot do is left out: colours are clipped once at its end and not after each step, and contrast
    turns about middle gray, not about the picture's own mean. Hue turns in YIQ, not in HSV.
    """
    jitters, grays, factors, order = u[:, 0] < augment.jitter, u[:, 1] < augment.gray, u[:, 2:6], np.argsort(u[:, 6:10], axis=1)
    steps = np.stack(
        [
            _affine(_between(_around_one(augment.brightness), factors[:, 0])[:, None, None] * np.eye(3)),
            _contrast(_between(_around_one(augment.contrast), factors[:, 1])),
            _saturation(_between(_around_one(augment.saturation), factors[:, 2])),
            _hue(_between((-augment.hue, augment.hue), factors[:, 3])),
        ],
        axis=1,
    )
    sample = np.arange(len(u))
    total = np.tile(np.eye(4), (len(u), 1, 1))
    for step in range(4):
        total = steps[sample, order[:, step]] @ total
    total = np.where(jitters[:, None, None], total, np.eye(4))
    total = np.where(grays[:, None, None], _affine(np.tile(_LUMA, (3, 1)))[None], np.eye(4)) @ total
    return total[:, :3, :3], total[:, :3, 3]


def _contrast(factor: Floats) -> Floats:
    step = _affine(factor[:, None, None] * np.eye(3))
    step[:, :3, 3] = (1.0 - factor[:, None]) * 127.5
    return step


def _saturation(factor: Floats) -> Floats:
    gray = np.tile(_LUMA, (3, 1))
    return _affine(factor[:, None, None] * np.eye(3) + (1.0 - factor[:, None, None]) * gray)


def _hue(turns: Floats) -> Floats:
    angle = 2 * np.pi * turns
    rotation = np.tile(np.eye(3), (len(turns), 1, 1))
    rotation[:, 1, 1] = rotation[:, 2, 2] = np.cos(angle)
    rotation[:, 1, 2], rotation[:, 2, 1] = -np.sin(angle), np.sin(angle)
    return _affine(_FROM_YIQ @ rotation @ _TO_YIQ)


def _affine(matrix: Floats) -> Floats:
    """(..., 4, 4) with `matrix` (..., 3, 3) and no offset."""
    full = np.zeros((*matrix.shape[:-2], 4, 4))
    full[..., :3, :3] = matrix
    full[..., 3, 3] = 1.0
    return full


def _around_one(strength: float) -> tuple[float, float]:
    return max(0.0, 1.0 - strength), 1.0 + strength


def _between(bounds: tuple[float, float], u: Floats) -> Floats:
    return bounds[0] + (bounds[1] - bounds[0]) * u
