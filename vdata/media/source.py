"""The bytes of one source video as an open file, wherever they lie.

Apart from the ffmpeg child, which is handed the descriptor and never a name.
"""

from __future__ import annotations

import os
import stat
import tempfile
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from vdata.errors import OpenError
from vdata.media.config import LimitConfig
from vdata.media.download import download
from vdata.media.images import Images, join_images
from vdata.media.remote import RemoteObject
from vdata.media.url import RemoteRoot, Root, is_url, local_path, without_secrets
from vdata.records import Video, printable

__all__ = ["UNKNOWN_BYTES", "SourceFile", "is_gone", "is_remote", "open_source", "open_video", "prefetched", "source_bytes"]

UNKNOWN_BYTES = 4_000_000
"""What a remote source counts for when videos are dealt into shards and nobody told its size: some ten seconds at 720p."""

_BLOCK_BYTES = 2**20
_BYTES_PER_PIXEL = 8
"""Of an image: PNG's widest, four channels of 16 bits without compression."""
_OTHER_BYTES = 2**24
"""What an image may hold beside its pixels, as a thumbnail or a colour profile."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """An open, seekable source."""

    name: str
    """Its last name, for messages."""
    file: IO[bytes]
    images: Images | None = None
    """What it is where it was made of images."""

    @property
    def num_bytes(self) -> int:
        """Its size."""
        return os.fstat(self.file.fileno()).st_size


def is_remote(root: Root, source: str) -> bool:
    """Whether a source must be downloaded."""
    return isinstance(root, RemoteRoot) or (is_url(source) and local_path(source) is None)


@contextmanager
def open_source(root: Root, source: str, limits: LimitConfig | None = None, num_bytes: int = -1) -> Iterator[SourceFile]:
    """The file `source` below `root`, open while the block runs.

    Where the root is a list, as of the dataset `urls`, paths are below its folder; a source may also be a URL. `limits` and the
    size that the listing told matter only to what must be downloaded (see `download`).

    Raises:
        OpenError: `missing` when it cannot be opened, `not_regular` when it is a FIFO, a device or a folder, `bad_url`.
        MediaError: it could not be downloaded (`download`, `disk`); retryable.
        MissingExtraError: a package for its scheme is not installed.
    """
    if isinstance(root, RemoteRoot) or is_remote(root, source):
        limits = limits or LimitConfig()
        file = download(RemoteObject.of(root, source, limits), limits, num_bytes)
    else:
        file = _open_local(root, source)
    with file:
        yield SourceFile(_last_name(source), file)


def open_video(root: Root, video: Video, limits: LimitConfig) -> AbstractContextManager[SourceFile]:
    """The file of a video, as open_source; of a sequence of images and of a part of a file, one made of them.

    Raises:
        OpenError: `empty`, `not_image`, `mixed_formats`, `too_large`, `bad_range`: the images, or the part, are not as listed.
    """
    if video.frames:
        return _open_images(root, video, limits)
    if video.byte_range:
        return _open_part(root, video, *video.byte_range)
    return open_source(root, video.location or video.source, limits, video.num_bytes)


def source_bytes(root: Root, video: Video) -> int:
    """Size of a video's file; 0 where it has vanished since it was listed. Nothing is asked of another machine.

    Of images, the first one's size times their number: a tracklet dataset has a million.
    """
    if video.byte_range:
        return video.byte_range[1]
    if isinstance(root, RemoteRoot) or is_remote(root, video.source):
        return UNKNOWN_BYTES if video.num_bytes < 0 else video.num_bytes
    try:
        if video.frames:
            return _status(root, video.frames[0])[1].st_size * len(video.frames)
        return _status(root, video.source)[1].st_size
    except (OSError, ValueError):  # ValueError: a name with a null byte, from a list
        return 0


def is_gone(root: Root, video: Video) -> bool:
    """Whether a video's file, or one of its images, is not below the root or may not be read. None is opened.

    Never, for what would have to be downloaded: nothing is asked of another machine.
    """
    if isinstance(root, RemoteRoot) or is_remote(root, video.source):
        return False
    return not all(_is_readable(root, source) for source in video.frames or (video.source,))


def _is_readable(root: Path, source: str) -> bool:
    try:
        return os.access(_status(root, source)[0], os.R_OK)
    except (OSError, ValueError):  # ValueError: see source_bytes
        return False


def prefetched(root: Root, videos: Sequence[Video], limits: LimitConfig) -> Generator[AbstractContextManager[SourceFile]]:
    """The file of each video in turn, as open_video; while one is in use, the next remote one is downloaded, and no more.

    An error of a download is raised where its block is entered. Local files are opened there and cost no thread. The thread
    ends, and what it holds is closed, when the iterator is closed or exhausted: wrap it in contextlib.closing.
    """
    ahead = _Ahead(root, [video for video in videos if is_remote(root, video.source)], limits)
    try:
        for video in videos:
            if not is_remote(root, video.source):
                yield open_video(root, video, limits)
                continue
            with ahead.turn() as fetched:
                yield ahead.opened(fetched, video)
    finally:
        ahead.close()


class _Ahead:
    """Downloads of videos in turn in a thread, each started when it is asked for or when the one before it is taken."""

    def __init__(self, root: Root, videos: Sequence[Video], limits: LimitConfig) -> None:
        self._root, self._limits, self._stopped = root, limits, threading.Event()
        self._left = deque(videos)
        self._next: Future[IO[bytes]] | None = None
        # It starts its thread with the first download.
        self._pool = ThreadPoolExecutor(1, "vdata-download")

    @contextmanager
    def turn(self) -> Iterator[Future[IO[bytes]]]:
        """The download of the next video, which may be under way already; its file is closed after the block."""
        fetched, self._next = self._next or self._submit(), None
        try:
            yield fetched
        finally:
            _discard(fetched)

    @contextmanager
    def opened(self, fetched: Future[IO[bytes]], video: Video) -> Iterator[SourceFile]:
        """The file once it is whole; the next download starts then."""
        try:
            file = fetched.result()
        finally:
            self._next = self._submit() if self._left else None
        with file:
            yield SourceFile(_last_name(video.source), file)

    def close(self) -> None:
        """Ends the thread."""
        self._stopped.set()
        if self._next:
            _discard(self._next)
        self._pool.shutdown()

    def _submit(self) -> Future[IO[bytes]]:
        video = self._left.popleft()
        try:
            # In this thread: fsspec keeps some filesystems, with their connections, for the thread that has asked for one.
            item = RemoteObject.of(self._root, video.location or video.source, self._limits)
        except OpenError as error:
            refused = Future[IO[bytes]]()
            refused.set_exception(error)
            return refused
        return self._pool.submit(download, item, self._limits, video.num_bytes, self._stopped)


def _discard(fetched: Future[IO[bytes]]) -> None:
    """Closes the file, now or when it is there."""
    if not fetched.cancel():
        fetched.add_done_callback(_close)


def _close(fetched: Future[IO[bytes]]) -> None:
    if not fetched.cancelled() and fetched.exception() is None:
        fetched.result().close()


def _status(root: Path, source: str) -> tuple[str, os.stat_result]:
    """The path that a source stands for, with its status. Strings: a Path for each of 240,000 sources takes 2 s."""
    path = os.path.join(root, local_path(source) or source)  # noqa: PTH118 - see above
    try:
        return path, os.stat(path)  # noqa: PTH116 - see above
    except NotADirectoryError:
        if not root.is_file():
            raise
        # The root is a list: what it names lies in its folder.
        path = os.path.join(root.parent, source)  # noqa: PTH118 - see above
        return path, os.stat(path)  # noqa: PTH116 - see above


def _open_local(root: Path, source: str) -> IO[bytes]:
    name = _last_name(source)
    try:
        # Before it is opened: opening a FIFO waits for its writer.
        path, status = _status(root, source)
        if not stat.S_ISREG(status.st_mode):
            raise OpenError("not_regular", f"'{name}' is no regular file")
        return open(path, "rb")  # noqa: PTH123 - a path as _status gives it; the caller closes it
    except OSError as error:
        raise OpenError("missing", f"'{name}' cannot be opened: {error.strerror}") from error
    except ValueError as error:
        raise OpenError("missing", f"'{name}' can be no file: {error}") from error


@contextmanager
def _open_images(root: Root, video: Video, limits: LimitConfig) -> Iterator[SourceFile]:
    """The images of a video as one file, on this machine."""
    file, found = join_images(_image_bytes(root, video, limits), video.frame_rate)
    with file:
        yield SourceFile(_last_name(video.source), file, found)


def _image_bytes(root: Root, video: Video, limits: LimitConfig) -> Iterator[tuple[str, bytes]]:
    most = limits.max_pixels * _BYTES_PER_PIXEL + _OTHER_BYTES
    for path in video.frames:
        with open_source(root, path) as image:
            offset, num_bytes = video.byte_range or (0, image.num_bytes)
            _check_range(image, offset, num_bytes)
            if num_bytes > most:
                rule = f"limit.max_pixels ({limits.max_pixels}) allows {most}"
                raise OpenError("too_large", f"'{image.name}' has {num_bytes} bytes, {rule}")
            image.file.seek(offset)
            yield image.name, image.file.read(num_bytes)


@contextmanager
def _open_part(root: Root, video: Video, offset: int, num_bytes: int) -> Iterator[SourceFile]:
    """A part of a file as a file of its own: ffmpeg shall see nothing else of it."""
    with open_source(root, video.source) as whole, tempfile.TemporaryFile() as part:
        _check_range(whole, offset, num_bytes)
        whole.file.seek(offset)
        _copied(whole.file, part, num_bytes)
        part.seek(0)
        yield SourceFile(_last_name(video.video_id), part)


def _check_range(file: SourceFile, offset: int, num_bytes: int) -> None:
    if not 0 <= offset <= offset + num_bytes <= file.num_bytes:
        wanted = f"bytes {offset} to {offset + num_bytes}"
        raise OpenError("bad_range", f"'{file.name}' has {file.num_bytes} bytes, {wanted} were listed; list it again")


def _copied(source: IO[bytes], target: IO[bytes], num_bytes: int) -> None:
    while num_bytes > 0 and (data := source.read(min(num_bytes, _BLOCK_BYTES))):
        target.write(data)
        num_bytes -= len(data)


def _last_name(source: str) -> str:
    """The end of a path or of a URL's, in printable form."""
    if path := local_path(source):
        return printable(path.name)
    name = without_secrets(source).partition("?")[0] if is_url(source) else source
    return printable(name.rstrip("/").rpartition("/")[2])
