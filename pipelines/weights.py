"""How often a unit comes in an epoch, where not all come once: classes balanced, datasets mixed, units weighed one by one."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from pipelines.clips import folder_numbers
from pipelines.philox import ORDER, raw_numbers
from pipelines.units import Units
from vdata.config import check
from vdata.errors import ConfigError, UnknownNameError

__all__ = ["Shares", "Weights", "copies", "expected_copies"]

FOLDER = "folder"
"""Stands for a column: the number of a clip's folder in the list of paths."""

_COPIES = 5
"""Part of the stream ORDER, beside those of `pipelines.deck` and `pipelines.dealing`."""
_ONE = 2**32
"""Copies are counted in parts of this, as integers, so that equal weights come to one copy each and not to nearly one."""

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shares:
    """The share of an epoch that each value of a column gets, whatever number of units has it; those share it equally."""

    by: str = "label"
    """A column of numbers, truths or text, as `label`, `dataset`, `split`; or `folder`, the number of the path in a list of
    paths. A video has the value of its first clip."""
    shares: Mapping[Any, float] | None = None
    """What each value gets, in any unit, as {"ucf101": 1, "hmdb51": 2}: every value must be named, 0 leaves its units out. A
    value may stand as its text, as a TOML key does. None gives all values the same."""

    def __post_init__(self) -> None:
        """Checks the numbers."""
        check(bool(self.by), "weights.by", self.by, "must name a column, or be 'folder'")
        if self.shares is None:
            return
        for value, share in self.shares.items():
            number = isinstance(share, int | float) and not isinstance(share, bool) and math.isfinite(share) and share >= 0
            check(number, f"weights.shares.{value}", share, "must be a number of at least 0")
        check(any(self.shares.values()), "weights.shares", dict(self.shares), "must give a value more than 0")
        names = [str(value) for value in self.shares]
        check(len(set(names)) == len(names), "weights.shares", dict(self.shares), "must not name one value twice")


Weights = Shares | npt.NDArray[Any]
"""Shares, or one number for each unit or for each clip of the index: how often units come beside one another."""


def expected_copies(units: Units, weights: Weights) -> Longs:
    """(U + 1,) how often the units come in an epoch of U positions on average, summed from the first on, in parts of 2**32.

    A unit of several clips weighs the mean of its clips' numbers.

    Raises:
        UnknownNameError: Shares by a column that no folder has.
        ConfigError: a column without such values, a value without a share or of no unit, or numbers that are no weights.
    """
    each = _by_shares(units, weights) if isinstance(weights, Shares) else _by_numbers(units, weights)
    each *= len(units) * float(_ONE) / each.sum()
    parts = np.rint(each, out=each).astype(np.int64)
    # Rounding leaves less than half a part a unit, a thousandth of a copy in ten million units.
    parts[np.argmax(parts)] += len(units) * _ONE - parts.sum()
    expected = np.zeros(len(units) + 1, np.int64)
    np.cumsum(parts, out=expected[1:])
    return expected


def copies(expected: Longs, seed: int, epoch: int) -> Longs:
    """(U,) how often every unit comes in the epoch, U in all: less than one from what is expected, and on average just that.

    Source: systematic resampling (Kitagawa 1996, "Monte Carlo filter and smoother", appendix): one random number for all units.
    """
    shift = int(raw_numbers(seed, [0, _COPIES, ORDER, epoch], 1)[0]) % _ONE
    whole = expected + shift
    whole //= _ONE
    return np.diff(whole)


def _by_numbers(units: Units, weights: npt.NDArray[Any]) -> Floats:
    num_units, num_clips = len(units), len(units.clips)
    is_flat = weights.ndim == 1 and weights.dtype.kind in "fiu"
    check(is_flat, "weights", f"{weights.dtype} {weights.shape}", "must be Shares or a flat array of numbers")
    rule = f"must be one for each of {num_units} units or of {num_clips} clips of the index"
    check(len(weights) in (num_units, num_clips), "number of weights", len(weights), rule)
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(bad):
        raise ConfigError(f"weights[{bad[0]}] ({weights[bad[0]]}) must be a finite number of at least 0")
    each = weights.astype(np.float64)
    each = each if len(each) == num_units else units.mean(each)
    check(bool(each.any()), "weights", 0, "must be more than 0 for one unit at least")
    return each


def _by_shares(units: Units, asked: Shares) -> Floats:
    which, values = _values(units, asked.by)
    counts = np.bincount(which, minlength=len(values))
    shares = np.ones(len(values)) if asked.shares is None else _shares(asked, values)
    num_left_out = int(counts[shares == 0].sum())
    if num_left_out:
        _log.warning("weights by '%s' leave out %d of %d units, whose share is 0", asked.by, num_left_out, len(units))
    return (shares / counts)[which]


def _shares(asked: Shares, values: list[Any]) -> Floats:
    """(len(values),) the share of each."""
    named = {str(value): share for value, share in (asked.shares or {}).items()}
    known = {str(value): None for value in values}
    for name in named:
        if name not in known:
            raise UnknownNameError(f"value of '{asked.by}'", name, known)
    for name in known:
        rule = "has no share, and there are clips with it: give it one in weights.shares, 0 to leave them out"
        check(name in named, f"weights.by '{asked.by}'", name, rule)
    return np.array([named[name] for name in known], np.float64)


def _values(units: Units, by: str) -> tuple[npt.NDArray[np.int32], list[Any]]:
    """(U,) which value every unit has, and the values that there are."""
    column = _folders(units) if by == FOLDER else _column(units, by)
    rule = f"has no value in {column.null_count} of {len(units)} units: leave them out with where='{by} is not None'"
    check(column.null_count == 0, "weights.by", by, rule)
    coded = column.combine_chunks().dictionary_encode()
    return coded.indices.to_numpy(), coded.dictionary.to_pylist()


def _folders(units: Units) -> pa.ChunkedArray:
    return pa.chunked_array([folder_numbers(units.clips, units.first_clip)])


def _column(units: Units, by: str) -> pa.ChunkedArray:
    """(U,) the column as the units' first clips have it, a NaN as null."""
    schema = units.clips.schema
    if by not in schema.names:
        raise UnknownNameError("column", by, [*schema.names, FOLDER])
    kind = schema.field(by).type
    plain = any(of_kind(kind) for of_kind in (kinds.is_integer, kinds.is_floating, kinds.is_boolean, kinds.is_string))
    check(plain, "weights.by", by, f"must be a column of numbers, truths or text, this one is {kind}")
    column = units.clips.table([by])[by].take(pa.array(units.first_clip))
    return pc.if_else(pc.is_nan(column), None, column) if kinds.is_floating(kind) else column
