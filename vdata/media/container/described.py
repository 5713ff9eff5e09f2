"""What a container says of its first video stream, whoever has read it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vdata.media.source import SourceFile

__all__ = ["AUDIO_NAMES", "CodedPicture", "Described", "UnclearError", "read_bytes", "require"]

AUDIO_NAMES = {"aac": frozenset({"aac"}), "mp3": frozenset({"mp3", "mp3float"}), "pcm_s16le": frozenset({"pcm_s16le"})}
"""Names of ffmpeg's codec and decoder for the audio that is known here."""

MOST_BYTES = 2**26
"""The most that is read of one file: the tables of a film of six hours at 60 frames/s take 20 MB."""


class UnclearError(Exception):
    """A file holds something that is not known here; never seen outside this package."""


@dataclass(frozen=True, slots=True)
class CodedPicture:
    """A picture as the stream codes it, before any turn."""

    width: int
    height: int
    pixel_aspect: Fraction
    """Width by height of one pixel; 1 where nothing is said."""
    is_hdr: bool = False
    """Whether its transfer is PQ or HLG."""


@dataclass(frozen=True, slots=True)
class Described:
    """The first video stream of a file."""

    codec: str
    """ffmpeg's name."""
    picture: CodedPicture
    is_turned: bool
    """Whether it is shown turned by a quarter, either way."""
    tick: Fraction
    """Seconds."""
    times: npt.NDArray[np.int64]
    """(N,) presentation times of all packets in any order, in ticks from the start of the container."""
    audio_codecs: frozenset[str]
    """Names of the audio streams' codecs and decoders."""


def read_bytes(file: SourceFile, start: int, size: int) -> bytes:
    """`size` bytes of a file, all of them; its position stays.

    Raises:
        UnclearError: the file is shorter, or they are very many.
    """
    require(start >= 0 and 0 <= size <= MOST_BYTES and start + size <= file.num_bytes)
    data = os.pread(file.file.fileno(), size, start)
    require(len(data) == size)
    return data


def require(holds: object) -> None:
    """Nothing, if a fact holds that all further reading rests on.

    Raises:
        UnclearError: it does not.
    """
    if not holds:
        raise UnclearError
