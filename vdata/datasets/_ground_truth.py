"""Ground truths of action segmentation: a class for every frame of a video, the numbering of the classes, lists of videos."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from vdata.datasets._files import fail_file, parse_lines, read_lines
from vdata.datasets._layout import MAX_INDEX, names_by_index
from vdata.records import Segment

__all__ = ["names_of_frames", "read_bundle", "read_mapping", "read_truth"]

_SPAN = re.compile(r"([0-9]{1,7})-([0-9]{1,7})\s+(\S+)")
"""Seven digits are 92 hours at 30 frames a second: of features alone there is a label for each frame up to the last."""


def read_mapping(dataset: str, path: Path) -> dict[str, int]:
    """The index of every class in lines `INDEX CLASS`; several classes may share one.

    Raises:
        ConfigError: a line is of another form, an index is not within a million, or a class has two.
    """
    found: dict[str, int] = {}
    for index, name in parse_lines(dataset, path, _indexed, f"must be 'INDEX CLASS', the index at most {MAX_INDEX}"):
        if found.setdefault(name, index) != index:
            fail_file(dataset, path, f"{found[name]} and {index} as the index of '{name}'", "each class must have one")
    if not found:
        fail_file(dataset, path, "an empty file", "it must have lines 'INDEX CLASS'")
    return found


def _indexed(line: str) -> tuple[int, str]:
    number, name = line.split()
    index = int(number)
    if abs(index) > MAX_INDEX:
        raise ValueError(number)
    return index, name


def read_truth(dataset: str, path: Path, mapping: Mapping[str, int]) -> tuple[Segment, ...]:
    """The segments of a ground truth: one class a line is one a frame; lines `START-END CLASS` have both ends in the span.

    The first span starts at frame 0, whatever its number: Breakfast's count from 1, and CTE's reader adds the lengths up.

    Raises:
        ConfigError: a class is not in the mapping, or spans overlap; it names the line.
    """
    lines = [line.strip() for line in read_lines(dataset, path)]
    if lines and _SPAN.fullmatch(lines[0]):
        return _spans(dataset, path, lines, mapping)
    labels = [mapping.get(line) for line in lines]
    if None in labels:
        _fail_class(dataset, path, lines, labels.index(None), mapping)
    return Segment.runs([label for label in labels if label is not None])


def _spans(dataset: str, path: Path, lines: Sequence[str], mapping: Mapping[str, int]) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    first = None
    for number, line in enumerate(lines):
        match = _SPAN.fullmatch(line)
        if match is None:
            fail_file(dataset, path, f"'{line}'", "must be 'START-END CLASS' as the first line is", number + 1)
        if match[3] not in mapping:
            _fail_class(dataset, path, lines, number, mapping)
        first = int(match[1]) if first is None else first
        start, end = int(match[1]) - first, int(match[2]) - first + 1
        if end <= start or (segments and start < segments[-1].end):
            fail_file(dataset, path, f"'{line}'", "must end behind its start, and start behind the line before", number + 1)
        segments.append(Segment(start, end, mapping[match[3]]))
    return tuple(segments)


def _fail_class(dataset: str, path: Path, lines: Sequence[str], number: int, mapping: Mapping[str, int]) -> NoReturn:
    rule = f"must be one of the {len(mapping)} classes of the mapping: take both from one source"
    fail_file(dataset, path, f"'{lines[number]}'", rule, number + 1)


def names_of_frames(mapping: Mapping[str, int]) -> tuple[str, ...]:
    """The classes in the order of their indices, those of one index joined by `|`; negative indices are left out."""
    names: dict[int, list[str]] = {}
    for name, index in mapping.items():
        names.setdefault(index, []).append(name)
    return names_by_index({"|".join(sharing): index for index, sharing in names.items()})


def read_bundle(dataset: str, path: Path) -> tuple[str, ...]:
    """The videos that a list names, by their ground truths."""
    names = tuple(line.strip().removesuffix(".txt") for line in read_lines(dataset, path) if line.strip())
    if not names:
        fail_file(dataset, path, "an empty file", "it must name the ground truth of a video in each line")
    return names
