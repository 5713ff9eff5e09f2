"""What is drawn on a contact sheet: boxes, tracklets, motion, sound and words. Every function draws in place.

Pictures are uint8 (H, W, 3) RGB; `zoom` is how many pixels of the sheet a pixel of the coded frame has.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from vdata.media.box_codec import BOX_SOURCES, Boxes
from vdata.media.motion_codec import INTRA
from vdata.media.tracklet_codec import CORNERS, Tracklets

__all__ = [
    "SOURCE_COLOURS",
    "arrows_of_grid",
    "arrows_of_vectors",
    "draw_arrows",
    "draw_boxes",
    "draw_tracklets",
    "draw_wave",
    "fitted",
    "write",
]

Page = npt.NDArray[np.uint8]
Arrows = npt.NDArray[np.float64]
Colour = tuple[int, int, int]

SOURCE_COLOURS: dict[str, Colour] = dict(
    zip(BOX_SOURCES, ((255, 200, 40), (90, 220, 90), (255, 80, 80), (80, 170, 255), (240, 120, 240)), strict=True)
)
"""Red, green, blue of each source's boxes."""

_WHITE: Colour = (255, 255, 255)
_ARROW: Colour = (255, 255, 0)
_WAVE: Colour = (120, 200, 255)
_MARK: Colour = (130, 130, 130)
_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.42
_ARROW_LENGTH = 2
"""Arrows are this many times as long as the motion: most of it is below two pixels a frame."""
_ARROW_CELL = 16
"""Pixels of the coded frame from one arrow to the next, at least."""
_QUARTER_PIXELS = 4
_GOLDEN = 0.618
"""Turns of hue from one track to the next: neighbours differ, and few numbers share a colour."""
_FIRST_HUE = 0.45
_FARTHEST = 1e5
_LOUDEST = 32768


def write(page: Page, text: str, x: int, y: int, colour: Colour = _WHITE, width: int | None = None) -> None:
    """Nothing; a line of text whose base line starts at (x, y), cut to `width` pixels."""
    cv2.putText(page, fitted(text, width), (x, y), _FONT, _FONT_SCALE, colour, 1, cv2.LINE_AA)


def fitted(text: str, width: int | None = None) -> str:
    """The text as the font can draw it, on one line, cut with three dots where it is wider than `width` pixels.

    The font is ASCII: a control character becomes its escape, any other letter a question mark.
    """
    # A member may hold a megabyte of text: what cannot fit is not looked at.
    plain = "".join(_drawable(char) for char in text[: 1 + (width or len(text))])
    if width is None or _text_width(plain) <= width:
        return plain
    low, high = 0, len(plain)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _text_width(plain[:middle] + "...") <= width else (low, middle - 1)
    return plain[:low] + "..."


def _drawable(char: str) -> str:
    if char.isprintable():
        return char if char.isascii() else "?"
    return char.encode("unicode_escape").decode()


def _text_width(text: str) -> int:
    (width, _), _ = cv2.getTextSize(text, _FONT, _FONT_SCALE, 1)
    return int(width)


def draw_boxes(picture: Page, boxes: Boxes, zoom: float) -> None:
    """Nothing; each box in its source's colour; with its score, if the source gives different ones."""
    for number in np.unique(boxes["source"]):
        of_source = boxes[boxes["source"] == number]
        colour = SOURCE_COLOURS[BOX_SOURCES[number]]
        for box, corners in zip(of_source, _corners(of_source, zoom), strict=True):
            _rectangle(picture, corners, colour, 1)
            if (of_source["score"] != 1).any():
                write(picture, f"{box['score']:.2f}", corners[0] + 2, corners[1] + 11, colour)


def draw_tracklets(picture: Page, tracklets: Tracklets, zoom: float) -> None:
    """Nothing; each box in its track's colour with its number: a thick line where it was detected, a thin one where carried."""
    for row, corners in zip(tracklets, _corners(tracklets, zoom), strict=True):
        red, green, blue = colorsys.hsv_to_rgb((_FIRST_HUE + int(row["track"]) * _GOLDEN) % 1, 0.7, 1)
        colour = (int(255 * red), int(255 * green), int(255 * blue))
        _rectangle(picture, corners, colour, 2 if row["detected"] else 1)
        write(picture, f"#{row['track']}", corners[0] + 3, corners[3] - 4, colour)


def _corners(rows: npt.NDArray[np.void], zoom: float) -> list[tuple[int, int, int, int]]:
    """First and last pixels of boxes whose x1 and y1 lie behind the last one."""
    sides = np.stack([rows[name].astype(np.float64) for name in CORNERS], axis=-1) * zoom
    sides[:, 2:] -= 1
    # Stored boxes may be anything; OpenCV takes 32-bit integers.
    whole = np.rint(np.clip(np.nan_to_num(sides), -_FARTHEST, _FARTHEST)).astype(int)
    return [(x0, y0, x1, y1) for x0, y0, x1, y1 in whole.tolist()]


def _rectangle(picture: Page, corners: tuple[int, int, int, int], colour: Colour, thickness: int) -> None:
    cv2.rectangle(picture, corners[:2], corners[2:], colour, thickness)


def arrows_of_grid(grid: npt.NDArray[np.int16], kind: npt.NDArray[np.uint8], block: int) -> Arrows:
    """x, y, dx, dy (N, 4) in pixels of a frame's cells that move: grid (h, w, 2) in quarter pixels, kind (h, w)."""
    step = max(1, _ARROW_CELL // block)
    rows, columns = np.nonzero((kind != INTRA) & (grid != 0).any(axis=-1))
    shown = (rows % step == 0) & (columns % step == 0)
    rows, columns = rows[shown], columns[shown]
    places = np.stack([columns, rows], axis=-1) * block + block / 2
    return np.concatenate([places, grid[rows, columns] / _QUARTER_PIXELS], axis=-1)


def arrows_of_vectors(rows: npt.NDArray[np.int32]) -> Arrows:
    """x, y, dx, dy (N, 4) in pixels of a frame's vector rows (N, 10) that move."""
    moving = rows[(rows[:, 7:9] != 0).any(axis=1)].astype(np.float64)
    return np.concatenate([moving[:, 5:7], -moving[:, 7:9] / moving[:, 9:]], axis=-1)


def draw_arrows(picture: Page, arrows: Arrows, zoom: float) -> None:
    """Nothing; an arrow for each cell, from its middle the way that it moves."""
    for x, y, dx, dy in (arrows * zoom).tolist():
        tip = (round(x + _ARROW_LENGTH * dx), round(y + _ARROW_LENGTH * dy))
        cv2.arrowedLine(picture, (round(x), round(y)), tip, _ARROW, 1, cv2.LINE_AA, tipLength=0.3)


def draw_wave(strip: Page, samples: npt.NDArray[np.int16], marks: Sequence[float]) -> None:
    """Nothing; the wave form over the whole strip, and a line at each of the `marks`, shares of its length in [0, 1]."""
    height, width = strip.shape[:2]
    for mark in marks:
        strip[:, min(int(mark * width), width - 1)] = _MARK
    edges = np.linspace(0, len(samples), width + 1).astype(int)
    for column, (start, stop) in enumerate(zip(edges, np.maximum(edges[1:], edges[:-1] + 1), strict=False)):
        part = samples[start:stop].astype(int)
        if len(part):
            top, bottom = ((1 - value / _LOUDEST) * (height - 1) / 2 for value in (part.max(), part.min()))
            strip[round(top) : round(bottom) + 1, column] = _WAVE
