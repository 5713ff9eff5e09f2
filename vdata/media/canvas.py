"""The sizes that clips are coded in.

NVDEC decoders are made for one size and cached, so a dataset of a thousand aspect ratios must not become a thousand coded sizes:
every picture is placed at (0, 0) of the smallest of at most 12 canvases per orientation, and the index keeps the picture's
own rectangle.
"""

from __future__ import annotations

from fractions import Fraction

from vdata.records import Picture

__all__ = ["CANVAS_RATIOS", "canvas_for", "canvases", "scaled_size"]

BLOCK = 16
"""Coded sizes are multiples of a macroblock."""
CANVAS_RATIOS = tuple(
    Fraction(*ratio)
    for ratio in ((1, 1), (9, 8), (5, 4), (4, 3), (3, 2), (5, 3), (16, 9), (19, 10), (2, 1), (12, 5), (3, 1), (4, 1))
)
"""Long side by short side of each canvas. Source: our own choice: the ratios of film and video, with room between them."""


def canvases(short_side: int) -> list[tuple[int, int]]:
    """The landscape canvases (width, height) of a short side, narrow first; portrait ones are the same, turned. Pixels."""
    height = _up(short_side)
    return [(_up(short_side * ratio), height) for ratio in CANVAS_RATIOS]


def scaled_size(width: int, height: int, aspect: Fraction, *, short_side: int, enlarge: bool) -> Picture:
    """The picture after scaling, at (0, 0): aspect kept, both sides even, short side as asked.

    Args:
        width: Source width after rotation, in its own pixels.
        height: Source height after rotation.
        aspect: Display width by display height, square pixels or not.
        short_side: The wanted short side.
        enlarge: Whether a smaller picture is enlarged to it.

    A picture longer than the longest canvas is scaled to that canvas's long side; its short side is then smaller.
    """
    short = Fraction(short_side) if enlarge else min(Fraction(short_side), Fraction(min(width, height)))
    longest = short_side * CANVAS_RATIOS[-1]
    long = min(short * max(aspect, 1 / aspect), longest)
    short = long / max(aspect, 1 / aspect)
    wide = (long, short) if aspect >= 1 else (short, long)
    return Picture(0, 0, _even(wide[0]), _even(wide[1]))


def canvas_for(picture: Picture, short_side: int) -> tuple[int, int]:
    """The smallest canvas (width, height) that holds the picture."""
    portrait = picture.height > picture.width
    long, short = max(picture.width, picture.height), min(picture.width, picture.height)
    fitting = next((canvas for canvas in canvases(short_side) if canvas[0] >= long and canvas[1] >= short), None)
    if fitting is None:
        msg = f"no canvas of short side {short_side} holds a picture of {picture.width}x{picture.height}"
        raise ValueError(msg)
    return (fitting[1], fitting[0]) if portrait else fitting


def _up(value: int | Fraction) -> int:
    return int(-(-value // BLOCK)) * BLOCK


def _even(value: Fraction) -> int:
    return max(2, round(value / 2) * 2)
