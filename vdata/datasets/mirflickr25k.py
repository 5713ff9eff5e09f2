"""MIRFlickr-25K: 25,000 pictures of Flickr with their users' tags and 24 classes, 3 GB; each picture has a CC licence of its own.

Published by LIACS, Leiden (press.liacs.nl/mirflickr): mirflickr25k.zip and mirflickr25k_annotations_v080.zip. No piece of a
published file was at hand: the layout is that of public readers.

Source: Huiskes, Lew 2008, "The MIR Flickr retrieval evaluation"; the protocol: Jiang, Li 2017, arXiv 1602.02255 (DCMH).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from vdata.config import check
from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._files import image_names, parse_lines
from vdata.datasets._image_text import PICTURE_SETTINGS, picture
from vdata.datasets._layout import check_root, check_split, fail_layout, file_named
from vdata.errors import ConfigError
from vdata.records import Column, Skipped, Video

__all__ = ["MirFlickr25k", "MirFlickr25kConfig"]

_LAYOUT = """ROOT/
  mirflickr/im1.jpg ... im25000.jpg
  mirflickr/meta/tags/tags1.txt ...            one tag a line
  mirflickr/doc/common_tags.txt                TAG COUNT, 1,386 of them
  mirflickr25k_annotations_v080/animals.txt ...  numbers of pictures; or annotations/
"""
_EXPECTED = "mirflickr/im1.jpg ..., mirflickr/meta/tags/, mirflickr/doc/common_tags.txt and mirflickr25k_annotations_v080/*.txt"
_ANNOTATIONS = ("mirflickr25k_annotations_v080", "annotations", "annotations_v080", "mirflickr/annotations")
_IMAGE = re.compile(r"im([0-9]+)\.jpg")
_STRICT = "_r1"
"""Files of the pictures in which a class is salient; not among the 24 classes of the protocols."""
_NUM_QUERIES, _NUM_TRAIN = 2_000, 10_000


@dataclass(frozen=True)
class MirFlickr25kConfig:
    """Which tags are kept, and how the protocol's sets are drawn."""

    tags: Literal["common", "all"] = "common"
    """`common`: those of common_tags.txt, which at least 20 pictures have; `all`: every tag."""
    seed: int = -1
    """From 0 on: the numbers by which query, retrieval and train sets are drawn; -1 draws none."""

    def __post_init__(self) -> None:
        """Checks the tags and the seed."""
        check(self.tags in ("common", "all"), "mirflickr25k.tags", self.tags, "must be 'common' or 'all'")
        check(self.seed >= -1, "mirflickr25k.seed", self.seed, "must be 0 or more, or -1 for none")


