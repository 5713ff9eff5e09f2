"""Members of clips other than the MP4: motion, boxes, sound, text, read whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pipelines.clips import Clips
from pipelines.read import Reader
from vdata.errors import CorruptShardError, SchemaMismatchError

__all__ = ["Members"]

T = TypeVar("T")


class Members:
    """Reads members; any number of threads may share one."""

    def __init__(self, clips: Clips, reader: Reader) -> None:
        """Opens no file yet."""
        self._clips, self._reader = clips, reader

    def read(self, clip: int, ext: str, field: str) -> bytes | None:
        """The member of clip number `clip` with that extension, as "motion.npz"; None where the clip has none.

        Raises:
            SchemaMismatchError: no clip of its folder has one; `field` is what makes it.
            CorruptShardError: its file is absent or ends before it does; file and key are named.
        """
        place = self._clips.member(clip, ext)
        if place is None:
            found = ", ".join(self._clips.exts(clip)) or "none"
            msg = f"'{self._clips.folder_of(clip)}' has no member '{ext}', beside mp4 only {found}"
            raise SchemaMismatchError(f"{msg}: make it with `vdata add {field} --shards {self._clips.folder_of(clip)}`")
        path, offset, size = place
        try:
            return self._reader.range(path, offset, size) if size else None
        except CorruptShardError as error:
            raise CorruptShardError(f"key '{self._clips.key(clip)}': {error}") from error

    def parsed(self, clip: int, ext: str, field: str, parse: Callable[[bytes], T]) -> T | None:
        """What `parse` makes of such a member; None where the clip has none.

        Raises:
            SchemaMismatchError: as above.
            CorruptShardError: as above, or `parse` raised it; file and key are named.
        """
        member = self.read(clip, ext, field)
        try:
            return None if member is None else parse(member)
        except CorruptShardError as error:
            place = self._clips.member(clip, ext)
            where = f"'{place[0] if place else self._clips.folder_of(clip)}', key '{self._clips.key(clip)}'"
            raise CorruptShardError(f"{where}: {error}; `vdata verify` checks the whole folder") from error
