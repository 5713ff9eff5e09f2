"""The files of DramaQA: questions, script, metadata of frames, and images with the numbers that tell their times."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vdata.datasets._files import fail_file, image_names, read_json
from vdata.datasets._layout import entries_in, is_folder
from vdata.datasets._tv import plain_question
from vdata.media.json_text import BAD_VALUE
from vdata.media.text_codec import Question
from vdata.records import GivenBoxes

__all__ = ["BOX_CLASSES", "IMAGES", "RATE", "Asked", "Images", "Line", "images_of", "read_asked", "read_boxes", "read_script"]

IMAGES = "AnotherMissOh_images"
EPISODE_FPS = 25
_STEP = 8
"""Frames of the episode from one image of a shot to the next."""
RATE = Fraction(EPISODE_FPS, _STEP)

_PERSONS = (
    *("Anna", "Chairman", "Deogi", "Dokyung", "Gitae", "Haeyoung1", "Haeyoung2", "Heeran", "Hun", "Jeongsuk", "Jinsang"),
    *("Jiya", "Kyungsu", "Sangseok", "Seohee", "Soontack", "Sukyung", "Sungjin", "Taejin", "Yijoon"),
)
"""Source: list_of_elements.txt of the owners' page."""
BOX_CLASSES = (*_PERSONS, *(f"{name} face" for name in _PERSONS))
_CLASS = {name: index for index, name in enumerate(BOX_CLASSES)}

_VID = re.compile(r"(AnotherMissOh\d\d)_(\d{3})_(\d{4})")
_WHOLE_SCENE = "0000"
_IMAGE = re.compile(r"IMAGE_([0-9]{1,10})\.[A-Za-z]+$")
_LAST_DIGITS = re.compile(r"(?<![0-9])[0-9]{1,10}$")
_FARTHEST = 1e6
"""Seconds of an episode, and pixels of an image, beyond which a number is none."""
_SIDES = ("min_x", "min_y", "max_x", "max_y")

Line = tuple[float, float, str]
"""A line of the script: start and end in seconds of the episode, and "SPEAKER: WORDS"."""
_Box = tuple[int, int, float, float, float, float]
"""Frame of the episode, class, and the corners x0, y0, x1, y1 in pixels."""


@dataclass(slots=True)
class Asked:
    """What one file asks about a shot or scene."""

    video_type: str
    questions: list[dict[str, Any]] = field(default_factory=list)
    """As text_codec takes them."""
    levels: dict[str, list[int | None]] = field(default_factory=dict)
    """Logical and memory level, by question id."""
    repeated: list[str] = field(default_factory=list)
    """Ids of questions that the file has more than once; the first counts."""


