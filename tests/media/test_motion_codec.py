"""The npz members of motion: fixed bytes, whole round trips, and no member that is not as promised."""

from __future__ import annotations

import io
import time
import zipfile

import numpy as np
import pytest

from vdata.errors import CorruptShardError
from vdata.media.motion_codec import dump_grid, dump_vectors, load_grid, load_vectors

RNG = np.random.default_rng(0)
GRID = RNG.integers(-300, 300, (5, 3, 4, 2)).astype(np.int16)
KIND = RNG.integers(0, 3, (5, 3, 4)).astype(np.uint8)
ROWS = RNG.integers(-1000, 1000, (7, 10)).astype(np.int32)
OFFSETS = np.array([0, 0, 3, 3, 7])


def npz(**arrays) -> bytes:
    target = io.BytesIO()
    np.savez(target, **arrays)
    return target.getvalue()


def test_grid_comes_back():
    grid, kind = load_grid(dump_grid(GRID, KIND))
    assert grid.dtype == np.int16
    assert np.array_equal(grid, GRID)
    assert np.array_equal(kind, KIND)


def test_vectors_come_back_frame_by_frame():
    frames = load_vectors(dump_vectors(ROWS, OFFSETS))
    assert [len(frame) for frame in frames] == [0, 3, 0, 4]
    assert all(frame.dtype == np.int32 for frame in frames)
    assert np.array_equal(np.concatenate(frames), ROWS)
    assert [frame.shape for frame in load_vectors(dump_vectors(ROWS[:0], OFFSETS[:2]))] == [(0, 10)]
    assert load_vectors(dump_vectors(ROWS[:0], OFFSETS[:1])) == []


def test_bytes_do_not_depend_on_the_clock_or_the_memory_order(monkeypatch):
    first = dump_grid(GRID, KIND)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(2e9))
    assert dump_grid(np.asfortranarray(GRID), KIND[:, ::-1][:, ::-1]) == first
    assert dump_grid(GRID + 1, KIND) != first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize(
    "member",
    [
        b"",
        b"not a zip",
        dump_grid(GRID, KIND)[:-30],
        dump_grid(GRID, KIND)[:100] + b"\xff\xff\xff\xff" + dump_grid(GRID, KIND)[104:],
        dump_vectors(ROWS, OFFSETS),
        npz(grid=GRID),
        npz(grid=GRID.astype(np.int32), kind=KIND),
        npz(grid=GRID, kind=KIND[1:]),
        npz(grid=np.array([{}], dtype=object), kind=KIND),
    ],
)
def test_other_bytes_are_no_grid(member):
    with pytest.raises(CorruptShardError, match=r"motion\.npz"):
        load_grid(member)


@pytest.mark.parametrize(
    "member",
    [
        dump_grid(GRID, KIND),
        npz(rows=ROWS, offsets=OFFSETS[:-1]),
        npz(rows=ROWS[:, :9], offsets=OFFSETS),
        npz(rows=ROWS, offsets=OFFSETS[:0]),
        npz(rows=ROWS.astype(float), offsets=OFFSETS),
    ],
)
def test_other_bytes_are_no_vectors(member):
    with pytest.raises(CorruptShardError, match=r"vectors\.npz"):
        load_vectors(member)


@pytest.mark.parametrize("place", ["version", "flags", "method"])
def test_damaged_fields_of_the_archive_are_refused(place):
    """Python's zipfile answers these with NotImplementedError and RuntimeError."""
    damaged = bytearray(dump_grid(GRID, KIND))
    entry = damaged.index(b"PK\x01\x02")
    damaged[entry + {"version": 6, "flags": 8, "method": 10}[place]] = {"version": 99, "flags": 1, "method": 77}[place]
    with pytest.raises(CorruptShardError, match=r"is no motion\.npz"):
        load_grid(bytes(damaged))
