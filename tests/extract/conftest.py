"""ONNX models whose answers are known, in every convention: they find a picture's one bright rectangle. And such pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import onnx.parser
import pytest

from vdata.media.clip import EncodedClip
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.records import Video

# N pictures `values` (N, 3, H, W) whose rectangle is above `limit` -> its corners x0, y0, x1, y1 (N, 1) and score, 0.9 or 0.
_FIND = """
  channel = Constant <value_ints = [1]> ()
  last = Constant <value_ints = [2]> ()
  above = Greater (least, limit)
  least = ReduceMin <keepdims = 0> (values, channel)
  mask = Cast <to = 1> (above)
  across = ReduceMax <keepdims = 0> (mask, channel)
  down = ReduceMax <keepdims = 0> (mask, last)
  x0_whole = ArgMax <axis = 1> (across)
  y0_whole = ArgMax <axis = 1> (down)
  x1_whole = ArgMax <axis = 1, select_last_index = 1> (across)
  y1_whole = ArgMax <axis = 1, select_last_index = 1> (down)
  x0 = Cast <to = 1> (x0_whole)
  y0 = Cast <to = 1> (y0_whole)
  x1_before = Cast <to = 1> (x1_whole)
  y1_before = Cast <to = 1> (y1_whole)
  one = Constant <value_float = 1.0> ()
  x1 = Add (x1_before, one)
  y1 = Add (y1_before, one)
  there = ReduceMax <keepdims = 1> (across, channel)
  sure = Constant <value_float = 0.9> ()
  score = Mul (there, sure)
  none = Sub (x0, x0)
  class = Add (none, one)
  half = Constant <value_float = 0.5> ()
  width = Sub (x1, x0)
  height = Sub (y1, y0)
  x_sum = Add (x0, x1)
  y_sum = Add (y0, y1)
  x = Mul (x_sum, half)
  y = Mul (y_sum, half)
