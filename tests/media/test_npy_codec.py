"""Arrays as bytes, and back."""

from __future__ import annotations

import io

import numpy as np
import pytest

from vdata.errors import CorruptShardError
from vdata.media.npy_codec import dump_npy, load_npy


@pytest.mark.parametrize("array", [np.arange(6, dtype="<i4").reshape(2, 3), np.zeros(0, "<f2"), np.ones((2, 2), "u1")[:, :1]])
def test_what_is_dumped_is_loaded(array):
    member = dump_npy(array)
    assert member == dump_npy(array.copy())
    for loaded in (load_npy(member, "x.npy"), np.load(io.BytesIO(member))):
        assert loaded.dtype == array.dtype
        assert np.array_equal(loaded, array)


def test_what_is_no_npy_is_refused():
    pickled = io.BytesIO()
    np.save(pickled, np.array([{}], object), allow_pickle=True)
    for content in (b"", b"no npy", dump_npy(np.arange(100))[:200], pickled.getvalue()):
        with pytest.raises(CorruptShardError, match=rf"{len(content)} bytes is no x\.npy"):
            load_npy(content, "x.npy")


def test_objects_are_not_dumped():
    with pytest.raises(ValueError, match="allow_pickle"):
        dump_npy(np.array([{}], object))
