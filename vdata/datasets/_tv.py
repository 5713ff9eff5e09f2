"""What TVQA and TVQA+ share: files of questions, clips with theirs, and pictures wherever they lie."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from vdata.datasets._files import fail_file, image_names
from vdata.datasets._layout import check_root, check_split, entries_in, fail_layout, file_named, is_folder, is_media
from vdata.datasets._tv_subtitles import Subtitles
from vdata.media.questions import read_questions
from vdata.media.text_codec import Question
from vdata.records import Column, Skipped, Video

__all__ = ["COLUMNS", "FRAME_RATE", "Clip", "Clips", "Frames", "OfQuestions", "plain_question", "read_clips", "splits_naming"]

FRAME_RATE = Fraction(3)
"""Published frames a second; frame n, counted from 1, is at (n - 1) / 3 s. Source: data/README.md of jayleicn/TVQA."""

COLUMNS = (
    Column("num_untimed", pa.int32(), "Questions without a usable span: NaN-NaN, or one that does not end after its start."),
    Column("subtitles_from", pa.string(), "Which published form the subtitles are from: srt, jsonl or json; empty for none."),
    Column(
        "num_absent", pa.int32(), "Frames that are not there; the one before stands for each, so that all others keep their time."
    ),
)

_CLIP = re.compile(r"_seg\d+_clip_\d+$")
_DEPTH = 5
"""Folders between the root and a clip: frames_hq/bbt_frames is two, and people put more around them."""
_FRAME = re.compile(r"(?<![0-9])([0-9]{1,9})\.[A-Za-z]+$")
"""The number at the end of an image's name."""
_MOST_ABSENT = 0.5
"""The share of a clip's frames that may be absent. Source: our own choice."""
_VID_NAME = re.compile(rb'"vid_name"\s*:\s*"([^"\\]*)"')


class OfQuestions:
    """Clips that files of questions name, one file a split; the base of a dataset, which says how they are called."""

    name: ClassVar[str]
    expected: ClassVar[str]
    """The layout, for messages."""
    folders: ClassVar[tuple[str, ...]]
    files: ClassVar[Mapping[str, tuple[str, ...]]]
    """What each split's file may be called."""

    # A question is asked about the whole clip, and its span is to be found in it.
    build_settings: ClassVar[dict[str, Any]] = {"clip": {"seconds": 1e9}}

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root has no questions of any split.
        """
        check_root(self.name, root, self.expected)
        if not self.found(root):
            fail_layout(self.name, " or ".join(names[0] for names in self.files.values()), root, self.expected)

    def splits_in(self, root: Path) -> tuple[str, ...]:
        """The splits whose questions are there."""
        return tuple(self.found(root))

    def found(self, root: Path) -> dict[str, Path]:
        """The files of questions that are there, by split."""
        places = {split: file_named(root, self.folders, names) for split, names in self.files.items()}
        return {split: path for split, path in places.items() if path}

    def opened(self, root: Path, split: str) -> dict[str, Path]:
        """As found; that of `split` is there.

        Raises:
            ConfigError: the dataset has no such split, or its questions are absent.
        """
        check_split(self.name, split, tuple(self.files))
        self.prepare(root)
        files = self.found(root)
        if split not in files:
            fail_layout(self.name, self.files[split][0], root, self.expected)
        return files


@dataclass(slots=True)
class Clip:
    """What one file of questions says of a clip."""

    show_name: str = ""
    questions: list[dict[str, Any]] = field(default_factory=list)
    """As text_codec takes them."""
    num_untimed: int = 0
    repeated: list[str] = field(default_factory=list)
    """Ids of questions that the file has more than once; the first counts."""
    boxes: list[Mapping[str, Any]] = field(default_factory=list)
    """TVQA+'s `bbox` of each question."""


def read_clips(dataset: str, path: Path) -> dict[str, Clip]:
    """The clips that a file asks about, by vid_name, in the order of their first questions.

    Raises:
        ConfigError: the file cannot be read, has no row, or a row is no question.
    """
    clips: dict[str, Clip] = {}
    seen: set[tuple[str, str]] = set()
    for row, question in read_questions(dataset, path):
        name = row["vid_name"]
        clip = clips.setdefault(name, Clip(str(row.get("show_name") or "")))
        if (name, question.id) in seen:
            clip.repeated.append(question.id)
            continue
        seen.add((name, question.id))
        clip.questions.append(plain_question(question))
        clip.num_untimed += question.start is None
        if row.get("bbox"):
            clip.boxes.append(row["bbox"])
    if not clips:
        fail_file(dataset, path, "no row", "it must hold questions: take the published file")
    return clips


def plain_question(question: Question) -> dict[str, Any]:
    """The question as plain values without what it does not say: a plan holds a hundred thousand."""
    plain = {"id": question.id, "question": question.question, "answers": list(question.answers)}
    known = (("answer", question.answer), ("start", question.start), ("end", question.end))
    return plain | {name: value for name, value in known if value is not None}


def splits_naming(files: Mapping[str, Path]) -> dict[str, tuple[str, ...]]:
    """The splits whose files name a clip, by vid_name. The files are searched, not parsed: that takes a tenth of the time."""
    found: dict[str, tuple[str, ...]] = {}
    for split, path in files.items():
        for name in set(_VID_NAME.findall(path.read_bytes())):
            text = name.decode("utf-8", "replace")
            found[text] = (*found.get(text, ()), split)
    return found


