"""Rows that users write themselves, in a table or beside a video in a tar: cells of any type become words and class numbers."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from vdata.datasets._files import read_lines
from vdata.datasets._layout import label_indices, names_by_index

__all__ = ["Numbering", "WordColumns", "Words", "cell_items", "cell_seconds", "cell_text", "numbered", "read_names", "take"]

_NUMBER = re.compile(r"[+-]?[0-9]+(\.0*)?")
_NOTHING = frozenset({"", "nan", "none", "null", "na", "n/a", "nat"})
_LAST_LABEL = 2**31 - 1
_MOST_DIGITS = 20


@dataclass(frozen=True)
class WordColumns:
    """Which columns say what of a video: of several names the first that has a value in a row. Empty: no such column."""

    label: tuple[str, ...] = ("label", "labels")
    """One class, or several in a list or with a separator between; names, or numbers from 0."""
    caption: tuple[str, ...] = ("caption",)
    tags: tuple[str, ...] = ("tags",)


@dataclass(frozen=True, slots=True)
class Words:
    """What a row says of a video."""

    labels: tuple[str, ...] = ()
    """Names or numbers, as written."""
    caption: str = ""
    tags: tuple[str, ...] = ()
    other: Mapping[str, str] = field(default_factory=dict)
    """Every column that is left, as text."""

    @classmethod
    def of(cls, values: dict[str, Any], columns: WordColumns, separator: str) -> Words:
        """The words of a row; its values are used up."""
        labels = cell_items(take(values, columns.label), separator)
        caption = cell_text(take(values, columns.caption))
        tags = cell_items(take(values, columns.tags), separator)
        return cls(labels, caption, tags, {name: text for name, value in values.items() if (text := cell_text(value))})

    @property
    def text(self) -> dict[str, Any]:
        """As Video.text wants it: what is empty is left out."""
        found = {"caption": self.caption, "tags": list(self.tags), "other": dict(self.other)}
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class Numbering:
    """The class index of every label that a listing has."""

    index: Mapping[str, int]
    names: tuple[str, ...]
    """By index; none where labels are bare numbers."""
    several: bool
    """Whether some row has more than one."""

    def fault(self, labels: Sequence[str]) -> str:
        """Why labels cannot be numbered; empty where they can."""
        unknown = [label for label in labels if label not in self.index]
        if not unknown:
            return ""
        known = f"one of the {len(self.names)} classes, by name or number" if self.names else "a number from 0, or -1 for none"
        return f"label '{unknown[0]}' is not {known}"

    def columns(self, labels: Sequence[str]) -> dict[str, Any]:
        """What a Video says of its classes: `label` and its name, or `labels` where rows have several."""
        found = [index for label in labels if (index := self.index[label]) >= 0]
        if self.several:
            return {"labels": tuple(dict.fromkeys(found))}
        if not found:
            return {}
        name = self.names[found[0]] if self.names else ""
        return {"label": found[0], "label_name": name}


def numbered(rows: Iterable[Sequence[str]], listed: Sequence[str] = ()) -> Numbering:
    """The numbering of the labels of all rows.

    With a class list, `listed`, a label is one of its names or, where all labels are numbers, a place in it. Without, labels that
    are all numbers are indices as they stand, and others get their place among the byte-sorted names.
    """
    found, several = set[str](), False
    for labels in rows:
        several = several or len(labels) > 1
        found.update(labels)
    if all(_NUMBER.fullmatch(label) for label in found):
        numbers = {label: _class_number(label) for label in found}
        last = len(listed) - 1 if listed else _LAST_LABEL
        index = {label: number for label, number in numbers.items() if -1 <= number <= last}
        return Numbering(index, tuple(listed), several)
    index = {name: number for number, name in enumerate(listed)} if listed else label_indices(found)
    return Numbering(index, tuple(listed) or names_by_index(index), several)


def _class_number(label: str) -> int:
    """The number that a label is; one too high for any class where it has more digits than Python converts (4,300)."""
    digits = label.partition(".")[0]
    return int(digits) if len(digits) <= _MOST_DIGITS else _LAST_LABEL + 1


def read_names(dataset: str, path: Path) -> tuple[str, ...]:
    """The class list in a file, one name a line.

    Raises:
        ConfigError: it cannot be read.
    """
    return tuple(line.strip() for line in read_lines(dataset, path))


def take(values: dict[str, Any], names: Sequence[str]) -> Any:  # noqa: ANN401 - cells are any
    """The first of the named values that is there and not empty; it is taken out. None where there is none."""
    for name in names:
        value = values.get(name)
        if value is not None and value != "":
            del values[name]
            return value
    return None


def cell_text(value: Any) -> str:  # noqa: ANN401 - see take
    """A value as text: numbers as people write them, lists and objects as JSON; "" for none, NaN and bytes."""
    if isinstance(value, str):
        # Half of a surrogate pair, which JSON can escape, fits into no file.
        return value.strip() if value.isascii() else value.strip().encode("utf-8", "replace").decode()
    if value is None or isinstance(value, bytes) or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, bool | list | dict):
        return cell_text(json.dumps(value, ensure_ascii=False, default=str))
    return str(value)


def cell_items(value: Any, separator: str) -> tuple[str, ...]:  # noqa: ANN401 - see take
    """The items of a list, or of a text with separators; empty ones are left out. A single value is one item."""
    if value is None:
        return ()
    if isinstance(value, list):
        texts = [cell_text(item) for item in value]
    else:
        text = cell_text(value)
        texts = [item.strip() for item in text.split(separator)] if separator else [text]
    return tuple(text for text in texts if text)


def cell_seconds(value: Any) -> float | None:  # noqa: ANN401 - see take
    """A time in seconds; None for an empty cell, NaN and the words for nothing.

    Raises:
        ValueError: it is no number, or one that is no time.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError(value)  # noqa: TRY004 - a bad cell, not a bug
    try:
        seconds = float(value)
    except OverflowError as error:  # an integer of more than 308 digits
        raise ValueError(value) from error
    if math.isnan(seconds):
        return None
    if not 0 <= seconds < math.inf:
        raise ValueError(value)
    return seconds
