"""Diving48, version 2: 16,997 clips of competitive dives, 48 sequences of moves, 10 GB of MP4.

Published by UC San Diego's SVCL (www.svcl.ucsd.edu/projects/resound/dataset.html), for research: Diving48_rgb.tar.gz,
Diving48_V2_train.json, Diving48_V2_test.json and Diving48_vocab.json. Version 2 corrects the labels of the first; the first's
lists are not read.

Source: Li, Li, Vasconcelos 2018, ECCV (RESOUND). The lists themselves were not seen: their form is from readers' code, and the
class names from mmaction2's copy of the vocabulary, four words with `+` between them. Readers disagree on whether end_frame is
the last frame or the one behind it, so both columns are kept as they stand, and a clip is its whole file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._files import fail_file, read_json
from vdata.datasets._layout import check_root, check_split, fail_layout, file_named, index_videos
from vdata.records import Column, Skipped, Video

__all__ = ["Diving48", "Diving48Config"]

_LAYOUT = """ROOT/
  Diving48_V2_train.json, Diving48_V2_test.json, Diving48_vocab.json   or in annotations/
  rgb/_8Vy3dlHg2w_00000.mp4 ...                                        or videos/, or in ROOT
"""
_EXPECTED = (
    "Diving48_V2_train.json, Diving48_V2_test.json and Diving48_vocab.json (directly or in annotations/), and videos in rgb/"
)
_LIST_FOLDERS = (".", "annotations")
_VIDEO_FOLDERS = ("rgb", "videos", "Diving48_rgb/rgb", "Diving48_rgb")
_RULE = "each entry must have vid_name and label, as the published Diving48_V2 lists"


@dataclass(frozen=True)
class Diving48Config:
    """No settings."""


@DATASETS.add("diving48")
class Diving48:
    """The entries of the split's JSON, in its order; labels are its own numbers."""

    Config: ClassVar[type] = Diving48Config
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    columns: ClassVar[tuple[Column, ...]] = (
        Column("start_frame", pa.int32(), "First frame of the dive by the owners' list, from 0; null where it does not say."),
        Column("end_frame", pa.int32(), "Last frame, or the one behind it: readers disagree; null where the list does not say."),
    )
    build_settings: ClassVar[dict[str, Any]] = {}
    extract: ClassVar[tuple[str, ...]] = ()
    about: ClassVar[About] = About(_LAYOUT, {"train": 15_027, "test": 1_970}, size_gb=10, needs="the lists of version 2")

    def __init__(self, config: Diving48Config) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: a list or the vocabulary is absent or not as published.
        """
        check_root("diving48", root, _EXPECTED)
        for split in self.splits:
            _list_path(root, f"Diving48_V2_{split}.json")
        _vocabulary(root)

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every entry's video; Skipped are those whose file is not there as `missing`, a second entry as `listed_twice`.

        An entry without a name or with a label that is no class is a `bad_row`.

        Raises:
            ConfigError: a list is absent or not as published, or none of its videos is there.
        """
        check_split("diving48", split, self.splits)
        check_root("diving48", root, _EXPECTED)
        names = _vocabulary(root)
        path = _list_path(root, f"Diving48_V2_{split}.json")
        entries = read_json("diving48", path, list)
        if not any(_is_good(entry, names) for entry in entries):
            fail_file("diving48", path, entries[:1], _RULE)
        folders = [folder for folder in _VIDEO_FOLDERS if (root / folder).is_dir()] or [""]
        files = index_videos(root, folders[:1])
        if not any(entry["vid_name"] in files for entry in entries if _is_good(entry, names)):
            fail_layout("diving48", f"the {len(entries)} videos of {path.name}", root / folders[0], _EXPECTED)
        seen: set[str] = set()
        for number, entry in enumerate(entries):
            if not _is_good(entry, names):
                yield Skipped(path.name, "bad_row", f"entry {number} of {path.name}: {_RULE}; found {str(entry)[:80]}")
                continue
            yield _video(entry, split, names, files, seen)
            seen.add(entry["vid_name"])

    def classes(self, root: Path) -> Classes:
        """`label`: the 48 sequences of the vocabulary."""
        return {"label": _vocabulary(root)}


def _list_path(root: Path, name: str) -> Path:
    return file_named(root, _LIST_FOLDERS, [name]) or fail_layout("diving48", name, root, _EXPECTED)


def _vocabulary(root: Path) -> tuple[str, ...]:
    """The classes by index: "Back+15som+05Twis+FREE"."""
    path = _list_path(root, "Diving48_vocab.json")
    moves = read_json("diving48", path, list)
    for index, words in enumerate(moves):
        if not (isinstance(words, list) and words and all(isinstance(word, str) for word in words)):
            fail_file("diving48", path, words, f"class {index} must be a list of four words")
    return tuple("+".join(words) for words in moves)


def _is_good(entry: object, names: Sequence[str]) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("vid_name"), str):
        return False
    return _is_count(entry.get("label")) and entry["label"] < len(names)


def _is_count(value: object) -> bool:
    """Whether it is a whole number that a column of int32 holds; JSON's true is none, though Python takes it for 1."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _video(
    entry: Mapping[str, Any], split: str, names: Sequence[str], files: Mapping[str, list[str]], seen: set[str]
) -> Video | Skipped:
    name, label = entry["vid_name"], entry["label"]
    if name in seen:
        return Skipped(f"{name}.mp4", "listed_twice", f"the {split} list names it more than once", name)
    if name not in files:
        return Skipped(f"{name}.mp4", "missing", f"the {split} list names it, no file '{name}.*' is there", name)
    frames = {key: entry[key] for key in ("start_frame", "end_frame") if _is_count(entry.get(key))}
    return Video(name, files[name][0], split, (split,), label, label_name=names[label], facts=frames)
