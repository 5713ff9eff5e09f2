"""The nodes from pictures to a view: resize of the crop, rotation, flip, colours, blur, solarisation, normalisation.

The same for both devices. What the CPU has `done` already (pipelines/convert.py) has no node: `scale` is the crop, its resize and
the colours, `blur` the blur.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
from nvidia.dali import fn, math, types

from pipelines.convert import blur_window
from pipelines.draw import PictureDraw, sides_of
from vdata.views import Augment, Clip, Keyframe

__all__ = ["feeds", "nodes"]

_LAYOUTS = {"CTHW": "CFHW", "TCHW": "FCHW", "THWC": "FHWC"}
_DTYPES = {"float32": types.FLOAT, "float16": types.FLOAT16, "uint8": types.UINT8}


def feeds(
    name: str, view: Clip | Keyframe, drawn: PictureDraw, box: npt.NDArray[np.float32], *, done: Collection[str]
) -> dict[str, npt.NDArray[Any]]:
    """What the graph of the view must be fed beside its pictures, by the names of its sources."""
    values: dict[str, npt.NDArray[Any]] = {}
    augment = view.augment
    if view.size is not None and "scale" not in done:
        # DALI's order is height, width.
        values["corner"], values["end"] = box[:, [1, 0]], box[:, [3, 2]]
    if augment is not None:
        if augment.rotate:
            values["angle"] = drawn.angle
        if augment.flip:
            values["flip"] = drawn.flip.astype(np.int32)
        if _has_colour(augment) and "scale" not in done:
            values["matrix"], values["offset"] = drawn.matrix, drawn.offset
        if augment.blur and "blur" not in done:
            values["blur"], values["sigma"] = drawn.blur, drawn.sigma
        if augment.solarize:
            values["solarize"] = drawn.solarize
    return {f"{name}.{key}": np.ascontiguousarray(value) for key, value in values.items()}


def nodes(name: str, view: Clip | Keyframe, frames: Any, *, done: Collection[str]) -> Any:  # noqa: ANN401 - DALI's nodes carry no types
    """The nodes from the picture's frames to the view: an operation whose probability is 0 has no node."""
    if view.size is None:
        return frames
    if "scale" not in done:
        # Linear with antialiasing, a triangle filter as wide as the reduction; bicubic, which SimCLR takes for images, rings.
        frames = fn.resize(
            frames,
            size=sides_of(view.size),
            roi_start=_numbers(name, "corner"),
            roi_end=_numbers(name, "end"),
            interp_type=types.INTERP_LINEAR,
            antialias=True,
        )
    if view.augment is not None:
        frames = _augmented(name, view.augment, sides_of(view.size), frames, done=done)
    layout = view.layout if isinstance(view, Clip) else "CTHW"
    # The flip costs nothing here, and half a millisecond a clip as a node of its own. Colours and blur do not mind who is first.
    flips = view.augment is not None and view.augment.flip > 0
    # Bytes are clipped to [0, 255] and rounded by the cast.
    return fn.crop_mirror_normalize(
        frames,
        dtype=_DTYPES[view.dtype],
        output_layout=_LAYOUTS[layout],
        mirror=_number(name, "flip", types.INT32) if flips else 0,
        mean=[255.0 * value for value in view.mean],
        std=[value if view.dtype == "uint8" else 255.0 * value for value in view.std],
    )


def _augmented(name: str, augment: Augment, size: tuple[int, int], frames: Any, *, done: Collection[str]) -> Any:  # noqa: ANN401 - see nodes
    if augment.rotate:
        # Without a fill value the crop's edge repeats.
        frames = fn.rotate(frames, angle=_number(name, "angle"), keep_size=True, interp_type=types.INTERP_LINEAR, fill_value=None)
    if _has_colour(augment) and "scale" not in done:
        matrix = fn.external_source(name=f"{name}.matrix", ndim=2, dtype=types.FLOAT)
        frames = fn.coord_transform(frames, M=matrix, T=_numbers(name, "offset"), dtype=types.FLOAT)
        # As floats: coord_transform's own rounding to uint8 takes twice the time of both nodes.
        frames = math.clamp(frames, 0.0, 255.0)
    if augment.blur and "blur" not in done:
        frames = _blurred(frames, _number(name, "blur", types.BOOL), _number(name, "sigma"), size)
    if augment.solarize:
        frames = _solarized(frames, _number(name, "solarize", types.BOOL))
    return frames


def _has_colour(augment: Augment) -> bool:
    return augment.jitter > 0 or augment.gray > 0


def _blurred(frames: Any, drew: Any, sigma: Any, size: tuple[int, int]) -> Any:  # noqa: ANN401 - see nodes
    """Blurs the samples that drew it: the node costs more than decoding does. DALI splits the batch at this `if`."""
    if drew:  # noqa: SIM108 - DALI splits at statements
        blurred = fn.gaussian_blur(frames, sigma=sigma, window_size=blur_window(size))
    else:
        blurred = frames
    return blurred


def _solarized(frames: Any, drew: Any) -> Any:  # noqa: ANN401 - see nodes
    """Turns values of 128 and more about. Source: BYOL's appendix, threshold one half."""
    if drew:
        high = fn.cast_like(frames >= 128, frames)  # noqa: PLR2004 - half of 255, rounded up
        turned = fn.cast_like(frames * (1 - high) + (255 - frames) * high, frames)
    else:
        turned = frames
    return turned


def _number(name: str, key: str, dtype: Any = types.FLOAT) -> Any:  # noqa: ANN401 - see nodes
    return fn.external_source(name=f"{name}.{key}", ndim=0, dtype=dtype)


def _numbers(name: str, key: str) -> Any:  # noqa: ANN401 - see nodes
    return fn.external_source(name=f"{name}.{key}", ndim=1, dtype=types.FLOAT)
