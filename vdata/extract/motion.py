"""Motion of every frame, as the encoder of the clip's own P-only stream found it: a dense grid, or the vectors themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from vdata.config import check
from vdata.errors import ContractError
from vdata.extract import EXTRACTORS, Extracted
from vdata.media.clip import EncodedClip
from vdata.media.motion_codec import INTER, INTRA, SKIP, dump_grid, dump_vectors
from vdata.media.vectors import MACROBLOCK, ROW_COLUMNS, MotionPass
from vdata.records import Column, Field

__all__ = ["MotionConfig", "MotionExtractor", "motion_grid"]

T = TypeVar("T", bound=np.generic)

_FINEST = 8  # libavcodec exports one vector for each 8x8 quarter at the finest, even where the stream splits it again
_QUARTER_PIXELS = 4
_NO_VECTOR = np.iinfo(np.int32).min  # dy -8192 pixels, which H.264 does not reach


@dataclass(frozen=True)
class MotionConfig:
    """Which form of motion is stored."""

    form: Literal["grid", "vectors"] = "grid"
    """`grid`: dense, `motion.npz`. `vectors`: the decoder's own rows without loss, `vectors.npz`."""
    block: Literal[16, 8, 4] = 16
    """Side of a grid cell, pixels of the coded frame."""

    def __post_init__(self) -> None:
        """Checks the two choices."""
        check(self.form in ("grid", "vectors"), "motion.form", self.form, "must be 'grid' or 'vectors'")
        check(self.block in (16, 8, 4), "motion.block", self.block, "must be 16, 8 or 4")


@EXTRACTORS.add("motion")
class MotionExtractor:
    """The clip's motion as one member, by the decoding pass that the contract check has already paid for."""

    Config: ClassVar[type] = MotionConfig
    packages: ClassVar[tuple[str, ...]] = ()
    reads_source: ClassVar[bool] = False
    reads_motion: ClassVar[bool] = True
    needs_pictures: ClassVar[bool] = True

    def __init__(self, config: MotionConfig) -> None:
        self.config = config

    @property
    def fields(self) -> tuple[Field, ...]:
        """The member of the chosen form."""
        if self.config.form == "vectors":
            doc = (
                f"`rows` int32 (N, 10), columns {', '.join(ROW_COLUMNS)}, as libavcodec exports them: motion / motion_scale is "
                "src - dst in pixels; `offsets` int64 (T + 1,): the rows of frame t are rows[offsets[t]:offsets[t + 1]]."
            )
            return (Field("motion", "vectors.npz", "int32", "N 10", "quarter pixels", doc),)
        doc = (
            "`grid` int16 (T, ceil(H/S), ceil(W/S), 2), last axis (dx, dy), dst - src: what moves right by 4 pixels a frame has "
            "dx 16; `kind` uint8 (T, ceil(H/S), ceil(W/S)): 0 inter, 1 skip, 2 intra (its vector is 0)."
        )
        return (Field("motion", "motion.npz", "int16", "T H W 2", "quarter pixels a frame", doc),)

    @property
    def columns(self) -> tuple[Column, ...]:
        """None: T, H and W follow from num_frames, height and width."""
        return ()

    def __call__(self, clip: EncodedClip) -> Extracted:
        """The member's bytes; equal clips give equal bytes.

        Raises:
            ContractError: the motion pass is not of a P-only stream.
        """
        motion = clip.motion
        (member,) = self.fields
        if self.config.form == "vectors":
            return Extracted({member.ext: dump_vectors(motion.rows, motion.offsets)})
        return Extracted({member.ext: dump_grid(*motion_grid(motion, clip.width, clip.height, self.config.block))})


