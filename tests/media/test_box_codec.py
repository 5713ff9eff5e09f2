"""Boxes as bytes, and back."""

from __future__ import annotations

import io

import numpy as np
import pytest

from vdata.errors import ConfigError, CorruptShardError
from vdata.media.box_codec import BOX, BOX_SOURCES, boxes_of, dump_boxes, load_boxes


def test_what_is_dumped_is_loaded():
    parts = [boxes_of(0, [[0, 1, 2, 3], [4, 5, 6.5, 7]], "slic", classes=[0, 1]), boxes_of(12, [[1, 1, 9, 9]], "person", 0.5)]
    boxes = load_boxes(dump_boxes(parts))
    assert boxes["frame"].tolist() == [0, 0, 12]
    assert [boxes[name].tolist() for name in ("x0", "y0", "x1", "y1")] == [[0, 4, 1], [1, 5, 1], [2, 6.5, 9], [3, 7, 9]]
    assert boxes["score"].tolist() == [1, 1, 0.5]
    assert [BOX_SOURCES[number] for number in boxes["source"]] == ["slic", "slic", "person"]
    assert boxes["class"].tolist() == [0, 1, -1]


def test_no_boxes_are_an_array_of_none():
    for parts in ([], [boxes_of(3, [], "slic")]):
        boxes = load_boxes(dump_boxes(parts))
        assert boxes.dtype == BOX
        assert boxes.shape == (0,)


def test_equal_boxes_give_equal_bytes_and_any_reader_reads_them():
    one, other = (dump_boxes([boxes_of(0, [[0, 1, 2, 3]], "slic")]) for _ in range(2))
    assert one == other
    assert np.load(io.BytesIO(one), allow_pickle=False)["x1"].tolist() == [2]


def test_other_arrays_are_refused():
    with pytest.raises(ConfigError, match="boxes"):
        dump_boxes([np.zeros(2, np.dtype([("frame", "i4")]))])


@pytest.mark.parametrize("content", [b"", b"no npy", dump_boxes([])[:-200]])
def test_what_is_no_npy_is_refused(content):
    with pytest.raises(CorruptShardError, match=r"is no boxes\.npy"):
        load_boxes(content)


def test_an_npy_of_other_columns_is_refused():
    target = io.BytesIO()
    np.save(target, np.zeros((2, 5), np.float32))
    with pytest.raises(CorruptShardError, match="columns frame, x0"):
        load_boxes(target.getvalue())
