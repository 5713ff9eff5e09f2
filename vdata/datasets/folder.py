"""Any tree of videos, on this machine or below a URL as s3://bucket/prefix: the last folder of a file's path is its class.

Every regular file with a video's extension, in any case, is listed; every other entry is a Skipped with its reason, so that the
counts of a build reconcile with the disk. Nothing is opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._layout import (
    check_root,
    check_split,
    entries_in,
    fail_layout,
    is_file,
    is_folder,
    is_media,
    label_indices,
    path_id,
)
from vdata.errors import ConfigError
from vdata.media.remote import list_objects
from vdata.media.url import RemoteRoot
from vdata.records import Column, Skipped, Video, readable

__all__ = ["Folder", "FolderConfig"]

_LAYOUT = """ROOT/
  CLASS/VIDEO.mp4   .webm, .avi ... at any depth; the last folder is the class
  VIDEO.mp4         without a class
"""
_EXPECTED = "video files, in sub-folders named after their class if they have one"


@dataclass(frozen=True)
class FolderConfig:
    """No settings: names and classes follow from the tree."""


@DATASETS.add("folder")
class Folder:
    """A tree of videos without splits.

    The class is the last folder, so `a/run/1.mp4` and `b/run/2.mp4` are both `run`; indices follow the byte-sorted names of the
    folders that hold videos; a video at the top has label -1. The id is the path; a name that is no UTF-8 gets its bytes as
    escapes, and the id a part of their hash.

    Links to files are files. Links to folders are followed after all real folders have been listed, byte-sorted, and no folder is
    listed twice: a second way to one, or a loop, is skipped with reason `linked_twice`.
    """

    Config: ClassVar[type] = FolderConfig
    splits: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[Column, ...]] = ()
    build_settings: ClassVar[dict[str, Any]] = {}
    extract: ClassVar[tuple[str, ...]] = ()
    about: ClassVar[About] = About(_LAYOUT)

    def __init__(self, config: FolderConfig) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root is no folder.
        """
        check_root("folder", root, _EXPECTED)

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every entry below the root but folders, byte-sorted by path.

        Raises:
            ConfigError: the root is no folder or holds no video, or `split` is not empty.
        """
        check_split("folder", split, self.splits)
        yield from _entries(*_list_local(root))

    def remote_videos(self, root: RemoteRoot, split: str) -> Iterator[Video | Skipped]:
        """Every object below the root, byte-sorted by key.

        Raises:
            ConfigError: the root cannot be listed or holds no video, or `split` is not empty.
            MissingExtraError: the package for its scheme is not installed.
        """
        check_split("folder", split, self.splits)
        yield from _entries(*_list_remote(root))

    def classes(self, root: Path) -> Classes:
        """Nothing: the classes are those of the videos."""
        del root
        return {}


def _entries(media: dict[str, int], skipped: list[Skipped]) -> list[Video | Skipped]:
    labels = label_indices(_class_of(source) for source in media)
    found = (_video(source, num_bytes, labels) for source, num_bytes in media.items())
    return sorted([*found, *skipped], key=lambda entry: os.fsencode(entry.source))


def _list_local(root: Path) -> tuple[dict[str, int], list[Skipped]]:
    """Path and size (-1: a stat would have to ask) of every video below a folder, and what is none."""
    check_root("folder", root, _EXPECTED)
    listing = _Listing(root)
    listing.walk()
    if not listing.media:
        fail_layout("folder", "video files at any depth", root, _EXPECTED)
    return dict.fromkeys(listing.media, -1), listing.skipped


def _list_remote(root: RemoteRoot) -> tuple[dict[str, int], list[Skipped]]:
    """Key and size of every video below a URL, and what is none."""
    found = dict(list_objects(root))
    media = {source: num_bytes for source, num_bytes in found.items() if is_media(source)}
    if not media:
        what = f"{len(found)} objects, none of them a video by its name" if found else "nothing"
        raise ConfigError(f"folder: looked for video files below '{root}', found {what}; --root must hold {_EXPECTED}")
    return media, [_not_media(source) for source in found if source not in media]


@dataclass
class _Listing:
    """What one walk over the tree has met so far."""

    root: Path
    media: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    folders: list[str] = field(default_factory=lambda: [""])
    links: list[str] = field(default_factory=list)
    """Links to folders, not followed yet."""
    seen: set[tuple[int, int]] = field(default_factory=set)
    """Device and inode of every folder listed."""

    def walk(self) -> None:
        """Lists real folders first, so that a link never takes a folder's own place."""
        while self.folders or self.links:
            if not self.folders:
                self.links.sort(key=os.fsencode, reverse=True)
            source = self.folders.pop() if self.folders else self.links.pop()
            try:
                self._list(source)
            except OSError as error:
                self._skip_unreadable(source, error)

    def _list(self, folder: str) -> None:
        status = os.stat(self.root / folder)  # noqa: PTH116 - Path.stat is the same call
        if (status.st_dev, status.st_ino) in self.seen:
            self.skip(folder, "linked_twice", "the folder is listed under another path, or holds the link to itself")
            return
        self.seen.add((status.st_dev, status.st_ino))
        for entry in entries_in(self.root / folder, on_error=partial(self._skip_unreadable, folder)):
            self._sort(entry, f"{folder}/{entry.name}" if folder else entry.name)

    def _sort(self, entry: os.DirEntry[str], source: str) -> None:
        if is_folder(entry):
            (self.links if entry.is_symlink() else self.folders).append(source)
        elif not is_file(entry):
            kind = "a link that leads nowhere" if entry.is_symlink() else "a FIFO, socket or device"
            self.skip(source, "not_regular", f"{kind}, not a regular file")
        elif is_media(entry.name):
            self.media.append(source)
        else:
            self.skipped.append(_not_media(source))

    def _skip_unreadable(self, source: str, error: OSError) -> None:
        self.skip(source, "unreadable", f"the folder cannot be listed: {error.strerror}")

    def skip(self, source: str, reason: str, message: str) -> None:
        """Adds an entry that is not built."""
        self.skipped.append(Skipped(readable(source), reason, message))


def _not_media(source: str) -> Skipped:
    return Skipped(readable(source), "not_media", "no video's extension; rename it if it is a video")


def _class_of(source: str) -> str:
    return source.rpartition("/")[0].rpartition("/")[2]


def _video(source: str, num_bytes: int, labels: dict[str, int]) -> Video:
    name = _class_of(source)
    return Video(path_id(source), source, label=labels[name], label_name=readable(name), num_bytes=num_bytes)