@dataclass(frozen=True, slots=True)
class Frames:
    """The images of a clip: frame n, counted from 1, is the one whose name ends in n, as questions and boxes count."""

    names: tuple[str, ...] = ()
    """Of frames 1, 2, 3 ...; where one is absent, that of the frame before, or at the start of the first that is there."""
    num_absent: int = 0
    fault: str = ""
    """Why the images cannot be put in order; empty where they are."""

    @classmethod
    def of(cls, images: Iterable[str]) -> Frames:
        """The frames among the images of a folder; those without a number are none."""
        by_number: dict[int, str] = {}
        for name in images:
            if match := _FRAME.search(name):
                number = int(match[1])
                if number in by_number:
                    return cls(fault=f"'{by_number[number]}' and '{name}' are both frame {number}")
                by_number[number] = name
        if not by_number or 0 in by_number:
            found = f"there is '{by_number[0]}'" if by_number else "no image's name ends in a number"
            return cls(fault=f"frames count from 1, as 00001.jpg; {found}: name them as the owners do")
        numbers = sorted(by_number)
        absent = numbers[-1] - len(numbers)
        if absent > _MOST_ABSENT * numbers[-1]:
            return cls(fault=f"of its frames 1 to {numbers[-1]} only {len(numbers)} are there")
        before = np.searchsorted(numbers, np.arange(1, numbers[-1] + 1), side="right") - 1
        return cls(tuple(by_number[numbers[place]] for place in np.maximum(before, 0).tolist()), absent)


@dataclass(frozen=True)
class Clips:
    """The clips below one root."""

    dataset: str
    root: Path
    expected: str
    """The layout, for messages."""

    def entries(self, asked: Mapping[str, Clip], split: str) -> Iterator[tuple[Clip, Video | Skipped]]:
        """A Video of every clip, without class and boxes, or Skipped; and each repeated question, Skipped.

        Reasons: `missing`, and `bad_frames` for a folder whose frames cannot be told by their names, or lack too many.

        Raises:
            ConfigError: the pictures of not one clip are there.
        """
        found = {name: self._entry(name, clip, split) for name, clip in asked.items()}
        if not any(isinstance(entry, Video) for entry in found.values()):
            first = next(iter(found.values()))
            clips = f"the {len(asked)} clips of the {split} questions"
            such = f"such as the folder {first.video_id}/ with frames from 00001.jpg on or {first.video_id}.mp4"
            why = f" ({first.message})" if isinstance(first, Skipped) and first.reason == "bad_frames" else ""
            fail_layout(self.dataset, f"{clips}, {such}{why},", self.root, self.expected)
        for name, clip in asked.items():
            yield clip, found[name]
            for question in clip.repeated:
                yield clip, Skipped(name, "listed_twice", f"the {split} questions have {question} more than once", name)

    def _entry(self, name: str, clip: Clip, split: str) -> Video | Skipped:
        place, has_frames = self._places.get(name, ("", False))
        if not place:
            told = f"the {split} questions name it, no folder '{name}' and no file '{name}.*' is there"
            return Skipped(name, "missing", told, name)
        images = image_names(self.root / place) if has_frames else []
        if has_frames and not images:
            return Skipped(name, "missing", f"the {split} questions name it, '{place}' holds no image", name)
        frames = Frames.of(images) if has_frames else Frames()
        if frames.fault:
            return Skipped(place, "bad_frames", frames.fault, name)
        subtitles, form = self._subtitles.of(name)
        return Video(
            name,
            place,
            split,
            facts={"num_untimed": clip.num_untimed, "subtitles_from": form, "num_absent": frames.num_absent},
            text={"questions": clip.questions} | ({"subtitles": subtitles} if subtitles else {}),
            frames=tuple(f"{place}/{image}" for image in frames.names),
            frame_rate=FRAME_RATE if has_frames else Fraction(0),
        )

    @cached_property
    def _subtitles(self) -> Subtitles:
        return Subtitles(self.dataset, self.root)

    @cached_property
    def _places(self) -> dict[str, tuple[str, bool]]:
        """Path and whether it is a folder of frames, by vid_name. A video file goes before frames: it has all of them."""
        found: dict[str, tuple[str, bool]] = {}
        for name, place, has_entries in sorted(_pictures(self.root, "", _DEPTH), key=lambda item: os.fsencode(item[1])):
            if name not in found or (found[name][1] and not has_entries):
                found[name] = place, has_entries
        return found


def _pictures(root: Path, folder: str, depth: int) -> Iterator[tuple[str, str, bool]]:
    """vid_name, path and whether it is a folder, of everything that is named as a clip. No clip's folder is opened."""
    for entry in entries_in(root / folder):
        name, has_entries = entry.name, is_folder(entry)
        place = f"{folder}/{name}" if folder else name
        stem = name if has_entries else os.path.splitext(name)[0]  # noqa: PTH122 - 22,000 names
        if _CLIP.search(stem):
            if has_entries or is_media(name):
                yield stem, place, has_entries
        elif has_entries and depth:
            yield from _pictures(root, place, depth - 1)