"""

# What each convention makes of them; class 1 everywhere.
_ANSWERS = {
    "torchvision": (
        "float[K, 4] boxes, int64[K] labels, float[K] scores",
        """
        boxes = Concat <axis = 1> (x0, y0, x1, y1)
        labels_table = Cast <to = 7> (class)
        labels = Squeeze (labels_table, channel)
        scores = Squeeze (score, channel)
        """,
    ),
    "mmdet": (
        "float[N, K, 5] dets, int64[N, K] labels",
        """
        row = Concat <axis = 1> (x0, y0, x1, y1, score)
        dets = Unsqueeze (row, channel)
        labels = Cast <to = 7> (class)
        """,
    ),
    # Twelve times the same row, to be suppressed.
    "yolo": (
        "float[N, 12, 7] output0",
        """
        row = Concat <axis = 1> (x, y, width, height, score, none, one_each)
        one_each = Add (none, one)
        rows = Unsqueeze (row, channel)
        times = Constant <value_ints = [1, 12, 1]> ()
        output0 = Tile (rows, times)
        """,
    ),
    "yolo_v8": (
        "float[N, 6, 12] output0",
        """
        column = Concat <axis = 1> (x, y, width, height, none, score)
        columns = Unsqueeze (column, last)
        times = Constant <value_ints = [1, 1, 12]> ()
        output0 = Tile (columns, times)
        """,
    ),
    "end_to_end": (
        "float[N, 1, 6] output0",
        """
        row = Concat <axis = 1> (x0, y0, x1, y1, score, class)
        output0 = Unsqueeze (row, channel)
        """,
    ),
    # Maps of 16 x 16 cells on an input of 64 x 64: the heat falls off with the distance from the centre.
    "centernet": (
        "float[N, 2, 16, 16] hm, float[N, 2, 16, 16] wh, float[N, 2, 16, 16] reg",
        """
        quarter = Constant <value_float = 0.25> ()
        both = Constant <value_ints = [1, 2]> ()
        x_cells = Mul (x, quarter)
        y_cells = Mul (y, quarter)
        x_centre = Unsqueeze (x_cells, both)
        y_centre = Unsqueeze (y_cells, both)
        x_off = Sub (x_centre, grid_x)
        y_off = Sub (y_centre, grid_y)
        flat = Mul (grid_x, zero)
        flat_too = Mul (grid_y, zero)
        zero = Constant <value_float = 0.0> ()
        flat_grid = Add (flat, flat_too)
        x_map = Add (x_off, flat_grid)
        y_map = Add (y_off, flat_grid)
        reg = Concat <axis = 1> (x_map, y_map)
        x_square = Mul (x_map, x_map)
        y_square = Mul (y_map, y_map)
        distance = Add (x_square, y_square)
        fall = Neg (distance)
        bell = Exp (fall)
        score_map = Unsqueeze (score, both)
        warm = Mul (bell, score_map)
        cold = Mul (warm, zero)
        hm = Concat <axis = 1> (cold, warm)
        width_cells = Mul (width, quarter)
        height_cells = Mul (height, quarter)
        width_one = Unsqueeze (width_cells, both)
        height_one = Unsqueeze (height_cells, both)
        width_map = Add (width_one, flat_grid)
        height_map = Add (height_one, flat_grid)
        wh = Concat <axis = 1> (width_map, height_map)
        """,
    ),
}

# The ways in: each makes `values` (N, 3, H, W) in [0, 1] of the input.
_INPUTS = {
    "nchw": ("float[N, 3, {size}] images", "values = Identity (images)"),
    "one": ("float[1, 3, {size}] images", "values = Identity (images)"),
    "five": ("float[5, 3, {size}] images", "values = Identity (images)"),
    "nhwc": ("float[N, {size}, 3] images", "values = Transpose <perm = [0, 3, 1, 2]> (images)"),
    "chw": ("float[3, {size}] image", "batch = Constant <value_ints = [0]> ()\n  values = Unsqueeze (image, batch)"),
    "half": ("float16[N, 3, {size}] images", "values = Cast <to = 1> (images)"),
    "bytes": (
        "uint8[N, {size}, 3] images",
        """
        numbers = Cast <to = 1> (images)
        most = Constant <value_float = 255.0> ()
        shares = Div (numbers, most)
        values = Transpose <perm = [0, 3, 1, 2]> (shares)
        """,
    ),
}

_CELLS = ", ".join(str(cell) for cell in range(16))


CONVENTIONS, WAYS = tuple(_ANSWERS), tuple(_INPUTS)


@pytest.fixture
def bright_model(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes the model of a convention and a way in, whose input has `size`, and returns its path."""

    def write(convention: str, way: str = "nchw", size: str = "64, 64") -> Path:
        (given, read), (answers, tell) = _INPUTS[way], _ANSWERS[convention]
        grids = f"float[1, 1, 1, 16] grid_x = {{{_CELLS}}}, float[1, 1, 16, 1] grid_y = {{{_CELLS}}}"
        constants = "float limit = {0.5}" + (f", {grids}" if "grid_x" in tell else "")
        nodes = _in_order(f"{read}\n{_FIND}\n{tell}")
        head = '<ir_version: 10, opset_import: ["": 18]>'
        text = f"{head} bright ({given.format(size=size)}) => ({answers}) <{constants}> {{ {nodes} }}"
        path = tmp_path / f"{convention}-{way}.onnx"
        path.write_bytes(onnx.parser.parse_model(text).SerializeToString())
        return path

    return write


@pytest.fixture
def bright_clip(tmp_path: Path) -> Callable[..., EncodedClip]:
    """A function that makes a clip of black pictures, each with a white rectangle (x0, y0, x1, y1) or none; GOP 2."""

    def make(rectangles: list[tuple[int, int, int, int] | None], size: tuple[int, int] = (160, 96)) -> EncodedClip:
        with av.open(str(tmp_path / "bright.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.options = {"crf": "1"}
            for rectangle in rectangles:
                picture = np.zeros((size[1], size[0], 3), np.uint8)
                if rectangle:
                    x0, y0, x1, y1 = rectangle
                    picture[y0:y1, x0:x1] = 255
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            container.mux(stream.encode())
        config = ClipConfig(short_side=min(size), gop=2, crf=1)
        (clip,) = cut(tmp_path, Video("bright", "bright.mp4"), config, LimitConfig())
        return clip

    return make


def _in_order(text: str) -> str:
    """The lines `name = Op (inputs)` so that each comes after those that it needs."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    waiting = {line.partition(" = ")[0]: line for line in lines}
    needs = {name: line.rpartition("(")[2].rstrip(")").split(", ") for name, line in waiting.items()}
    ordered = []
    while waiting:
        name = next(name for name in waiting if not any(need in waiting for need in needs[name]))
        ordered.append(waiting.pop(name))
    return "\n".join(ordered)
