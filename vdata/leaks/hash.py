"""A picture as 256 bits that hardly change when it is encoded, scaled or brightened again.

The bits are the signs of the 256 lowest frequencies of a discrete cosine transform. A mirrored picture has the same ones with
known signs turned, so mirrored copies cost no second hash.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["MIRRORED", "NUM_WORDS", "frame_distances", "hash_picture"]

Luma = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]

NUM_WORDS = 4
"""Of 64 bits in a hash; the first holds the lowest frequencies."""
_SIDE = 32
"""Pixels to which a picture is brought."""
_WORD = 64
_ZIGZAG = [(diagonal - column, column) for diagonal in range(1, _SIDE) for column in range(diagonal + 1)][: NUM_WORDS * _WORD]
"""(row, column) of the frequencies, lowest first, without the mean."""
# Neighbouring frequencies go to different blocks of the search, so that none is of those alone that most pictures share.
_FREQUENCIES = [_ZIGZAG[word * _WORD + 8 * (bit % 8) + bit // 8] for word in range(NUM_WORDS) for bit in range(_WORD)]
_ROWS, _COLUMNS = np.array(_FREQUENCIES).T

_NOISE = 4.0
"""A coefficient below stands for a wave of less than a quarter of a grey level, which no encoder keeps."""
_BAR_STEP, _BAR_NOISE = 6.0, 3.0
"""Grey levels: rows of a bar have nearly one mean, and vary less within. x264 at crf 38 left 1.2 in a black bar."""
_LEAST_PART = 2
"""Less than one part of so many of a side is no picture but a mistake about its bars."""


def hash_picture(luma: Luma, min_sure_bits: int) -> Hashes | None:
    """The hash of a picture, uint64 (4,), or None of one without content.

    Bars of one colour above, below and beside the picture are left out: a letterboxed copy has the hash of the picture, and two
    letterboxed films do not match by their bars.

    Args:
        luma: uint8 (H, W).
        min_sure_bits: of the first 64 bits, how many must stand above noise.

    Source: our own choice among cv2.img_hash's PHash and BlockMeanHash, a difference hash, PDQ's 16 x 16 signs against the median
    and these: on 41 real videos all of 64 bits did alike, and none of them told a new encode (0 to 2 bits) from
    another recording of the same person before the same wall (0 to 14 bits), so 64 bits search and 256 decide. PDQ's own package
    has to be compiled.
    """
    picture = luma[_without_bars(luma)]
    small = cv2.resize(np.ascontiguousarray(picture, np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    waves = cv2.dct(small)[_ROWS, _COLUMNS]
    if np.count_nonzero(np.abs(waves[:_WORD]) >= _NOISE) < min_sure_bits:
        return None
    words: Hashes = np.packbits(waves > 0, bitorder="little").view("<u8").astype(np.uint64)
    return words


def frame_distances(first: Hashes, second: Hashes) -> npt.NDArray[np.int64]:
    """In how many of 256 bits hashes (..., 4) differ, (...)."""
    return np.asarray(np.bitwise_count(first ^ second).sum(axis=-1, dtype=np.int64))


def _without_bars(luma: Luma) -> tuple[slice, slice]:
    """The rows and columns of the picture within its bars."""
    rows = _inner(luma)
    return rows, _inner(luma[rows].T)


def _inner(lines: Luma) -> slice:
    """From the first line that is not of a bar's one colour to the last; all if that leaves too few."""
    first, last = _bar(lines), len(lines) - _bar(lines[::-1])
    return slice(first, last) if last - first >= len(lines) // _LEAST_PART else slice(0, len(lines))


def _bar(lines: Luma) -> int:
    """How many lines from the first on are of one colour."""
    if lines[0].std() >= _BAR_NOISE:
        # Most pictures have no bar, and this spares a fifth of the time of all.
        return 0
    means = lines.mean(axis=1)
    plain = (lines.std(axis=1) < _BAR_NOISE) & (np.abs(means - means[0]) < _BAR_STEP)
    return int(np.argmin(plain)) if not plain.all() else 0


MIRRORED = np.packbits(_COLUMNS % 2 == 1, bitorder="little").view("<u8").astype(np.uint64)
"""(4,): the bits that turn when a picture is mirrored left to right. Waves of odd frequency change sign, others stay."""
