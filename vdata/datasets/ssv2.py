"""Something-Something v2: 220,847 clips of people doing things with things, 174 actions, 19 GB of WebM, each with a caption.

Published by Qualcomm (formerly TwentyBN; "Something-Something" under AI datasets at developer.qualcomm.com), for non-commercial
research after signing in: twenty parts 20bn-something-something-v2-00 ... of one tar.gz, and the labels. The release of 2022
also has the classes of the test clips.

Source: Goyal et al. 2017, ICCV, arXiv 1706.04261; the 2022 labels were read in part, the older names are from readers' code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._files import fail_file, parse_lines, read_json
from vdata.datasets._layout import check_root, check_split, fail_layout, file_named, index_videos, names_by_index
from vdata.records import Column, Skipped, Video

__all__ = ["SSv2", "SSv2Config"]

_LAYOUT = """ROOT/
  labels/labels.json, train.json, validation.json, test.json, test-answers.csv
      or something-something-v2-labels.json, -train.json, -validation.json, -test.json; in ROOT, labels/ or annotations/
  20bn-something-something-v2/74225.webm ...   or videos/, or in ROOT
"""
_EXPECTED = (
    "labels/{labels,train,validation,test}.json (or something-something-v2-*.json) and 20bn-something-something-v2/ID.webm"
)
_UNPACK = "; where there are parts, `cat 20bn-something-something-v2-?? | tar xz` makes that folder"
_LIST_FOLDERS = ("labels", "annotations", ".")
_VIDEO_FOLDERS = ("20bn-something-something-v2", "videos")
_NUMBER = re.compile(r"[0-9]{1,6}")
_OWNERS_NAMES = {"train": "train", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class SSv2Config:
    """No settings."""


@DATASETS.add("ssv2")
class SSv2:
    """The items of the split's JSON, in its order.

    A clip's class is its template without brackets, as labels.json numbers it; a test clip's is that of test-answers.csv, and
    without that file it has none. The caption is the owners' `label`, the tags are its placeholders.
    """

    Config: ClassVar[type] = SSv2Config
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")
    columns: ClassVar[tuple[Column, ...]] = ()
    build_settings: ClassVar[dict[str, Any]] = {}
    extract: ClassVar[tuple[str, ...]] = ("text",)
    about: ClassVar[About] = About(
        _LAYOUT, {"train": 168_913, "val": 24_777, "test": 27_157}, size_gb=19.4, needs="the parts joined and unpacked"
    )

    def __init__(self, config: SSv2Config) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: there is no labels.json, it is not as published, or there is no split's list.
        """
        check_root("ssv2", root, _EXPECTED)
        _labels(root)
        if not any(_list_path(root, split) for split in self.splits):
            fail_layout("ssv2", "train.json, validation.json or test.json", root, _EXPECTED)

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every item's video.

        Skipped are those whose file is not there (`missing`), second items (`listed_twice`), and items without an id or with a
        class that labels.json does not have (`bad_row`).

        Raises:
            ConfigError: a list is absent or not as published, or none of its videos is there.
        """
        check_split("ssv2", split, self.splits)
        check_root("ssv2", root, _EXPECTED)
        labels = _labels(root)
        path = _list_path(root, split) or fail_layout("ssv2", f"{_OWNERS_NAMES[split]}.json", root, _EXPECTED)
        items = read_json("ssv2", path, list)
        names = [item["id"] for item in items if isinstance(item, dict) and isinstance(item.get("id"), str)]
        if not names:
            fail_file("ssv2", path, items[:1], "it must be a list of items with an id: take the published file")
        folders = [folder for folder in _VIDEO_FOLDERS if (root / folder).is_dir()] or [""]
        files = index_videos(root, folders)
        if files.keys().isdisjoint(names):
            fail_layout("ssv2", f"the {len(names)} videos of {path.name}", root / folders[0], _EXPECTED + _UNPACK)
        answers = _answers(root) if split == "test" else {}
        seen: set[str] = set()
        for number, item in enumerate(items):
            if not isinstance(item, dict) or not isinstance(item.get("id"), str):
                yield Skipped(path.name, "bad_row", f"item {number} of {path.name} has no id: {str(item)[:80]}")
            elif item["id"] in seen:
                yield Skipped(f"{item['id']}.webm", "listed_twice", f"{path.name} has it more than once", item["id"])
            else:
                seen.add(item["id"])
                yield _video(item, split, labels, answers, files)

    def classes(self, root: Path) -> Classes:
        """`label`: the 174 templates without brackets."""
        return {"label": names_by_index(_labels(root))}


def _path(root: Path, name: str, end: str) -> Path | None:
    """A list under either of its names."""
    return file_named(root, _LIST_FOLDERS, [f"{name}{end}", f"something-something-v2-{name}{end}"])


def _list_path(root: Path, split: str) -> Path | None:
    return _path(root, _OWNERS_NAMES[split], ".json")


def _labels(root: Path) -> dict[str, int]:
    """Index by class; the file has the numbers as strings."""
    path = _path(root, "labels", ".json") or fail_layout("ssv2", "labels/labels.json", root, _EXPECTED)
    found = read_json("ssv2", path, dict)
    for name, number in found.items():
        if not (isinstance(number, str) and _NUMBER.fullmatch(number)):
            fail_file("ssv2", path, f"'{name}': {number!r}", "each class must have a number in quotes")
    labels = {str(name): int(number) for name, number in found.items()}
    if sorted(labels.values()) != list(range(len(labels))):
        fail_file("ssv2", path, f"{len(labels)} classes", "they must be numbered from 0 without a gap")
    return labels


def _answers(root: Path) -> dict[str, str]:
    """Class name by id of the test clips; none where the file is not there."""
    path = _path(root, "test-answers", ".csv")
    return dict(parse_lines("ssv2", path, _answer, "each line must be 'ID;CLASS'")) if path else {}


def _answer(line: str) -> tuple[str, str]:
    name, label_name = line.split(";")
    return name, label_name.strip()


def _video(
    item: Mapping[str, Any],
    split: str,
    labels: Mapping[str, int],
    answers: Mapping[str, str],
    files: Mapping[str, list[str]],
) -> Video | Skipped:
    """The video of an item that has an id."""
    name = item["id"]
    # The template as labels.json spells it: "Holding something". Test clips have none.
    label_name = answers.get(name) or str(item.get("template") or "").replace("[", "").replace("]", "")
    if label_name and label_name not in labels:
        return Skipped(f"{name}.webm", "bad_row", f"its class '{label_name}' is none of labels.json", name)
    if name not in files:
        return Skipped(f"{name}.webm", "missing", f"the {split} list names it, no file '{name}.*' is there", name)
    label = labels[label_name] if label_name else -1
    return Video(name, files[name][0], split, (split,), label, label_name=label_name, text=_text(item))


def _text(item: Mapping[str, Any]) -> dict[str, Any]:
    """Caption and placeholders, where they are as published."""
    caption, tags = item.get("label"), item.get("placeholders")
    text = {"caption": caption} if isinstance(caption, str) and caption else {}
    return text | ({"tags": tags} if isinstance(tags, list) and tags and all(isinstance(tag, str) for tag in tags) else {})
