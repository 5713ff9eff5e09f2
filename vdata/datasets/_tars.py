"""Where the members of a tar lie. Headers alone are read, by Python's tarfile; what a member holds stays on the disk."""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from vdata.errors import ConfigError
from vdata.records import printable

__all__ = ["COMPRESSED", "Member", "TarFault", "expand_braces", "read_members"]

COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst", ".tar.lz4", ".tar.lzma")
"""How the names of compressed tars end, lower case."""

_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_FOLDER = "a folder"
_KINDS = {tarfile.LNKTYPE: "a link", tarfile.SYMTYPE: "a link", tarfile.DIRTYPE: _FOLDER}
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"([0-9]{1,18})\.\.([0-9]{1,18})")
_MOST_NAMES = 1_000_000
_LARGEST_HEADER = 2**20
"""Bytes of a long name or of extended headers. A path has 4,096 at most, an extended attribute 65,536."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a tar."""

    name: str
    offset: int
    """Where its bytes begin in the tar."""
    size: int
    kind: str = ""
    """What it is where it is no plain file; empty for one."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.kind == _FOLDER


@dataclass(frozen=True, slots=True)
class TarFault:
    """Why a tar could not be read to its end; its members up to there are sound."""

    reason: str
    """`compressed_tar` or `broken_tar`."""
    message: str


def read_members(file: IO[bytes]) -> Iterator[Member | TarFault]:
    """The members of an open tar in their order, and a TarFault at the end of one that is damaged.

    The file should be unbuffered: a buffer would read 8 KiB for each header of 512 bytes.
    """
    magic = os.pread(file.fileno(), 6, 0)
    for start, kind in _MAGIC.items():
        if magic.startswith(start):
            way_out = "which gives its members no place of their own: unpack it to a .tar"
            yield TarFault("compressed_tar", f"it is compressed ({kind}), {way_out}")
            return
    num_bytes = os.fstat(file.fileno()).st_size
    try:
        with tarfile.open(fileobj=_Bounded(file), mode="r:") as tar:  # type: ignore[call-overload]
            while (info := tar.next()) is not None:
                # It would keep each of them: 1 kB for every member.
                tar.members = []
                end = tar.offset
                if fault := _fault(info, end, num_bytes):
                    yield fault
                    return
                yield _member(info)
            end = tar.offset
    # IndexError: the table of a sparse file that is cut off. RecursionError: a thousand long names for one member, each of which
    # tarfile reads within the one before.
    except (tarfile.TarError, OSError, ValueError, OverflowError, IndexError, RecursionError) as error:
        yield TarFault("broken_tar", f"it cannot be read as a tar: {error}")
        return
    # A damaged header looks like the end to tarfile; a true end is a block of zeros.
    if os.pread(file.fileno(), tarfile.BLOCKSIZE, end) != bytes(tarfile.BLOCKSIZE):
        where = f"at byte {end} of {num_bytes}"
        yield TarFault("broken_tar", f"{where} is neither a member nor the tar's end: it is damaged or cut off")


class _Bounded:
    """An open tar of which no header is read that cannot be one: tarfile asks for as many bytes as a name is said to have."""

    def __init__(self, file: IO[bytes]) -> None:
        self._read, self.seek, self.tell = file.read, file.seek, file.tell

    def read(self, size: int) -> bytes:
        """The next bytes.

        Raises:
            tarfile.ReadError: there are too many, or fewer than none.
        """
        if not 0 <= size <= _LARGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._read(size)


def _fault(info: tarfile.TarInfo, end: int, num_bytes: int) -> TarFault | None:
    """What is wrong with where a member lies. The next header is sought at `end`: before the member, it is found for ever."""
    if info.size < 0 or end < info.offset_data:
        return TarFault("broken_tar", f"'{printable(info.name)}' has {info.size} bytes as its header says: it is damaged")
    # Links and folders have no bytes whatever their size, and of a sparse file fewer lie in the tar.
    if min(end, info.offset_data + info.size) > num_bytes:
        return TarFault("broken_tar", f"'{printable(info.name)}' ends behind the tar's {num_bytes} bytes: it was cut off")
    return None


def _member(info: tarfile.TarInfo) -> Member:
    plain = info.isreg() and not info.issparse()
    kind = "" if plain else "a sparse file" if info.issparse() else _KINDS.get(info.type, "no regular file")
    return Member(info.name, info.offset_data, info.size, kind)


def expand_braces(pattern: str) -> list[str]:
    """The names that a pattern as `train-{000..146}.tar` or `{a,b}.tar` stands for, in its order.

    Raises:
        ConfigError: they are more than a million.
    """
    names = [pattern]
    while match := _BRACES.search(names[0]):
        parts = _alternatives(match[1])
        if len(names) * len(parts) > _MOST_NAMES:
            raise ConfigError(f"'{pattern}' stands for more than {_MOST_NAMES} names; write a narrower range")
        names = [_BRACES.sub(lambda _, part=part: part, name, count=1) for name in names for part in parts]  # type: ignore[misc]
    return names


def _alternatives(inner: str) -> list[str]:
    """What may stand for one pair of braces; numbers are as long as the first is written."""
    if match := _RANGE.fullmatch(inner):
        first, last = int(match[1]), int(match[2])
        width = len(match[1]) if match[1].startswith("0") else 0
        return [f"{number:0{width}d}" for number in range(first, min(last, first + _MOST_NAMES) + 1)]
    return inner.split(",")
