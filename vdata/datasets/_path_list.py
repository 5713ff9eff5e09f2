"""Lists of lines `PATH LABEL`, as SlowFast, mmaction2 and VideoMAE read them in place of a dataset's own files.

Source: SlowFast's slowfast/datasets/DATASET.md (train.csv without a header, a blank between path and label); mmaction2's
kinetics400_train_list_videos.txt. Everyone writes their own: their readers' code was seen, none of their files.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from vdata.datasets._files import fail_file, read_lines
from vdata.datasets._layout import fail_layout, index_videos, is_media, names_in, path_below
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

__all__ = ["PathList", "is_path_list", "spelled"]

_LINE = re.compile(r"(?P<path>\S.*?)\s+(?P<label>-1|\d{1,6})\s*")
_LONGEST_LINE = 10_000
_CLIP = re.compile(r"(?P<id>.{11})_(?P<start>\d{6})_(?P<end>\d{6})")


def is_path_list(path: Path) -> bool:
    """Whether the first line is a video's path, a blank and a number: neither header nor row of a published CSV is."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return _parsed(file.readline(_LONGEST_LINE)) is not None


@dataclass(frozen=True)
class PathList:
    """The lines of one list."""

    dataset: str
    path: Path
    entries: Mapping[str, int]
    """Label by path, both as listed; -1 is none."""
    skipped: tuple[Skipped, ...]

    @classmethod
    def read(cls, dataset: str, path: Path) -> PathList:
        """The list of a file; a line that is not `PATH LABEL` is Skipped as `bad_row`, a path's second one as `listed_twice`."""
        entries: dict[str, int] = {}
        skipped = []
        for number, line in enumerate(read_lines(dataset, path), start=1):
            found = _parsed(line)
            if found and found[0] not in entries:
                entries[found[0]] = found[1]
            elif found:
                skipped.append(Skipped(path.name, "listed_twice", f"line {number} repeats '{found[0]}'"))
            elif line.strip():
                skipped.append(Skipped(path.name, "bad_row", f"line {number} is not 'PATH LABEL': {line}"))
        if not entries:
            fail_file(dataset, path, "no line 'PATH LABEL'", "it must list videos: take the published CSV")
        return cls(dataset, path, entries, tuple(skipped))

    @cached_property
    def labels(self) -> dict[str, int]:
        """Label by class name, where every number has a folder of its own and that folder no other; otherwise nothing."""
        folders = defaultdict(set)
        for path, label in self.entries.items():
            folders[label].add(posixpath.basename(posixpath.dirname(path)))
        names = {name: label for label, found in folders.items() for name in found if label >= 0}
        told = len(names) == len(folders.keys() - {-1}) and "" not in names
        return names if told and all(len(found) == 1 for label, found in folders.items() if label >= 0) else {}

    def check_against(self, train: Path, numbers: Mapping[str, int]) -> None:
        """Nothing, or the error of a number that means another class in the train list, or whose meaning nothing tells.

        Args:
            train: the train list.
            numbers: its index by class; empty where it tells no names either: two such lists are taken to be by one hand.

        Raises:
            ConfigError: the split's labels would not be those of train.
        """
        way_out = "take both lists from one source, in one form"
        if not self.labels and max(self.entries.values()) >= 0 and numbers and not is_path_list(train):
            told = f"'{self.path}' has numbers, and no folders that tell their classes, but '{train}' has names"
            raise ConfigError(f"{self.dataset}: {told}; {way_out}")
        spellings = spelled(self.labels, numbers)
        for name, number in self.labels.items() if numbers else ():
            other = numbers[spellings[name]] if name in spellings else None
            if other != number:
                rule = f"it must be {other}" if other is not None else "which it does not have"
                told = f"'{self.path}' gives the class '{name}' the number {number}, by '{train}' {rule}"
                raise ConfigError(f"{self.dataset}: {told}; {way_out}")

    def videos(
        self, root: Path, split: str, folders: Sequence[str], expected: str, numbers: Mapping[str, int]
    ) -> Iterator[Video | Skipped]:
        """Every line's video: at its path, else the file of that name in the split's folders. `numbers` names the classes.

        Raises:
            ConfigError: none of them is there; `expected` is the layout that the root should have.
        """
        names = {label: name for name, label in numbers.items() if label >= 0}
        found = dict(zip(self.entries, _sources(root, list(self.entries), folders), strict=True))
        if not any(found.values()):
            looked_for = f"the {len(found)} videos of {self.path.name}, such as {next(iter(found))},"
            fail_layout(self.dataset, looked_for, root, expected)
        seen: set[str] = set()
        for path, label in self.entries.items():
            stem = _stem(path)
            if stem in seen:
                yield Skipped(path, "listed_twice", f"{self.path.name} has another video of that name", stem)
            elif source := found[path]:
                seen.add(stem)
                yield Video(stem, source, split, (split,), label, label_name=names.get(label, ""), facts=_facts(stem))
            else:
                yield Skipped(path, "missing", f"{self.path.name} names it, it is not there", stem)
        yield from self.skipped


def spelled(names: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Of each name that is known the known spelling: mmaction2 writes `_` for blanks."""
    spellings = {name.replace("_", " "): name for name in known} | {name: name for name in known}
    found = ((name, spellings.get(name, spellings.get(name.replace("_", " ")))) for name in names)
    return {name: spelling for name, spelling in found if spelling is not None}


def _parsed(line: str) -> tuple[str, int] | None:
    """Path and label of a line."""
    found = _LINE.fullmatch(line.rstrip("\r\n"))
    return (found["path"], int(found["label"])) if found and is_media(found["path"]) else None


def _sources(root: Path, paths: Sequence[str], folders: Sequence[str]) -> Iterator[str]:
    """The place below the root of each listed path, "" where it is not there. One scandir a folder, no stat a file."""

    @cache
    def names(folder: str) -> frozenset[str]:
        return names_in(root / folder)

    @cache
    def by_stem() -> Mapping[str, list[str]]:
        return index_videos(root, folders)

    for path in paths:
        place = path_below(root, path)
        folder, name = posixpath.split(place)
        if place and name in names(folder):
            yield place
        else:
            # The list may be another machine's.
            others = by_stem().get(_stem(path), [])
            beside = posixpath.basename(posixpath.dirname(path))
            yield next((one for one in others if posixpath.basename(posixpath.dirname(one)) == beside), "".join(others[:1]))


def _stem(path: str) -> str:
    return posixpath.splitext(posixpath.basename(path))[0]


def _facts(stem: str) -> dict[str, int | float | str]:
    """What a name with times says; nothing for another name."""
    found = _CLIP.fullmatch(stem)
    return {"youtube_id": found["id"], "time_start": int(found["start"]), "time_end": int(found["end"])} if found else {}
