"""Where a clip came from, for extractors that need more than its pictures: sound, subtitles, what its dataset says of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from vdata.errors import MediaError, OpenError
from vdata.media.config import LimitConfig
from vdata.media.source import SourceFile, is_remote, open_source, open_video
from vdata.media.url import Root
from vdata.records import Video

__all__ = ["Origin"]


@dataclass(frozen=True)
class Origin:
    """A video, and the way to its bytes."""

    root: Root
    video: Video
    limits: LimitConfig = field(default_factory=LimitConfig)
    file: SourceFile | None = None
    """The source, where it is open while its clips are cut. It is ffmpeg's: another reader would move it; see `opened`."""

    @property
    def cut_file(self) -> SourceFile:
        """`file`, which whoever cuts has opened."""
        if self.file is None:
            msg = f"'{self.video.source}' is not open"
            raise ValueError(msg)
        return self.file

    @contextmanager
    def opened(self) -> Iterator[SourceFile]:
        """The source with a position of its own, open while the block runs.

        Raises:
            MediaError: as open_source.
        """
        if self.file is None:
            with open_video(self.root, self.video, self.limits) as file:
                yield file
            return
        # A second description of the same file: it may be a download without a name. A dup would share the position.
        with Path(f"/proc/self/fd/{self.file.file.fileno()}").open("rb") as file:
            yield replace(self.file, file=file)

    def beside(self, suffix: str) -> bytes | None:
        """The content of the file beside the source whose name ends in `suffix` in place of the source's extension.

        None where there is none, where it is no regular file, and beside what would be downloaded or is a part of a file.

        Raises:
            MediaError: it is larger than 16 MiB, which no subtitle, caption or list of tags is.
        """
        if self.video.byte_range or is_remote(self.root, self.video.source):
            return None
        stem, dot, extension = self.video.source.rpartition(".")
        name = (stem if dot and "/" not in extension else self.video.source) + suffix
        try:
            with open_source(self.root, name) as file:
                return _content(file)
        except OpenError:
            return None


_LARGEST = 16 * 2**20


def _content(file: SourceFile) -> bytes:
    if file.num_bytes > _LARGEST:
        raise MediaError("too_large", f"'{file.name}' beside the video has {file.num_bytes} bytes; at most {_LARGEST} are read")
    return file.file.read()
