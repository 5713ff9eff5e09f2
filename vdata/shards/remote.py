"""Shard folders on other machines, as `s3://bucket/shards/train`, through fsspec: listed, fetched from, read by byte ranges.

Credentials are found as vdata.media.remote says. All calls are synchronous and may come from any thread; a forked process makes
connections of its own. Nothing is ever written to the other side.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from vdata.errors import ConfigError, ShardError
from vdata.media.config import LimitConfig
from vdata.media.remote import filesystem_of, is_final, network_errors, words_of
from vdata.media.url import is_url, local_path, without_secrets
from vdata.shards.cache import NO_ROOM

__all__ = ["Folder", "RemoteFile", "RemoteFolder", "folder_of"]

PAUSES = (0.5, 2.0, 8.0)
"""Seconds before the second, third and fourth try of a request."""
CONNECTIONS = 64
"""The most at a time to S3; botocore's own 10 would hold up the requests of a batch."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """A shard folder on another machine. Printed, it has no secrets."""

    url: str = field(repr=False)

    def __str__(self) -> str:
        """The URL without user, password and signature."""
        return without_secrets(self.url)

    def __truediv__(self, name: str) -> RemoteFile:
        """A file in the folder."""
        return RemoteFile(self, name)

    def entries(self) -> dict[str, int | None]:
        """Name and size of all that lies directly in the folder, None for a folder; nothing if it is not there.

        Raises:
            ShardError: it cannot be listed.
        """
        try:
            details = self._tried(lambda filesystem, path: filesystem.ls(path, detail=True))
        except FileNotFoundError:
            return {}
        names = {one["name"].rstrip("/").rpartition("/")[2]: one for one in details}
        return {name: None if one["type"] == "directory" else int(one["size"]) for name, one in names.items()}

    def read_bytes(self, name: str) -> bytes | None:
        """The content of a small file; None if it is not there.

        Raises:
            ShardError: it cannot be had.
        """
        try:
            return self._tried(lambda filesystem, path: bytes(filesystem.cat_file(f"{path}/{name}")))
        except FileNotFoundError:
            return None

    def fetch(self, name: str, place: Path) -> None:
        """Copies a file to `place`.

        Raises:
            FileNotFoundError: it is not there.
            ShardError: it cannot be had.
        """
        self._tried(lambda filesystem, path: filesystem.get_file(f"{path}/{name}", str(place)))

    def use(self, name: str, work: Callable[[Any], _T]) -> _T:
        """What `work` makes of a file, open for reading anywhere; done again from the start if the network fails.

        Raises:
            FileNotFoundError: it is not there.
            ShardError: it cannot be had.
        """

        def attempt(filesystem: Any, path: str) -> _T:  # noqa: ANN401 - fsspec has no types
            with filesystem.open(f"{path}/{name}", "rb", cache_type="none") as file:
                return work(file)

        return self._tried(attempt)

    def read_ranges(self, name: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """The bytes of a file from `begin` to `end` of each (begin, end): one request for each, all at once.

        Raises:
            OSError: the file is not there, or ends before.
            ShardError: they cannot be had.
        """
        parts: dict[tuple[int, int], bytes] = {}

        def attempt(filesystem: Any, path: str) -> None:  # noqa: ANN401 - as above
            due = [span for span in ranges if span not in parts]
            begins, ends = ([span[side] for span in due] for side in (0, 1))
            answers = filesystem.cat_ranges([f"{path}/{name}"] * len(due), begins, ends, on_error="return")
            failures = [answer for answer in answers if isinstance(answer, BaseException)]
            parts.update({span: answer for span, answer in zip(due, answers, strict=True) if isinstance(answer, bytes)})
            if failures:
                raise failures[0]

        try:
            self._tried(attempt)
        except FileNotFoundError:
            raise FileNotFoundError("it is not there") from None
        except ShardError:
            # A range that begins behind the end is an error, which each kind of server words in its own way.
            self._check_end(name, max(end for _, end in ranges))
            raise
        for begin, end in ranges:
            _check_ended(begin + len(parts[begin, end]), end)
        return [parts[span] for span in ranges]

    def _check_end(self, name: str, end: int) -> None:
        try:
            size = self._tried(lambda filesystem, path: int(filesystem.info(f"{path}/{name}")["size"]))
        except (ShardError, FileNotFoundError):
            return
        _check_ended(size, end)

    def _tried(self, work: Callable[[Any, str], _T]) -> _T:
        """What `work` returns when given the filesystem and the folder's path in it; tried again after each of PAUSES.

        Raises:
            FileNotFoundError: the server said so.
            ShardError: the last try failed, or one in a way that another would not mend.
        """
        pauses = iter(PAUSES)
        while True:
            try:
                return work(*_connection(self.url, os.getpid()))
            except network_errors() as error:
                number = getattr(error, "errno", None)
                if isinstance(error, FileNotFoundError) or number in NO_ROOM:
                    raise
                # s3fs has EINVAL for requests that the server calls wrong.
                final = is_final(error) or number == errno.EINVAL
                pause = None if final else next(pauses, None)
                if pause is None:
                    raise self._failure(error, final=final) from None
                time.sleep(pause)

    def _failure(self, error: Exception, *, final: bool) -> ShardError:
        if final:
            hint = "see that the address and the credentials in the environment (AWS_PROFILE, AWS_ENDPOINT_URL ...) are right"
            return ShardError(f"'{self}' cannot be read: {words_of(error)}; {hint}")
        return ShardError(f"'{self}' cannot be read: {words_of(error)}, {len(PAUSES) + 1} times in a row; see to the network")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file in a remote folder that is too large to be fetched whole: a tar, or a row file. Printed, it has no secrets."""

    folder: RemoteFolder = field(repr=False)
    name: str

    def __str__(self) -> str:
        """Its URL without user, password and signature."""
        return f"{self.folder}/{self.name}"

    def read_ranges(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """As RemoteFolder.read_ranges."""
        return self.folder.read_ranges(self.name, ranges)


Folder = Path | RemoteFolder
"""Where shards lie."""


def folder_of(path: str | Path) -> Folder:
    """The folder that was named: a path of this machine, or a URL elsewhere.

    Raises:
        ConfigError: a URL of a web server, or one that was made a Path and so has lost a slash.
    """
    text = str(path)
    if isinstance(path, Path):
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", text) and not path.exists():
            raise ConfigError(f"path ('{without_secrets(text)}') looks like a URL that was made a Path: give it as text")
        return path
    if (local := local_path(text)) is not None:
        return local
    if not is_url(text):
        return Path(text)
    if text.lower().startswith("http"):
        raise ConfigError(
            f"path ('{without_secrets(text)}'): a web server has no listing; use an object store, or copy the shards"
        )
    return RemoteFolder(text.rstrip("/"))


@lru_cache(maxsize=64)
def _connection(url: str, process: int) -> tuple[Any, str]:  # noqa: ARG001 - connections do not outlive a fork
    """The filesystem, and the folder's path in it without a slash at the end."""
    try:
        filesystem, path = filesystem_of(url, LimitConfig(), CONNECTIONS)
    except ValueError as error:
        raise ConfigError(f"path ('{without_secrets(url)}') cannot be used: {words_of(error)}") from None
    return filesystem, path.rstrip("/")


def _check_ended(reached: int, end: int) -> None:
    if reached < end:
        raise OSError(f"it ends at byte {reached}, before byte {end}")
