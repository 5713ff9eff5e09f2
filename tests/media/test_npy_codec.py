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


def test_a_damaged_member_is_refused_or_read_and_nothing_else():
    """NumPy reads the header as Python's text, and some damage makes its tokenizer stumble."""
    rng, good, refused = np.random.default_rng(0), dump_npy(np.zeros(30, [("frame", "<i4"), ("x0", "<f4")])), 0
    for _ in range(400):
        damaged = bytearray(good)
        damaged[rng.integers(128)] = rng.integers(256)
        try:
            load_npy(bytes(damaged), "x.npy")
        except CorruptShardError:
            refused += 1
    assert refused > 200


TABLE = np.dtype([("frame", "<i4"), ("score", "<f4"), ("source", "u1")])


@pytest.mark.parametrize(
    "array", [np.arange(5, dtype="<i8"), np.ones((2, 0, 3), "<f2"), np.zeros(4, TABLE), np.array([7], "<i2"), np.ones(3, bool)]
)
def test_threads_need_no_parser_of_pythons(monkeypatch, array):
    """CPython's fails now and then where several threads are in it; NumPy asks it for every header."""
    member = dump_npy(array)
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("NumPy read the header"))
    found = load_npy(member, "x.npy")
    assert found.dtype == array.dtype
    assert found.flags.writeable
    assert np.array_equal(found, array)


def test_arrays_of_other_writers_are_read_by_numpy():
    array = np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3))
    target = io.BytesIO()
    np.lib.format.write_array(target, array, version=(2, 0))
    assert np.array_equal(load_npy(target.getvalue(), "x.npy"), array)
