"""The way into a model's input, against the usual formula, and the way back, to the pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vdata.extract._letterbox import Letterbox

SHAPES = [
    ((256, 456), (640, 640)),
    ((456, 256), (640, 640)),
    ((96, 96), (640, 384)),
    ((255, 341), (320, 513)),
    ((720, 1280), (300, 300)),
]


def by_ultralytics(height, width, input_height, input_width):
    """(height, width, top, left) of the picture in the input, by the words of their formula."""
    ratio = min(input_height / height, input_width / width)
    new_height, new_width = round(height * ratio), round(width * ratio)
    beside, above = (input_width - new_width) / 2, (input_height - new_height) / 2
    return new_height, new_width, round(above - 0.1), round(beside - 0.1)


@pytest.mark.parametrize(("picture", "size"), SHAPES)
def test_the_place_is_the_usual_one(picture, size):
    letterbox = Letterbox(picture, size)
    assert (*letterbox.inner, *letterbox.offset) == by_ultralytics(*picture, *size)
    assert Letterbox(picture, size, "corner").offset == (0, 0)


@pytest.mark.parametrize("place", ["centre", "corner"])
@pytest.mark.parametrize(("picture", "size"), SHAPES)
def test_boxes_go_there_and_back(picture, size, place):
    letterbox = Letterbox(picture, size, place)
    rng = np.random.default_rng(0)
    low = rng.integers(0, [picture[1] - 1, picture[0] - 1], (100, 2))
    corners = np.hstack([low, rng.integers(low + 1, [picture[1] + 1, picture[0] + 1])]).astype(np.float32)
    zoom = np.array([letterbox.inner[1] / picture[1], letterbox.inner[0] / picture[0]] * 2)
    there = corners * zoom + np.array([*letterbox.offset[::-1]] * 2)
    assert np.abs(letterbox.undo(there.astype(np.float32)) - corners).max() < 1e-3
    # The whole of what `apply` fills is the whole picture, exactly.
    (top, left), (height, width) = letterbox.offset, letterbox.inner
    whole = np.float32([[left, top, left + width, top + height]])
    assert letterbox.undo(whole).tolist() == [[0, 0, picture[1], picture[0]]]


def test_boxes_are_cut_at_the_edge_and_padding_is_nothing():
    letterbox = Letterbox((100, 200), (400, 400))
    assert letterbox.undo(np.float32([[-10, 0, 100, 150], [0, 0, 400, 90]])).tolist() == [[0, 0, 50, 25], [0, 0, 200, 0]]


@pytest.mark.parametrize(("picture", "size"), SHAPES)
def test_the_pixels_are_the_pictures_scaled_and_padded(picture, size):
    letterbox = Letterbox(picture, size, fill=7)
    pictures = np.random.default_rng(0).integers(0, 256, (2, *picture, 3), dtype=np.uint8)
    inputs = letterbox.apply(pictures)
    (top, left), (height, width) = letterbox.offset, letterbox.inner
    for given, found in zip(pictures, inputs, strict=True):
        wanted = np.full((*size, 3), 7.0)
        wanted[top : top + height, left : left + width] = cv2.resize(given.astype(np.float64), (width, height))
        assert np.abs(found - wanted).max() < 1.5
