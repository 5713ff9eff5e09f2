"""What the readers of dataset folders share: which names are videos, where they lie, how a wrong root is worded."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from vdata.config import check
from vdata.datasets._hints import hint, is_archive
from vdata.errors import ConfigError
from vdata.records import printable, readable

__all__ = [
    "MAX_INDEX",
    "MEDIA_EXTENSIONS",
    "check_root",
    "check_split",
    "entries_in",
    "fail_layout",
    "file_named",
    "index_videos",
    "is_file",
    "is_folder",
    "is_media",
    "label_indices",
    "names_by_index",
    "names_in",
    "path_below",
    "path_id",
]

MEDIA_EXTENSIONS = frozenset(
    {
        *(".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".m1v", ".m2ts", ".m2v", ".m4v"),
        *(".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".nut"),
        *(".ogm", ".ogv", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv"),
    }
)
"""Extensions of video containers, lower case. Source: our own choice, from libavformat's demuxers."""

_NUM_NAMES_SHOWN = 5
MAX_INDEX = 1_000_000
"""A class list has an entry for each index up to the highest: a wrong digit must not fill the memory. Source: our own choice."""


def is_media(name: str) -> bool:
    """Whether a file's name has the extension of a video, in any case."""
    return os.path.splitext(name)[1].lower() in MEDIA_EXTENSIONS  # noqa: PTH122 - a Path for each of 240,000 names takes seconds


def check_root(dataset: str, root: Path, expected: str) -> None:
    """Nothing, or the error of a root that is no folder.

    Raises:
        ConfigError: it is absent, or a file.
    """
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing"
        packed = "; unpack it first" if root.exists() and is_archive(root.name) else ""
        raise ConfigError(f"{dataset}: looked for a folder at '{root}', found {found}; --root must hold {expected}{packed}")


def check_split(dataset: str, split: str, splits: tuple[str, ...]) -> None:
    """Nothing, or the error of a split that the dataset does not have.

    Raises:
        ConfigError: `split` is not one of `splits`.
    """
    rule = f"must be one of {', '.join(splits)}" if splits else "must be empty: the dataset has no splits"
    check(split in (splits or ("",)), f"{dataset}: split", split, rule)


def fail_layout(dataset: str, looked_for: str, where: Path, expected: str) -> NoReturn:
    """The error of a root that is there but not laid out as the dataset's owners publish it.

    Raises:
        ConfigError: always; it names what `where` holds, and what is probably wrong.
    """
    names = sorted(names_in(where), key=os.fsencode)
    shown = ", ".join(map(printable, names[:_NUM_NAMES_SHOWN]))
    if len(names) > _NUM_NAMES_SHOWN:
        shown += f" and {len(names) - _NUM_NAMES_SHOWN} more"
    shown = shown or ("nothing" if not where.is_dir() or os.access(where, os.R_OK | os.X_OK) else "a folder that may not be read")
    found = f"looked for {looked_for} in '{where}', found {shown}"
    raise ConfigError(f"{dataset}: {found}; --root must hold {expected}{hint(looked_for, where, names)}")


def label_indices(names: Iterable[str]) -> dict[str, int]:
    """The class index of each name, in the order of their bytes; the empty name is no class and has -1."""
    return {"": -1} | {name: index for index, name in enumerate(sorted(set(names) - {""}, key=os.fsencode))}


def names_by_index(labels: Mapping[str, int]) -> tuple[str, ...]:
    """The names in the order of their indices; "" where an index has none.

    Raises:
        ConfigError: an index is above a million.
    """
    names = {index: name for name, index in labels.items() if index >= 0}
    highest = max(names, default=-1)
    rule = f"must be at most {MAX_INDEX}: mend the class list"
    check(highest <= MAX_INDEX, f"the index of class '{names.get(highest, '')}'", highest, rule)
    return tuple(names.get(index, "") for index in range(highest + 1))


def path_id(source: str) -> str:
    """A path as an id; where its bytes are no UTF-8 with a part of their hash, since escapes alone may be another's name."""
    text = readable(source)
    return text if text == source else f"{text}-{hashlib.sha256(os.fsencode(source)).hexdigest()[:12]}"


def file_named(root: Path, folders: Iterable[str], names: Iterable[str]) -> Path | None:
    """The first file that exists of every name in every folder below the root, folders first; None if there is none."""
    names = tuple(names)
    return next((path for folder in folders for name in names if (path := root / folder / name).is_file()), None)


def path_below(root: Path, path: str) -> str:
    """A listed path, absolute or not, as one below the root; "" where it leads out of it."""
    place = posixpath.normpath(path.removeprefix(f"{root}/"))
    return "" if place.startswith(("/", "../")) or place == ".." else place


def entries_in(folder: Path | str, on_error: Callable[[OSError], object] = lambda _: None) -> Iterator[os.DirEntry[str]]:
    """The entries of a folder in no order; none where it is absent, no folder, or may not be read, as lost+found.

    What one folder hides must not hide the others. `on_error` is called with the reason, as by os.walk. Ask an entry through
    `is_folder` and `is_file`.
    """
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        on_error(error)
    except ValueError as error:
        # A name that no file can have, as one with a null byte.
        on_error(OSError(0, str(error)))


def names_in(folder: Path | str) -> frozenset[str]:
    """The names in a folder; none where it cannot be listed."""
    return frozenset(entry.name for entry in entries_in(folder))


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one. A link to itself is none: Python's own is_dir raises ELOOP for it."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_file(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a regular file, or a link to one; see is_folder."""
    try:
        return entry.is_file()
    except OSError:
        return False


def index_videos(root: Path, folders: Iterable[str]) -> Mapping[str, list[str]]:
    """Paths below the root of all videos in the folders and their sub-folders, by file name without extension, byte-sorted.

    The names come in no order. One scandir a folder and no stat: a name with a video's extension is taken at its word.
    """
    found: dict[str, list[str]] = {}
    for folder in folders:
        for stem, source in _below(root, folder, depth=1):
            found.setdefault(stem, []).append(source)
    for sources in found.values():
        if len(sources) > 1:
            sources.sort(key=os.fsencode)
    return found


def _below(root: Path, folder: str, depth: int) -> Iterator[tuple[str, str]]:
    """Stem and path of each video."""
    for entry in entries_in(root / folder):
        source = f"{folder}/{entry.name}" if folder else entry.name
        stem, extension = os.path.splitext(entry.name)  # noqa: PTH122 - see is_media
        if extension.lower() in MEDIA_EXTENSIONS:
            yield stem, source
        elif depth and is_folder(entry):
            yield from _below(root, source, depth - 1)