@dataclass(frozen=True, slots=True)
class Images:
    """The images of a shot, or of all shots of a scene."""

    folder: str
    paths: tuple[str, ...]
    numbers: npt.NDArray[np.int64]
    """The frame of the episode that each is."""

    def seconds(self, frames: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Where frames of the episode are in the sequence of images: between two in proportion, beyond the ends by the step."""
        wanted = np.asarray(frames, np.float64)
        places = np.interp(wanted, self.numbers, np.arange(len(self.numbers)))
        beyond = np.minimum(wanted - self.numbers[0], 0) + np.maximum(wanted - self.numbers[-1], 0)
        return np.asarray((places + beyond / _STEP) / float(RATE))

    def subtitles(self, lines: Iterable[Line]) -> list[dict[str, Any]]:
        """The lines as text_codec takes subtitles, by their start."""
        rows = sorted(set(lines))
        times = (
            self.seconds([[start * EPISODE_FPS, end * EPISODE_FPS] for start, end, _ in rows]).round(3).tolist() if rows else []
        )
        return [{"start": start, "end": max(start, end), "text": row[2]} for (start, end), row in zip(times, rows, strict=True)]

    def boxes(self, rows: Iterable[_Box]) -> GivenBoxes | None:
        """The boxes at their times; None for none."""
        table = np.array(sorted(set(rows)), np.float64).reshape(-1, 6)
        return GivenBoxes.of(self.seconds(table[:, 0]), table[:, 2:], table[:, 1]) if len(table) else None


def images_of(root: Path, vid: str) -> Images:
    """The images of a vid, in the order of the episode; none where they are not there. Nothing is opened."""
    episode, scene, shot = vid.split("_")
    top = f"{IMAGES}/{episode}" if (root / IMAGES).is_dir() else episode
    folder = f"{top}/{scene}" if shot == _WHOLE_SCENE else f"{top}/{scene}/{shot}"
    shots = _folders(root, folder) if shot == _WHOLE_SCENE else []
    paths = [f"{place}/{name}" for place in (shots or [folder]) for name in image_names(root / place)]
    numbered = sorted((int(match[1]), path) for path in paths if (match := _IMAGE.search(path)))
    return Images(folder, tuple(path for _, path in numbered), np.array([number for number, _ in numbered], np.int64))


def read_asked(path: Path) -> dict[str, Asked]:
    """What a file asks, by vid, in its order.

    Raises:
        ConfigError: it cannot be read, has no row, or a row is no question.
    """
    found: dict[str, Asked] = {}
    for number, row in enumerate(read_json("dramaqa", path, list), start=1):
        try:
            _add(found, row)
        except BAD_VALUE as error:
            rule = "it must have vid (AnotherMissOh01_001_0078), qid, que, answers, and correct_idx (0 to 4) but in the test set"
            fail_file("dramaqa", path, f"row {number}: {type(error).__name__}: {error}", rule)
    if not found:
        fail_file("dramaqa", path, "no row", "it must hold questions: take the published file")
    return found


def read_script(path: Path) -> dict[str, list[Line]]:
    """The lines of the script by vid, of shots and of whole scenes.

    Raises:
        ConfigError: it cannot be read, or is not as published.
    """
    lines: dict[str, list[Line]] = {}
    try:
        for vid, shot in read_json("dramaqa", path, dict).items():
            spoken = [_line(row) for row in shot["contained_subs"]]
            for name in (vid, _scene_of(vid)):
                lines.setdefault(name, []).extend(spoken)
    except BAD_VALUE as error:
        rule = "it must hold contained_subs with st, et and utter, by vid: take the published file"
        fail_file("dramaqa", path, f"{type(error).__name__}: {error}", rule)
    return lines


def read_boxes(path: Path) -> dict[str, list[_Box]]:
    """The rectangles of the metadata by vid, of shots and of whole scenes.

    Raises:
        ConfigError: it cannot be read, or is not as published.
    """
    boxes: dict[str, list[_Box]] = {}
    try:
        for vid, frames in read_json("dramaqa", path, dict, _kept).items():
            drawn = [box for number, persons in frames if number >= 0 for person in persons for box in _drawn(number, *person)]
            for name in (vid, _scene_of(vid)):
                boxes.setdefault(name, []).extend(drawn)
    except BAD_VALUE as error:
        rule = "it must hold lists of frames with frame_id and persons, by vid: take the published file"
        fail_file("dramaqa", path, f"{type(error).__name__}: {error}", rule)
    return boxes


def _folders(root: Path, folder: str) -> list[str]:
    """The shots of a scene, in order."""
    found = (entry.name for entry in entries_in(root / folder) if entry.name.isdecimal() and is_folder(entry))
    return sorted(f"{folder}/{name}" for name in found)


def _scene_of(vid: str) -> str:
    return f"{vid.rpartition('_')[0]}_{_WHOLE_SCENE}"


def _add(found: dict[str, Asked], row: Mapping[str, Any]) -> None:
    vid, answer = str(row["vid"]), row.get("correct_idx")
    if not _VID.fullmatch(vid):
        raise ValueError(vid)
    answers = tuple(str(one) for one in row["answers"])
    question = Question(str(row["qid"]), str(row["que"]), answers, None if answer is None else int(answer))
    kind = "scene" if vid.endswith(_WHOLE_SCENE) else "shot"
    asked = found.setdefault(vid, Asked(kind))
    if question.id in asked.levels:
        asked.repeated.append(question.id)
        return
    asked.questions.append(plain_question(question))
    asked.levels[question.id] = [row.get("q_level_logic"), row.get("q_level_mem")]


def _line(row: Mapping[str, Any]) -> Line:
    """A line of the script; its times are strings."""
    words, speaker = str(row["utter"]).strip(), str(row.get("speaker") or "")
    start, end = float(row["st"]), float(row["et"])
    # Also false for what is no number.
    if not (abs(start) <= _FARTHEST and abs(end) <= _FARTHEST):
        raise ValueError(f"{start:g} to {end:g}")
    return start, end, words if speaker in ("", "None") else f"{speaker}: {words}"


def _kept(row: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON is any
    """What is kept of an object of the metadata: of 217,308 frames 430 MB in place of 650."""
    if "min_x" in row:
        sides = [row.get(side) for side in _SIDES]
        return tuple(sides) if all(isinstance(side, int | float) and abs(side) <= _FARTHEST for side in sides) else None
    if "full_rect" in row:
        return row["full_rect"], row.get("face_rect")
    if "person_info" in row:
        return str(row.get("person_id") or "").title(), row["person_info"]
    if "frame_id" in row:
        match = _LAST_DIGITS.search(str(row["frame_id"]))
        return int(match[0]) if match else -1, row.get("persons") or ()
    return row


def _drawn(number: int, name: str, rectangles: tuple[tuple[float, ...] | None, ...]) -> Iterable[_Box]:
    """The rectangles of a character's body and face on a frame."""
    for rectangle, kind in zip(rectangles, (name, f"{name} face"), strict=True):
        if rectangle:
            x0, y0, x1, y1 = rectangle
            yield number, _CLASS.get(kind, -1), x0, y0, x1, y1
