"""What the readers of dataset folders share: which names are videos, where they lie, how a wrong root is worded."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NoReturn

from vdata.config import check
from vdata.errors import ConfigError
from vdata.records import printable, readable

__all__ = [
    "MEDIA_EXTENSIONS",
    "check_root",
    "check_split",
    "fail_layout",
    "file_named",
    "index_videos",
    "is_media",
    "label_indices",
    "names_by_index",
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
_ARCHIVE = re.compile(r"\.(zip|z\d\d|tar|tgz|gz|bz2|xz|rar|7z)(\.\d+|\.[a-z]{2})?$", re.IGNORECASE)
"""The end of an archive's name, or of a part of one."""


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
        raise ConfigError(f"{dataset}: looked for a folder at '{root}', found {found}; --root must hold {expected}")


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
        ConfigError: always; it names what `where` holds, and an archive there that should have been unpacked.
    """
    names = sorted(printable(entry.name) for entry in os.scandir(where)) if where.is_dir() else []
    shown = ", ".join(names[:_NUM_NAMES_SHOWN])
    if len(names) > _NUM_NAMES_SHOWN:
        shown += f" and {len(names) - _NUM_NAMES_SHOWN} more"
    packed = next((f"; unpack '{name}' first" for name in names if _ARCHIVE.search(name)), "")
    found = f"looked for {looked_for} in '{where}', found {shown or 'nothing'}"
    raise ConfigError(f"{dataset}: {found}; --root must hold {expected}{packed}")


def label_indices(names: Iterable[str]) -> dict[str, int]:
    """The class index of each name, in the order of their bytes; the empty name is no class and has -1."""
    return {"": -1} | {name: index for index, name in enumerate(sorted(set(names) - {""}, key=os.fsencode))}


def names_by_index(labels: Mapping[str, int]) -> tuple[str, ...]:
    """The names in the order of their indices; "" where an index has none."""
    names = {index: name for name, index in labels.items() if index >= 0}
    return tuple(names.get(index, "") for index in range(max(names, default=-1) + 1))


def path_id(source: str) -> str:
    """A path as an id; where its bytes are no UTF-8 with a part of their hash, since escapes alone may be another's name."""
    text = readable(source)
    return text if text == source else f"{text}-{hashlib.sha256(os.fsencode(source)).hexdigest()[:12]}"


def file_named(root: Path, folders: Iterable[str], names: Iterable[str]) -> Path | None:
    """The first file that exists of every name in every folder below the root, folders first; None if there is none."""
    names = tuple(names)
    return next((path for folder in folders for name in names if (path := root / folder / name).is_file()), None)


def index_videos(root: Path, folders: Iterable[str]) -> Mapping[str, list[str]]:
    """Paths below the root of all videos in the folders and their sub-folders, by file name without extension, byte-sorted.

    One scandir a folder and no stat: a name with a video's extension is taken at its word.
    """
    found: dict[str, list[str]] = {}
    for folder in folders:
        for stem, source in _below(root, folder, depth=1):
            found.setdefault(stem, []).append(source)
    for sources in found.values():
        if len(sources) > 1:
            sources.sort(key=os.fsencode)
    return found


def _below(root: Path, folder: str, depth: int) -> Iterable[tuple[str, str]]:
    """Stem and path of each video."""
    with os.scandir(root / folder) as entries:
        for entry in entries:
            source = f"{folder}/{entry.name}" if folder else entry.name
            stem, extension = os.path.splitext(entry.name)  # noqa: PTH122 - see is_media
            if extension.lower() in MEDIA_EXTENSIONS:
                yield stem, source
            elif depth and entry.is_dir():
                yield from _below(root, source, depth - 1)
