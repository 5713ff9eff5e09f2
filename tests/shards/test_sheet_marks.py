import cv2
import numpy as np
import pytest

from vdata.media.box_codec import boxes_of
from vdata.media.motion_codec import INTER, INTRA
from vdata.shards.sheet_marks import arrows_of_grid, draw_boxes, draw_wave, fitted


def test_text_is_drawable_on_one_line_and_cut_to_its_width():
    assert fitted("plain text") == "plain text"
    assert fitted("a\x00b\x1b[2Jc\nd") == r"a\x00b\x1b[2Jc\nd"
    assert fitted("caf\xe9 \u4e2d") == "caf? ?"
    assert fitted("\ud800") == r"\ud800"
    for width in (60, 200):
        cut = fitted("word " * 100_000, width)
        assert cut.endswith("...")
        (drawn, _), _ = cv2.getTextSize(cut, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)
        assert width - 20 < drawn <= width


def test_boxes_that_are_no_numbers_or_far_outside_break_nothing():
    picture = np.zeros((20, 30, 3), np.uint8)
    draw_boxes(picture, boxes_of(0, [[np.nan, 0, np.inf, 1e30], [-1e30, -5, 3, 4]], "detector", 0.5), 2.0)
    assert picture.any()


@pytest.mark.parametrize(("block", "places"), [(16, [(24, 8)]), (8, [(16 + 4, 4)]), (4, [(16 + 2, 2)])])
def test_arrows_stand_in_the_middle_of_cells_that_move_no_closer_than_16_pixels(block, places):
    grid = np.zeros((32 // block, 48 // block, 2), np.int16)
    kind = np.full(grid.shape[:2], INTER, np.uint8)
    grid[: 16 // block, 16 // block : 32 // block] = (6, -2)
    grid[-1, -1], kind[-1, -1] = (8, 8), INTRA
    assert arrows_of_grid(grid, kind, block).tolist() == [[*place, 1.5, -0.5] for place in places]


def test_a_wave_of_no_samples_or_few_is_drawn():
    for samples in (np.zeros(0, np.int16), np.array([-32768, 32767, 0], np.int16)):
        strip = np.zeros((21, 10, 3), np.uint8)
        draw_wave(strip, samples, [0.0, 1.0])
        assert strip[:, 0].any()
    assert strip[20].any()
    assert strip[0].any()