def motion_grid(
    motion: MotionPass, width: int, height: int, block: Literal[16, 8, 4] = 16
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
    """The dense field: `grid` int16 (T, ceil(H/S), ceil(W/S), 2) and `kind` uint8 (T, ceil(H/S), ceil(W/S)), S = `block` pixels.

    `grid` is dst - src in quarter pixels, axes (dx, dy): the mean over a cell's pixels of the vector that predicts each pixel,
    rounded to the nearest integer, halves to even. A cell of 8 or 4 pixels lies within one partition and has its vector as it is.
    Intra cells have vector 0. A cell is the whole macroblock's `kind`.

    Raises:
        ContractError: a frame with backward vectors, or vectors that are not H.264's.

    Source: our own choice. The mean of the per-pixel field commutes with a later average pooling, the median does not.
    """
    _check_vectors(motion)
    if block == MACROBLOCK:
        grid, inter = _macroblocks(motion)
    else:
        quarters, covered = _quarters(motion)
        # A macroblock is intra as a whole, so one of its quarters answers for it.
        grid, inter = _enlarge(quarters, _FINEST // block), covered[:, ::2, ::2]
    kinds = np.where(inter, np.where(motion.skipped, np.uint8(SKIP), np.uint8(INTER)), np.uint8(INTRA))
    kind = _enlarge(kinds, MACROBLOCK // block)
    rows, columns = -(-height // block), -(-width // block)
    return grid[:, :rows, :columns], kind[:, :rows, :columns]


def _check_vectors(motion: MotionPass) -> None:
    """The errors of vectors that the grid cannot hold."""
    vectors = motion.vectors
    if "B" in motion.types or (vectors["source"] >= 0).any():
        raise ContractError("motion", f"the grid needs a stream of I and P frames, this one has {sorted(set(motion.types))}")
    sides = np.concatenate([vectors["w"], vectors["h"]])
    if not ((sides == _FINEST) | (sides == MACROBLOCK)).all() or (vectors["motion_scale"] != _QUARTER_PIXELS).any():
        raise ContractError("motion", "the grid needs H.264's vectors: partitions of 8 and 16 pixels in quarter pixels")


def _macroblocks(motion: MotionPass) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.bool_]]:
    """The field of macroblocks, (T, h, w, 2), and whether any vector covers each.

    A partition's centre lies within its macroblock, and its share of it is one, two or four quarters: their weighted sum took
    1.2 ms where painting quarters and averaging took 4.4 (175 frames, 464x256).
    """
    vectors, shape = motion.vectors, motion.skipped.shape
    place = _first_cells(motion, shape) + (vectors["dst_y"] >> 4).astype(np.int32) * shape[2] + (vectors["dst_x"] >> 4)
    quarters = vectors["w"].astype(np.int32) * vectors["h"] >> 6
    field, inter = np.empty((motion.skipped.size, 2), np.int16), np.zeros(motion.skipped.size, np.bool_)
    for axis, name in enumerate(("motion_x", "motion_y")):
        # Sums of whole numbers, so float64 is exact; libavcodec's sign is turned.
        total = np.bincount(place, quarters * vectors[name], motion.skipped.size)
        field[:, axis] = np.rint(total / -4)
    inter[place] = True
    return field.reshape(*shape, 2), inter.reshape(shape)


def _quarters(motion: MotionPass) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.bool_]]:
    """The field of 8x8 quarters of macroblocks, (T, 2 h, 2 w, 2), and whether a vector covers each.

    A partition is one, two or four whole quarters and none overlap, so one assignment for each of the four places fills the clip.
    """
    num_frames, num_rows, num_columns = motion.skipped.shape
    shape = num_frames, 2 * num_rows, 2 * num_columns
    # (dx, dy) as one number: a flat index and half the stores took 2.2 ms where three indices took 9.4 (175 frames, 352x256).
    field = np.full(np.prod(shape), _NO_VECTOR, np.int32)
    vectors, stride = motion.vectors, shape[2]
    wide, tall = vectors["w"] == MACROBLOCK, vectors["h"] == MACROBLOCK
    top, left = (vectors["dst_y"] - (vectors["h"] >> 1)) >> 3, (vectors["dst_x"] - (vectors["w"] >> 1)) >> 3
    place = _first_cells(motion, shape) + top.astype(np.int32) * stride + left
    packed = _packed(vectors)
    field[place] = packed
    for chosen, step in ((wide, 1), (tall, stride), (wide & tall, stride + 1)):
        field[place[chosen] + step] = packed[chosen]
    inter = field != _NO_VECTOR
    field *= inter
    return field.view(np.int16).reshape(*shape, 2), inter.reshape(shape)


def _first_cells(motion: MotionPass, shape: tuple[int, ...]) -> npt.NDArray[np.int32]:
    """(N,) where each vector's frame starts in a flattened field of `shape` (T, h, w)."""
    starts = np.arange(shape[0], dtype=np.int32) * (shape[1] * shape[2])
    return np.repeat(starts, np.diff(motion.offsets))


def _packed(vectors: npt.NDArray[np.void]) -> npt.NDArray[np.int32]:
    """Dst - src of each vector, (dx, dy) as the two halves of one number."""
    pairs = np.empty((len(vectors), 2), np.int16)
    np.negative(vectors["motion_x"], out=pairs[:, 0], casting="unsafe")
    np.negative(vectors["motion_y"], out=pairs[:, 1], casting="unsafe")
    return pairs.view(np.int32)[:, 0]


def _enlarge(cells: npt.NDArray[T], times: int) -> npt.NDArray[T]:
    """Every cell of (T, h, w, ...) as times x times cells."""
    return cells.repeat(times, axis=1).repeat(times, axis=2)
