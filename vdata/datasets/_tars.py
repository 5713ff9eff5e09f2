"""Where the members of a tar lie. Headers alone are read, by Python's tarfile; what a member holds stays on the disk."""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from vdata.errors import ConfigError

__all__ = ["COMPRESSED", "Member", "TarFault", "expand_braces", "read_members"]

COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst", ".tar.lz4", ".tar.lzma")
"""How the names of compressed tars end, lower case."""

_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_FOLDER = "a folder"
_KINDS = {tarfile.LNKTYPE: "a link", tarfile.SYMTYPE: "a link", tarfile.DIRTYPE: _FOLDER}
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"([0-9]+)\.\.([0-9]+)")
_MOST_NAMES = 1_000_000


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
        with tarfile.open(fileobj=file, mode="r:") as tar:
            while (info := tar.next()) is not None:
                # It would keep each of them: 1 kB for every member.
                tar.members = []  # type: ignore[attr-defined]
                if info.offset_data + info.size > num_bytes and info.isreg():
                    yield TarFault("broken_tar", f"'{info.name}' ends behind the tar's {num_bytes} bytes: it was cut off")
                    return
                yield _member(info)
            end = tar.offset
    except (tarfile.TarError, OSError, ValueError) as error:
        yield TarFault("broken_tar", f"it cannot be read as a tar: {error}")
        return
    # A damaged header looks like the end to tarfile; a true end is a block of zeros.
    if os.pread(file.fileno(), tarfile.BLOCKSIZE, end) != bytes(tarfile.BLOCKSIZE):
        where = f"at byte {end} of {num_bytes}"
        yield TarFault("broken_tar", f"{where} is neither a member nor the tar's end: it is damaged or cut off")


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
