"""A picture view as numbers: its frames, crop box, flip, colour matrix, blur. Drawn here, applied by the DALI graph.

One draw serves all frames of a clip. Everything is a pure function of numbers in [0, 1), for a whole batch at once, so that CPU
and GPU apply the same and a test can apply it with NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.windows import NUM_WINDOW_UNIFORMS, Window
from vdata.views import CENTRE_SHARE, Augment, Clip, Keyframe, Motion, Size

__all__ = ["PictureDraw", "centre_boxes", "colour", "crop_boxes", "draw", "random_boxes", "sides_of", "spatial", "three_boxes"]

Floats = npt.NDArray[np.float64]
Pictures = npt.NDArray[np.integer]

_ATTEMPTS = 10
"""Tries of the random resized crop before the fallback, as in torchvision; SimCLR's code has 100."""
_LEAST = 8
"""Pixels of a crop: of fewer than 4 chroma samples swscale's triangle filter makes values that are 50 steps off."""
_CROP = slice(NUM_WINDOW_UNIFORMS, NUM_WINDOW_UNIFORMS + 2 * _ATTEMPTS + 2)
_COLOUR = slice(_CROP.stop, _CROP.stop + 10)
_FLIP, _BLUR, _SIGMA, _SOLARIZE, _ANGLE, _PLAIN = range(_COLOUR.stop, _COLOUR.stop + 6)

