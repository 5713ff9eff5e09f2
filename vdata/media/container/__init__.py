"""What MP4, MOV and AVI files say of their video stream, read in this process: no child is started and nothing is decoded.

A second reader beside libav has to be modest. It knows the plain kinds of two containers, which nearly all datasets use, and
gives up at the first thing that it does not know whole: fragments, edit lists that cut, several video tracks, a damaged size,
other codecs, HDR. Whoever asked then asks ffmpeg. What it does tell is what ffmpeg tells; tests compare the two on every file.

It reads bytes that nobody vouches for: every size is held against the file or the box around it before anything is read or
allocated, and no loop is longer than the bytes that feed it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import TypeVar

from vdata.errors import ContractError, OpenError
from vdata.media.container.avi import read_avi
from vdata.media.container.described import CodedPicture, Described, UnclearError
from vdata.media.container.mov import read_mov, track_kinds
from vdata.media.source import SourceFile

__all__ = ["CodedPicture", "Described", "holds_no_text", "read_container"]

T = TypeVar("T")

_PICTURES_AND_SOUND = {b"vide", b"soun"}


def read_container(file: SourceFile) -> Described | None:
    """The video stream of a plain MP4, MOV or AVI file; None where anything is unknown or damaged, and for other containers.

    Raises:
        OpenError: `unreadable`, the disk or the server does not give its bytes; retryable.
    """
    return _read(file, read_mov, read_avi)


def holds_no_text(file: SourceFile) -> bool:
    """Whether it is an MP4, MOV or AVI file in which every track is one of pictures or of sound; False where anything is unknown.

    Raises:
        OpenError: `unreadable`, as read_container.
    """
    # An AVI file with any other stream is not plain.
    return bool(_read(file, lambda mov: track_kinds(mov) <= _PICTURES_AND_SOUND, read_avi))


def _read(file: SourceFile, mov: Callable[[SourceFile], T], avi: Callable[[SourceFile], Described]) -> T | Described | None:
    try:
        head = os.pread(file.file.fileno(), 12, 0)
        if head[4:8] == b"ftyp":
            return mov(file)
        if head[:4] == b"RIFF" and head[8:] == b"AVI ":
            return avi(file)
    except (UnclearError, ContractError, struct.error, IndexError):
        # ContractError: boxes that do not fit into each other. struct.error and IndexError: a field behind the end.
        return None
    except OSError as error:
        # A failing disk, or a server that forgot the file: it may be there again at another try.
        raise OpenError("unreadable", f"'{file.name}' cannot be read: {error.strerror}", retryable=True) from error
    return None
