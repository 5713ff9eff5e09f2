from fractions import Fraction

import pytest

from vdata.media.canvas import canvas_for, canvases, scaled_size
from vdata.records import Picture


@pytest.mark.parametrize("short_side", [96, 112, 128, 224, 256, 720])
def test_canvases_are_at_most_twelve_multiples_of_16(short_side):
    table = canvases(short_side)
    assert len(set(table)) <= 12
    assert all(width % 16 == 0 and height % 16 == 0 and width >= height >= short_side for width, height in table)


@pytest.mark.parametrize(
    ("width", "height", "aspect", "picture", "canvas"),
    [
        (1280, 720, Fraction(16, 9), (456, 256), (464, 256)),
        (320, 240, Fraction(4, 3), (342, 256), (352, 256)),
        (320, 240, Fraction(5, 3), (426, 256), (432, 256)),  # pixels of 5:4
        (720, 1280, Fraction(9, 16), (256, 456), (256, 464)),
        (200, 200, Fraction(1), (256, 256), (256, 256)),
        (4000, 100, Fraction(40), (1024, 26), (1024, 256)),  # longer than the longest canvas
    ],
)
def test_picture_and_canvas_of_known_sizes(width, height, aspect, picture, canvas):
    scaled = scaled_size(width, height, aspect, short_side=256, enlarge=True)
    assert (scaled.width, scaled.height) == picture
    assert canvas_for(scaled, 256) == canvas


def test_every_picture_fits_the_smallest_canvas_that_could_hold_it():
    table = [*canvases(256), *((height, width) for width, height in canvases(256))]
    for width in range(16, 2000, 37):
        for height in range(16, 2000, 41):
            picture = scaled_size(width, height, Fraction(width, height), short_side=256, enlarge=True)
            chosen = canvas_for(picture, 256)
            fitting = [w * h for w, h in table if w >= picture.width and h >= picture.height]
            assert chosen[0] * chosen[1] == min(fitting)
            assert picture.width % 2 == 0 == picture.height % 2


def test_a_small_picture_is_kept_without_enlarging():
    picture = scaled_size(100, 80, Fraction(100, 80), short_side=256, enlarge=False)
    assert (picture.width, picture.height) == (100, 80)
    assert canvas_for(picture, 256) == (256, 256)


def test_a_picture_that_no_canvas_holds_is_a_bug():
    with pytest.raises(ValueError, match="no canvas"):
        canvas_for(Picture(0, 0, 5000, 256), 256)