_LUMA = np.array([0.299, 0.587, 0.114])
"""Source: ITU-R BT.601."""
_TO_YIQ = np.array([_LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
"""Source: NTSC's YIQ, in which a turn of the hue is a rotation of I and Q. The rows of I and Q sum to 0: gray stays gray."""
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


@dataclass(frozen=True, slots=True, eq=False)
class PictureDraw:
    """What one view takes of the B samples of a batch. Pixels count from the picture's left upper corner."""

    frames: npt.NDArray[np.int64]
    """(B, K * T): frames of the sample's run, K windows behind one another."""
    box: npt.NDArray[np.float32]
    """(B, C, 4): x0, y0, x1, y1 of each crop, whole even numbers."""
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
    solarize: npt.NDArray[np.bool_]
    """(B,)"""
    angle: npt.NDArray[np.float32]
    """(B,) of the rotation in degrees, anticlockwise."""
    speed: npt.NDArray[np.int64]
    """(B,) factor on the stride."""
    backwards: npt.NDArray[np.bool_]
    """(B,) whether time runs backwards."""
    inside: npt.NDArray[np.bool_]
    """(B, K * T): False where a pad has put another frame."""


def draw(view: Clip | Keyframe, window: Window, picture: Pictures, u: Floats) -> PictureDraw:
    """The draw of a view for its windows, from rows of numbers (B, philox.NUM_UNIFORMS).

    `picture` (B, 4) is x, y, width, height of the picture in the coded frame; only the size counts here.
    """
    augment = view.augment or _NOTHING
    box, flip = spatial(view, picture, u)
    plain = u[:, _PLAIN] < augment.plain
    matrix, offset = colour(augment, u[:, _COLOUR])
    low, high = augment.blur_sigma
    return PictureDraw(
        frames=window.frames,
        box=box,
        flip=flip,
        matrix=np.where(plain[:, None, None], np.eye(3), matrix).astype(np.float32),
        offset=np.where(plain[:, None], 0.0, offset).astype(np.float32),
        blur=(u[:, _BLUR] < augment.blur) & ~plain,
        sigma=(low + (high - low) * u[:, _SIGMA]).astype(np.float32),
        solarize=(u[:, _SOLARIZE] < augment.solarize) & ~plain,
        angle=(augment.rotate * (2 * u[:, _ANGLE] - 1)).astype(np.float32),
        speed=window.speed,
        backwards=window.backwards,
        inside=window.inside,
    )


_TIE = 1e-6
"""Of two pixels: far below what matters, far above what a float is wrong by."""
_NOTHING = Augment(flip=0.0, jitter=0.0, gray=0.0, blur=0.0)
"""What a view without augmentation does to colours."""


def spatial(
    view: Clip | Keyframe | Motion, picture: Pictures, u: Floats
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Crops (B, C, 4) and flips (B,) of a view, drawn from rows of numbers; the centre crop for one without augmentation."""
    width, height = picture[:, 2].astype(np.float64), picture[:, 3].astype(np.float64)
    if view.augment is None or view.size is None:
        boxes = _plain_boxes(view, width, height)
        return _even(boxes, width, height), np.zeros(len(u), bool)
    if view.augment.crop == "random":
        box = random_boxes(view.augment.resize, sides_of(view.size), width, height, u[:, _CROP])
    else:
        box = crop_boxes(view.augment, width, height, u[:, _CROP])
    return _even(box[:, None], width, height), u[:, _FLIP] < view.augment.flip


def sides_of(size: Size) -> tuple[int, int]:
    """Height and width of a view that has a size."""
    return (size, size) if isinstance(size, int) else size or (0, 0)


def _plain_boxes(view: Clip | Keyframe | Motion, width: Floats, height: Floats) -> Floats:
    """(B, C, 4) of a view without augmentation: the centre, three crops, or the whole picture where it has no size."""
    if view.size is None:
        return np.stack([np.zeros_like(width), np.zeros_like(width), width, height], axis=1)[:, None]
    if getattr(view, "crops", "one") == "three":
        return three_boxes(width, height)
    return centre_boxes(width, height, sides_of(view.size))[:, None]


def _even(box: Floats, width: Floats, height: Floats) -> npt.NDArray[np.float32]:
    """Boxes (B, C, 4) with even corners inside the picture, _LEAST pixels wide or more: a chroma sample stands for 2 x 2 pixels.

    So the CPU's path, which crops before it converts, and the graph's roi are one and the same. The picture's size is even.
    """
    # A box that ends between two even numbers takes the upper one, even if its number is not quite there.
    corners = 2 * np.floor(box / 2 + 0.5 + _TIE)
    limit = np.stack([width, height], axis=1)[:, None]
    low = np.maximum(np.minimum(corners[..., :2], limit - _LEAST), 0)
    return np.concatenate([low, np.minimum(np.maximum(corners[..., 2:], low + _LEAST), limit)], axis=-1).astype(np.float32)


def three_boxes(width: Floats, height: Floats) -> Floats:
    """(B, 3, 4) squares as wide as the short side, at the start, the middle and the end of the long one.

    Source: Non-local networks (arXiv 1711.07971) section 5, as their followers use it.
    """
    side = np.minimum(width, height)
    place = np.array([0.0, 0.5, 1.0])
    x, y = (width - side)[:, None] * place, (height - side)[:, None] * place
    return np.stack([x, y, x + side[:, None], y + side[:, None]], axis=2)


def random_boxes(resize: tuple[int, int], size: tuple[int, int], width: Floats, height: Floats, u: Floats) -> Floats:
    """(B, 4) windows of `size` (H, W) anywhere in the picture scaled to `resize`, in pixels of the picture; from (B, 22) numbers.

    Source: resize and random crop as torchvision has them. `resize` (0, S) scales the short side to S.
    """
    short = np.minimum(width, height)
    scale_y = height / resize[0] if resize[0] else short / resize[1]
    scale_x = width / resize[1] if resize[0] else short / resize[1]
    box_width, box_height = np.minimum(size[1] * scale_x, width), np.minimum(size[0] * scale_y, height)
    x, y = (width - box_width) * u[:, -2], (height - box_height) * u[:, -1]
    return np.stack([x, y, x + box_width, y + box_height], axis=1)


def centre_boxes(width: Floats, height: Floats, size: tuple[int, int] = (1, 1)) -> Floats:
    """(B, 4) the largest box of the aspect of `size` (H, W) in the middle of each picture, CENTRE_SHARE of it wide."""
    unit = CENTRE_SHARE * np.minimum(width / size[1], height / size[0])
    box_width, box_height = unit * size[1], unit * size[0]
    x, y = (width - box_width) / 2, (height - box_height) / 2
    return np.stack([x, y, x + box_width, y + box_height], axis=1)


def crop_boxes(augment: Augment, width: Floats, height: Floats, u: Floats) -> Floats:
    """(B, 4) random resized crops, from (B, 22) numbers.

    Source: Inception's crop as torchvision has it: area uniform, aspect log-uniform, the first of ten tries that fits, else
    the largest box in the middle whose aspect is allowed.
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
