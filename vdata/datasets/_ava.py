"""What AVA and AVA-Kinetics share: CSV files of person boxes with one action a row, and lists of the actions."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vdata.datasets import Classes
from vdata.datasets._files import fail_file, read_lines, read_text
from vdata.datasets._layout import MAX_INDEX, names_by_index
from vdata.records import GivenBoxes

__all__ = ["BoxRows", "given_boxes", "read_action_classes", "read_actions", "read_box_rows"]

_NUM_VALUES = 7
"""Seconds, four corners, action, score."""
_SCORE = 7
"""The column of a detector's score; the owners' own files have the person's number there, or nothing."""
_MOST_ODD = 0.01
"""The share of rows that may be odd in a file that is the published one."""
_ACTION = re.compile(r'(?:item|label)\s*\{\s*name:\s*"([^"]*)"\s*(?:label_)?id:\s*([0-9]+)')


@dataclass(slots=True)
class BoxRows:
    """The rows of a CSV file of boxes."""

    by_video: dict[str, array[float]] = field(default_factory=dict)
    """Seven numbers a row, by video in the order of the file."""
    odd: list[int] = field(default_factory=list)
    """Numbers of the lines that are none."""

    def of(self, video: str) -> npt.NDArray[np.float64]:
        """The rows of a video: seconds, x0, y0, x1, y1, action (-1 for none), score; (N, 7)."""
        return np.array(self.by_video.get(video, ()), np.float64).reshape(-1, _NUM_VALUES)


def read_box_rows(
    dataset: str, path: Path, lengths: Collection[int], *, scored: bool = False, most_odd: float = _MOST_ODD
) -> BoxRows:
    """The rows `video,seconds,x1,y1,x2,y2,action[,person or score]` of a file without a header.

    A row whose number of columns is not among `lengths`, or with text or what is not finite in place of a number, is odd, and so
    is one whose action is no index. The person's number is not read; with `scored` the eighth column is a score. An empty action
    is none.

    Raises:
        ConfigError: more than the share `most_odd` of the rows is odd, or there is no other: the file is not the published one.
    """
    found, lines = BoxRows(), read_lines(dataset, path)
    for number, line in enumerate(lines, start=1):
        cells = line.split(",")
        try:
            if len(cells) not in lengths:
                raise ValueError  # noqa: TRY301 - as what float() raises
            row = [*map(float, cells[1:6]), float(cells[6] or -1), float(cells[_SCORE]) if scored else 1.0]
            if not (math.isfinite(sum(row)) and -1 <= row[5] <= MAX_INDEX and row[5].is_integer()):
                raise ValueError  # noqa: TRY301 - see above
        except (ValueError, IndexError):
            found.odd.append(number)
        else:
            found.by_video.setdefault(cells[0], array("d")).extend(row)
    if not found.by_video or len(found.odd) > most_odd * len(lines):
        number = found.odd[0] if found.odd else 0
        rule = "each row must be VIDEO,SECONDS,X1,Y1,X2,Y2,ACTION" + (",SCORE" if scored else "")
        fail_file(dataset, path, f"'{lines[number - 1]}'" if number else "no rows", rule, number)
    return found


def given_boxes(rows: npt.NDArray[np.float64], first_second: float) -> GivenBoxes | None:
    """Boxes from rows as of BoxRows, in the order of their times; `first_second` is where the source starts."""
    if not len(rows):
        return None
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    return GivenBoxes.of(rows[:, 0] - first_second, rows[:, 1:5], rows[:, 5], rows[:, 6], size=(1.0, 1.0))


def read_actions(dataset: str, path: Path) -> dict[str, int]:
    """The published number (from 1) of every action in a .pbtxt, of v2.1 (`item {name id}`) or v2.2 (`label {name label_id}`).

    Raises:
        ConfigError: it names no action, or one has a number above a million.
    """
    listed = _ACTION.findall(read_text(dataset, path))
    for name, number in listed:
        if len(number) > len(str(MAX_INDEX)) or int(number) > MAX_INDEX:
            fail_file(dataset, path, f"{number} as the number of '{name}'", f"it must be at most {MAX_INDEX}")
    found = {name: int(number) for name, number in listed}
    if not found:
        fail_file(dataset, path, "no action", 'it must hold items as `label { name: "stand" label_id: 12 }`')
    return found


def read_action_classes(dataset: str, everything: Path | None, evaluated: Path | None) -> Classes:
    """`box`: names of the actions by their published number; `box_evaluated`: the same, "" for those that no benchmark counts."""
    lists = [read_actions(dataset, path) for path in (evaluated, everything) if path]
    actions = {name: number for one in lists for name, number in one.items()}
    classes = {"box": names_by_index(actions)} if actions else {}
    return classes | ({"box_evaluated": names_by_index(lists[0])} if evaluated else {})