@dataclass(frozen=True, slots=True)
class _Annotations:
    """What is known of the pictures but for where they are."""

    names: tuple[str, ...]
    """The classes, in the order of their bytes."""
    labels: Mapping[int, tuple[int, ...]]
    """Class indices by picture."""
    common: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The sets of the protocol."""

    queries: frozenset[int] = frozenset()
    train: frozenset[int] = frozenset()
    retrieval: frozenset[int] = frozenset()

    def of(self, number: int) -> tuple[str, ...]:
        """The sets that a picture is in."""
        sets = {"query": self.queries, "retrieval": self.retrieval, "train": self.train}
        return tuple(name for name, numbers in sets.items() if number in numbers)


@DATASETS.add("mirflickr25k")
class MirFlickr25k:
    """All pictures, by number; there are no official splits.

    `labels` has the classes of a picture, in the order of their files' names; `label` is -1. With a seed, `splits` says which
    sets of DCMH's protocol a picture is in: of the pictures with a class and a common tag (20,015 in the literature), 2,000 are
    `query`, the rest `retrieval`, and 10,000 of these `train`. The protocol draws them at random and names none, so the draw is
    ours. It needs the tags of all pictures, and does not depend on which pictures are there.
    """

    Config: ClassVar[type] = MirFlickr25kConfig
    splits: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[Column, ...]] = ()
    build_settings: ClassVar[dict[str, Any]] = PICTURE_SETTINGS
    extract: ClassVar[tuple[str, ...]] = ("text",)
    about: ClassVar[About] = About(_LAYOUT, {"": 25_000}, size_gb=3)

    def __init__(self, config: MirFlickr25kConfig) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: there are no annotations, no list of tags or no pictures.
        """
        check_root("mirflickr25k", root, _EXPECTED)
        _class_files(root)
        _common_path(root)
        _pictures(root)

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every picture that is there or that an annotation names, by number; one that is not there is Skipped as `missing`.

        Raises:
            ConfigError: the layout is not as published, or a file has other lines.
        """
        check_split("mirflickr25k", split, self.splits)
        self.prepare(root)
        known, pictures, tags = _annotations(root), _pictures(root), _Tags(root)
        drawn = _drawn(self.config.seed, known, tags) if self.config.seed >= 0 else _Drawn()
        common = frozenset(known.common)
        for number in sorted(pictures.keys() | known.labels.keys() | tags.numbers):
            source = pictures.get(number)
            if source is None:
                yield Skipped(
                    f"mirflickr/im{number}.jpg", "missing", "an annotation names it, no such picture is there", f"im{number}"
                )
                continue
            words = [tag for tag in tags.of(number) if self.config.tags == "all" or tag in common]
            yield picture(f"im{number}", source, split, drawn.of(number), known.labels.get(number, ()), words)

    def classes(self, root: Path) -> Classes:
        """`label`: the 24 classes; `tag`: the common tags, in the published order."""
        known = _annotations(root)
        return {"label": known.names, "tag": known.common}


def _class_files(root: Path) -> dict[str, Path]:
    """The file of each class, by its name."""
    for folder in _ANNOTATIONS:
        found = {path.stem: path for path in (root / folder).glob("*.txt") if not path.stem.endswith(_STRICT)}
        found.pop("README", None)
        if found:
            return {name: found[name] for name in sorted(found)}
    return fail_layout(
        "mirflickr25k", "the lists of classes (unpack mirflickr25k_annotations_v080.zip) as animals.txt", root, _EXPECTED
    )


def _common_path(root: Path) -> Path:
    path = file_named(root, ("mirflickr", "."), ["doc/common_tags.txt"])
    return path or fail_layout("mirflickr25k", "mirflickr/doc/common_tags.txt (unpack mirflickr25k.zip)", root, _EXPECTED)


def _pictures(root: Path) -> dict[int, str]:
    """Path of each picture, by its number."""
    for folder in ("mirflickr/", ""):
        matches = ((_IMAGE.fullmatch(name), name) for name in image_names(root / folder))
        if found := {int(match[1]): f"{folder}{name}" for match, name in matches if match}:
            return found
    return fail_layout(
        "mirflickr25k", "the pictures im1.jpg ... im25000.jpg (unpack mirflickr25k.zip)", root / "mirflickr", _EXPECTED
    )


def _annotations(root: Path) -> _Annotations:
    """The lists of classes and of tags.

    Raises:
        ConfigError: a line is not a number, or not a tag and its count.
    """
    files = _class_files(root)
    labels: dict[int, tuple[int, ...]] = {}
    for index, path in enumerate(files.values()):
        for number in parse_lines("mirflickr25k", path, int, "each line must be the number of a picture"):
            labels[number] = (*labels.get(number, ()), index)
    path = _common_path(root)
    common = parse_lines("mirflickr25k", path, _common_tag, "each line must be a tag and its count", _lines(path))
    return _Annotations(tuple(files), labels, tuple(common))


def _common_tag(line: str) -> str:
    tag, count = line.split()
    int(count)
    return tag


def _lines(path: Path) -> list[str]:
    """The lines of a file of tags; bytes that are no UTF-8 are replaced, as the readers of others do, not refused."""
    try:
        return path.read_bytes().decode("utf-8", "replace").splitlines()
    except OSError as error:
        raise ConfigError(f"mirflickr25k: '{path}' cannot be read: {error.strerror}; unpack mirflickr25k.zip anew") from error


class _Tags:
    """The tags of pictures, read when they are asked for."""

    def __init__(self, root: Path) -> None:
        path = next((path for folder in ("mirflickr", ".") if (path := root / folder / "meta" / "tags").is_dir()), None)
        self._folder = path or fail_layout("mirflickr25k", "mirflickr/meta/tags/tags1.txt ...", root, _EXPECTED)
        stems = (path.stem.removeprefix("tags") for path in self._folder.glob("tags*.txt"))
        self.numbers = frozenset(int(stem) for stem in stems if stem.isdecimal())

    def of(self, number: int) -> list[str]:
        """The tags of a picture, as its owner wrote them."""
        return (
            [tag for line in _lines(self._folder / f"tags{number}.txt") if (tag := line.strip())]
            if number in self.numbers
            else []
        )


def _drawn(seed: int, known: _Annotations, tags: _Tags) -> _Drawn:
    """The sets of the protocol, drawn among the pictures with a class and a common tag. Source: the draw is our own choice."""
    common = frozenset(known.common)
    usable = [number for number in sorted(known.labels) if not common.isdisjoint(tags.of(number))]
    check(len(usable) > _NUM_QUERIES, "mirflickr25k.seed", seed, f"must be -1 where {len(usable)} pictures have classes and tags")
    order: Sequence[int] = np.random.default_rng(seed).permutation(usable).tolist()
    rest = order[_NUM_QUERIES:]
    return _Drawn(frozenset(order[:_NUM_QUERIES]), frozenset(rest[:_NUM_TRAIN]), frozenset(rest))
