"""The bytes of the two motion members, `motion.npz` and `vectors.npz`, and back.

Apart from the extractor that fills them because readers of shards need the way back and import no extractor.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from vdata.errors import CorruptShardError
from vdata.media.npy_codec import UNREADABLE, parse_npy
from vdata.media.vectors import ROW_COLUMNS

__all__ = ["INTER", "INTRA", "SKIP", "dump_grid", "dump_vectors", "load_grid", "load_vectors"]

_LEVEL = 4

INTER, SKIP, INTRA = 0, 1, 2
"""Values of `kind`: coded with a vector; skipped, so the vector is a prediction and nothing was added; coded without a vector."""


def dump_grid(grid: npt.NDArray[np.int16], kind: npt.NDArray[np.uint8]) -> bytes:
    """A compressed npz of `grid` int16 (T, h, w, 2) and `kind` uint8 (T, h, w). Equal arrays give equal bytes."""
    return _dump(grid=grid.astype("<i2", copy=False), kind=kind.astype("u1", copy=False))


def dump_vectors(rows: npt.NDArray[np.int32], offsets: npt.NDArray[np.int64]) -> bytes:
    """A compressed npz of `rows` int32 (N, 10) and `offsets` int64 (T + 1,). Equal arrays give equal bytes."""
    return _dump(rows=rows.astype("<i4", copy=False), offsets=offsets.astype("<i8", copy=False))


def load_grid(member: bytes) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
    """`grid` int16 (T, h, w, 2), (dx, dy) = dst - src in quarter pixels a frame, and `kind` uint8 (T, h, w): INTER, SKIP, INTRA.

    Raises:
        CorruptShardError: the bytes are no `motion.npz`.
    """
    grid, kind = _load(member, "motion.npz", ("grid", "kind"))
    if grid.dtype != np.int16 or kind.dtype != np.uint8 or grid.shape != (*kind.shape, 2):
        raise CorruptShardError(f"motion.npz holds {_shapes(grid, kind)}, not int16 (T, h, w, 2) and uint8 (T, h, w)")
    return grid, kind


def load_vectors(member: bytes) -> list[npt.NDArray[np.int32]]:
    """The vector rows of every frame, int32 (N, 10), columns as vdata.media.vectors.ROW_COLUMNS (motion = src - dst).

    Raises:
        CorruptShardError: the bytes are no `vectors.npz`.
    """
    rows, offsets = _load(member, "vectors.npz", ("rows", "offsets"))
    whole = rows.dtype == np.int32 and rows.ndim == 2 and rows.shape[1] == len(ROW_COLUMNS)  # noqa: PLR2004 - a table
    if not whole or offsets.ndim != 1 or len(offsets) == 0 or offsets[-1] != len(rows):
        raise CorruptShardError(f"vectors.npz holds {_shapes(rows, offsets)}, not int32 (N, 10) and int64 (T + 1,)")
    return np.split(rows, offsets[1:-1]) if len(offsets) > 1 else []


def _dump(**arrays: npt.NDArray[Any]) -> bytes:
    """An npz as np.savez_compressed writes it, undated: the bytes depend on the arrays, NumPy and zlib alone.

    That function offers no level. zlib's 4 took 2.0 ms in place of 6.6 for a grid of 175 frames at 352x256, +3 % bytes.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, array in arrays.items():
            entry = io.BytesIO()
            np.lib.format.write_array(entry, np.ascontiguousarray(array), allow_pickle=False)
            # A ZipInfo of its own has the first date that zip knows, not today's.
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), entry.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
    return target.getvalue()


def _load(member: bytes, kind: str, names: tuple[str, str]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(member)) as archive:
            first, second = (parse_npy(archive.read(f"{name}.npy")) for name in names)
            return first, second
    # RuntimeError: damaged flags say that the archive is encrypted, or made by a zip of the future.
    except (*UNREADABLE, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise CorruptShardError(f"a member of {len(member)} bytes is no {kind} with {' and '.join(names)}: {error}") from error


def _shapes(*arrays: npt.NDArray[Any]) -> str:
    return " and ".join(f"{array.dtype} {array.shape}" for array in arrays)
