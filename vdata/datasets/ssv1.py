"""Something-Something v1: 108,499 clips of people doing things with things, 174 actions, as folders of JPEGs, 25 GB.

Published by TwentyBN, now Qualcomm, for non-commercial research: parts 20bn-something-something-v1-00 ... of one tar.gz, and
lists. A clip is a folder of pictures, 100 pixels high, 12 a second; each is encoded like any video.

Source: Goyal et al. 2017, ICCV, arXiv 1706.04261. None of the files was seen: names and forms are from readers' code, the rate
from the owners' page by memory. Class indices are lines of the labels file, as mmaction2 numbers them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

from vdata.config import check
from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._files import fail_file, image_names, parse_lines, read_lines
from vdata.datasets._layout import check_root, check_split, entries_in, fail_layout, file_named, is_folder, names_by_index
from vdata.records import Column, Skipped, Video

__all__ = ["SSv1", "SSv1Config"]

_LAYOUT = """ROOT/
  something-something-v1-labels.csv, -train.csv, -validation.csv, -test.csv   or in labels/ or annotations/
  20bn-something-something-v1/100218/00001.jpg ...                            or rawframes/, frames/, or in ROOT
"""
_EXPECTED = "something-something-v1-{labels,train,validation,test}.csv and the folders 20bn-something-something-v1/ID/00001.jpg"
_UNPACK = "; where there are parts, `cat 20bn-something-something-v1-?? | tar xz` makes that folder"
_LIST_FOLDERS = (".", "labels", "annotations")
_CLIP_FOLDERS = ("20bn-something-something-v1", "rawframes", "frames")
_OWNERS_NAMES = {"train": "train", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class SSv1Config:
    """What the pictures do not tell."""

    fps: int = 12
    """Pictures a second."""

    def __post_init__(self) -> None:
        """Checks the rate."""
        check(self.fps > 0, "ssv1.fps", self.fps, "must be positive")


@DATASETS.add("ssv1")
class SSv1:
    """The lines of the split's list, in its order; test clips have no class."""

    Config: ClassVar[type] = SSv1Config
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")
    columns: ClassVar[tuple[Column, ...]] = ()
    build_settings: ClassVar[dict[str, Any]] = {}
    extract: ClassVar[tuple[str, ...]] = ()
    about: ClassVar[About] = About(
        _LAYOUT, {"train": 86_017, "val": 11_522, "test": 10_960}, size_gb=25.2, needs="the parts joined and unpacked"
    )

    def __init__(self, config: SSv1Config) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: there is no list of labels, or none of a split.
        """
        check_root("ssv1", root, _EXPECTED)
        _labels(root)
        if not any(_path(root, name) for name in _OWNERS_NAMES.values()):
            fail_layout("ssv1", "something-something-v1-train.csv, -validation.csv or -test.csv", root, _EXPECTED)

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every line's clip.

        Skipped are `missing` (no folder), `empty` (no picture in it), `listed_twice`, and `bad_row` (a class without a number).

        Raises:
            ConfigError: a list is absent or not as published, or none of its folders is there.
        """
        check_split("ssv1", split, self.splits)
        check_root("ssv1", root, _EXPECTED)
        labels = _labels(root)
        owners_name = _OWNERS_NAMES[split]
        path = _path(root, owners_name) or fail_layout("ssv1", f"something-something-v1-{owners_name}.csv", root, _EXPECTED)
        lines = parse_lines("ssv1", path, _parsed, "each line must be 'ID;CLASS', or 'ID' in a test list")
        base = next((folder for folder in _CLIP_FOLDERS if (root / folder).is_dir()), "")
        folders = {entry.name for entry in entries_in(root / base) if is_folder(entry)}
        if folders.isdisjoint(name for name, _ in lines):
            fail_layout("ssv1", f"the {len(lines)} folders of {path.name}", root / base, _EXPECTED + _UNPACK)
        seen: set[str] = set()
        for name, label_name in lines:
            if name in seen:
                yield Skipped(name, "listed_twice", f"{path.name} has it more than once", name)
            elif label_name and label_name not in labels:
                yield Skipped(name, "bad_row", f"its class '{label_name}' is none of the labels file", name)
            elif name not in folders:
                yield Skipped(name, "missing", f"{path.name} names it, no folder '{name}' is there", name)
            else:
                yield self._video(root, f"{base}/{name}" if base else name, split, label_name, labels)
            seen.add(name)

    def classes(self, root: Path) -> Classes:
        """`label`: the 174 lines of the labels file."""
        return {"label": names_by_index(_labels(root))}

    def _video(self, root: Path, source: str, split: str, label_name: str, labels: Mapping[str, int]) -> Video | Skipped:
        name = source.rpartition("/")[2]
        frames = tuple(f"{source}/{image}" for image in image_names(root / source))
        if not frames:
            return Skipped(source, "empty", "the folder holds no picture", name)
        label = labels[label_name] if label_name else -1
        rate = Fraction(self.config.fps)
        return Video(name, source, split, (split,), label, label_name=label_name, frames=frames, frame_rate=rate)


def _path(root: Path, owners_name: str) -> Path | None:
    return file_named(root, _LIST_FOLDERS, [f"something-something-v1-{owners_name}.csv"])


def _labels(root: Path) -> dict[str, int]:
    """Index by class, in the order of the lines."""
    path = _path(root, "labels") or fail_layout("ssv1", "something-something-v1-labels.csv", root, _EXPECTED)
    names = [name for line in read_lines("ssv1", path) if (name := line.strip())]
    if not names or len(set(names)) < len(names):
        fail_file("ssv1", path, f"{len(names)} lines, {len(set(names))} classes", "each line must be a class of its own")
    return {name: index for index, name in enumerate(names)}


def _parsed(line: str) -> tuple[str, str]:
    """Id and class of "100218;Something falling like a rock"; "" for the class of a test clip."""
    name, _, label_name = line.strip().partition(";")
    if not name or "/" in name:
        raise ValueError
    return name, label_name
