"""The bytes of one source video as an open file, wherever they lie.

Apart from the ffmpeg child, which is handed the descriptor and never a name.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from vdata.errors import OpenError

__all__ = ["SourceFile", "open_source"]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """An open, seekable source."""

    name: str
    """Its last name, for messages."""
    file: IO[bytes]

    @property
    def num_bytes(self) -> int:
        """Its size."""
        return os.fstat(self.file.fileno()).st_size


@contextmanager
def open_source(root: Path, source: str) -> Iterator[SourceFile]:
    """The file `source` below `root`, open while the block runs.

    Raises:
        OpenError: `missing` when it cannot be opened, `not_regular` when it is a FIFO, a device or a folder.
    """
    path = root / source
    try:
        # Before it is opened: opening a FIFO waits for its writer.
        if not stat.S_ISREG(path.stat().st_mode):
            raise OpenError("not_regular", f"'{path.name}' is no regular file")
        file = path.open("rb")
    except OSError as error:
        raise OpenError("missing", f"'{path.name}' cannot be opened: {error.strerror}") from error
    with file:
        yield SourceFile(path.name, file)
