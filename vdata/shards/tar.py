"""Tars that are the same bytes for the same members, written in one pass with every member's place known.

The stdlib makes the headers; the archive is laid out here because `tarfile` does not say where a member's bytes start
until the file is read again.
"""

from __future__ import annotations

import contextlib
import tarfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["TarMember", "TarWriter", "header_of", "read_members"]

_MODE = 0o644


@dataclass(frozen=True, slots=True)
class TarMember:
    """Where one member lies."""

    name: str
    offset: int
    """First byte of its content, counted from the start of the tar."""
    size: int


class TarWriter:
    """A USTAR archive that grows member by member: no times, no owners, mode 0644."""

    def __init__(self, path: Path) -> None:
        """Starts an empty archive at `path`."""
        self._file = path.open("wb")
        self._offset = 0

    def add(self, name: str, content: bytes) -> TarMember:
        """Appends a member.

        Raises:
            ValueError: the name does not fit a USTAR header (100 bytes), or the content is 8 GiB or more.
        """
        header = header_of(name, len(content))
        member = TarMember(name, self._offset + len(header), len(content))
        self._write(header + content + bytes(-len(content) % tarfile.BLOCKSIZE))
        return member

    def close(self) -> None:
        """Ends the archive: two empty blocks, then up to a whole record, as tar itself does. Closing twice is allowed."""
        if self._file.closed:
            return
        self._write(bytes(2 * tarfile.BLOCKSIZE))
        self._write(bytes(-self._offset % tarfile.RECORDSIZE))
        self._file.close()

    def abandon(self) -> None:
        """Lets go of the file as it is, whether or not there is room for what is not yet on the disk."""
        with contextlib.suppress(OSError):
            self._file.close()

    def __enter__(self) -> Self:
        """The writer."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Ends the archive."""
        self.close()

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._offset += len(data)


def header_of(name: str, size: int) -> bytes:
    """The block before a member's content; the only one that TarWriter writes for that name and size.

    Raises:
        ValueError: as TarWriter.add.
    """
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, _MODE, 0
    return info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")


def read_members(path: Path) -> list[TarMember]:
    """The members of a tar in order, from its headers.

    Raises:
        tarfile.TarError: the file is no tar, or a header is damaged.
    """
    with tarfile.open(path, "r:") as archive:
        return [TarMember(info.name, info.offset_data, info.size) for info in archive]
