"""Arrays as the bytes of an npy member, and back: what the codecs of single fields share."""

from __future__ import annotations

import io
import tokenize
from typing import Any

import numpy as np
import numpy.typing as npt

from vdata.errors import CorruptShardError

__all__ = ["UNREADABLE", "dump_npy", "load_npy"]

UNREADABLE = (ValueError, TypeError, SyntaxError, EOFError, OSError, tokenize.TokenError)
"""What NumPy raises at bytes that are no npy: it reads the header as Python's text."""


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
        array: npt.NDArray[Any] = np.load(io.BytesIO(member), allow_pickle=False)
    except UNREADABLE as error:
        raise CorruptShardError(f"a member of {len(member)} bytes is no {name}: {error}") from error
    return array
