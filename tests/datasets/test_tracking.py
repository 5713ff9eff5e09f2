"""What the tracking datasets share: rows of numbers as boxes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from vdata.datasets._tracking import given_boxes, has_area, read_rectangles
from vdata.errors import ConfigError


@pytest.mark.parametrize(
    "content",
    [
        "1,2,3,4\n5,6,7.5,-8",
        "1\t2\t3\t4\n5\t6\t7.5\t-8\n",
        "1 2 3 4\r\n5 6 7.5 -8\r\n\r\n",
        # As row 496 of BlurCar1: another separator than its neighbours.
        "1\t2\t3\t4\n5 6 7.5 -8\n",
        "1, 2, 3, 4\n5.0000,6.0,7.5,-8e0\n",
        "\ufeff1,2,3,4\n5,6,7.5,-8\n",
    ],
)
def test_every_separator(tmp_path, content):
    (tmp_path / "t.txt").write_text(content, newline="")
    assert read_rectangles("x", tmp_path / "t.txt").tolist() == [[1, 2, 3, 4], [5, 6, 7.5, -8]]


def test_one_row_and_none(tmp_path):
    (tmp_path / "t.txt").write_text("198,214,34,81")
    assert read_rectangles("x", tmp_path / "t.txt").tolist() == [[198, 214, 34, 81]]
    (tmp_path / "t.txt").write_text("\n\n")
    assert read_rectangles("x", tmp_path / "t.txt").shape == (0, 4)


@pytest.mark.parametrize("line", ["1,2,3", "1,2,3,4,5", "a,2,3,4", "# 1 2 3 4", "1 2 3 4 # x", "1;2;3;4", "\0\0"])
def test_a_line_that_is_no_row_is_named(tmp_path, line):
    (tmp_path / "t.txt").write_text(f"1,2,3,4\n{line}\n")
    with pytest.raises(ConfigError, match=r"x: '.*t.txt' line 2: found .*, a line must be x, y, width, height$"):
        read_rectangles("x", tmp_path / "t.txt")


def test_a_blank_line_between_rows_is_no_row(tmp_path):
    (tmp_path / "t.txt").write_text("1,2,3,4\n\n5,6,7,8\n")
    assert len(read_rectangles("x", tmp_path / "t.txt")) == 2


def test_what_is_a_box():
    rows = np.array(
        [[0, 0, 1, 1], [-5, -5, 2, 2], [1, 1, 0, 5], [1, 1, 5, 0], [-1, -1, -1, -1], [np.nan, 1, 2, 2], [1, 1, 2, np.inf]]
    )
    assert has_area(rows).tolist() == [True, True, False, False, False, False, False]


def test_corners_count_from_zero_and_times_from_the_start():
    rows = np.array([[1, 1, 320, 240], [9, 9, 0, 0], [11, 21, 2, 4.5]])
    boxes = given_boxes(rows, Fraction(30000, 1001), has_area(rows), [1, 0.5, 0.25])
    # The first row is the whole of a picture of 320 by 240.
    corners = np.stack([boxes.table[name] for name in ("x0", "y0", "x1", "y1")], axis=1)
    assert corners.tolist() == [[0, 0, 320, 240], [10, 20, 12, 24.5]]
    assert boxes.table["seconds"].tolist() == pytest.approx([0, 2 * 1001 / 30000], rel=1e-12)
    assert boxes.table["score"].tolist() == [1, 0.25]
    assert boxes.table["class"].tolist() == [0, 0]
    # The source's own pixels.
    assert (boxes.width, boxes.height) == (0, 0)
    assert rows[0].tolist() == [1, 1, 320, 240]
