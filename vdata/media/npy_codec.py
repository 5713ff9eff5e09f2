"""Arrays as the bytes of an npy member, and back: what the codecs of single fields share.

NumPy reads an npy's header by Python's parser, and CPython's parser fails now and then where several threads are in it ("AST
constructor recursion depth mismatch", seen with 3.11.7: in one of a thousand reads under pressure, in a test of the loader by
itself). The loader's threads read members all the time, so headers as `dump_npy` writes them are read here.
"""

from __future__ import annotations

import io
import re
import tokenize
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from vdata.errors import CorruptShardError

__all__ = ["UNREADABLE", "dump_npy", "load_npy", "parse_npy"]

UNREADABLE = (ValueError, TypeError, SyntaxError, EOFError, OSError, tokenize.TokenError)
"""What NumPy raises at bytes that are no npy: it reads the header as Python's text."""

_FORMAT = r"'([<|][biuf]\d+)'"
_HEADER = re.compile(
    rf"\{{'descr': (?:{_FORMAT}|\[((?:\('\w+', {_FORMAT}\)(?:, )?)+)\]), 'fortran_order': False, 'shape': \(([\d, ]*)\), \}} *\n"
)
"""A header of version 1: a plain type or the columns of a table, and the shape."""
_COLUMN = re.compile(rf"\('(\w+)', {_FORMAT}\)")
_MAGIC = b"\x93NUMPY\x01\x00"
_HEAD = len(_MAGIC) + 2
"""Bytes before the header: the magic, and the header's length."""


def dump_npy(array: npt.NDArray[Any]) -> bytes:
    """An npy of the array, without pickle. Equal arrays give equal bytes."""
    target = io.BytesIO()
    np.lib.format.write_array(target, np.ascontiguousarray(array), allow_pickle=False)
    return target.getvalue()


def load_npy(member: bytes, name: str) -> npt.NDArray[Any]:
    """The array of a member; `name` is its extension, for the error.

    Raises:
        CorruptShardError: the bytes are no npy.
    """
    try:
        return parse_npy(member)
    except UNREADABLE as error:
        raise CorruptShardError(f"a member of {len(member)} bytes is no {name}: {error}") from error


def parse_npy(data: bytes) -> npt.NDArray[Any]:
    """The array of an npy's bytes.

    Raises:
        Exception: one of UNREADABLE if they are none.
    """
    end = _HEAD + int.from_bytes(data[len(_MAGIC) : _HEAD], "little")
    header = _HEADER.fullmatch(data[_HEAD:end].decode("latin-1")) if data.startswith(_MAGIC) else None
    if header is None:
        # Of another writer.
        array: npt.NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False)
        return array
    plain, columns, _, sides = header.groups()
    dtype = np.dtype(plain or _COLUMN.findall(columns))
    shape = tuple(int(side) for side in sides.split(",") if side.strip())
    if len(data) - end != prod(shape) * dtype.itemsize:
        raise ValueError(f"{len(data) - end} bytes are not {shape} of {dtype}")
    return np.frombuffer(data, dtype, offset=end).reshape(shape).copy()
