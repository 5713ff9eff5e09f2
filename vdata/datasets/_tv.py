"""What TVQA and TVQA+ share: clips with their questions, subtitles in three published forms, and pictures wherever they lie."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from vdata.datasets._files import fail_file, image_names, read_json, read_lines
from vdata.datasets._layout import fail_layout, file_named, is_media
from vdata.errors import MediaError
from vdata.media.questions import read_questions
from vdata.media.subtitles import LARGEST_BYTES, parse_subtitles
from vdata.media.text_codec import Question
from vdata.records import Column, Skipped, Video

__all__ = ["COLUMNS", "FRAME_RATE", "Clip", "Clips", "plain_question", "read_clips", "splits_naming"]

FRAME_RATE = Fraction(3)
"""Published frames a second; frame n, counted from 1, is at (n - 1) / 3 s. Source: data/README.md of jayleicn/TVQA."""

COLUMNS = (
    Column("num_untimed", pa.int32(), "Questions without a usable span: NaN-NaN, or one that does not end after its start."),
    Column("subtitles_from", pa.string(), "Which published form the subtitles are from: srt, jsonl or json; empty for none."),
)

_CLIP = re.compile(r"_seg\d+_clip_\d+$")
_DEPTH = 5
"""Folders between the root and a clip: frames_hq/bbt_frames is two, and people put more around them."""
_ENCODING = "cp1252"
"""Of .srt files that are no UTF-8: ISO-8859-1 as the owners read them, with the quotes that Windows puts among its controls."""
_VID_NAME = re.compile(rb'"vid_name"\s*:\s*"([^"\\]*)"')


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


@dataclass(frozen=True)
class Clips:
    """The clips below one root."""

    dataset: str
    root: Path
    expected: str
    """The layout, for messages."""

    def entries(self, asked: Mapping[str, Clip], split: str) -> Iterator[tuple[Clip, Video | Skipped]]:
        """A Video of every clip, without class and boxes, or Skipped with reason `missing`; and each repeated question, Skipped.

        Raises:
            ConfigError: the pictures of not one clip are there.
        """
        if not any(name in self._places for name in asked):
            first = next(iter(asked))
            looked_for = (
                f"the {len(asked)} clips of the {split} questions, such as the folder {first}/ with frames or {first}.mp4,"
            )
            fail_layout(self.dataset, looked_for, self.root, self.expected)
        for name, clip in asked.items():
            yield clip, self._entry(name, clip, split)
            for question in clip.repeated:
                yield clip, Skipped(name, "listed_twice", f"the {split} questions have {question} more than once", name)

    def _entry(self, name: str, clip: Clip, split: str) -> Video | Skipped:
        place, is_folder = self._places.get(name, ("", False))
        frames = tuple(f"{place}/{image}" for image in image_names(self.root / place)) if is_folder else ()
        if not place or (is_folder and not frames):
            found = f"'{place}' holds no image" if place else f"no folder '{name}' and no file '{name}.*' is there"
            return Skipped(name, "missing", f"the {split} questions name it, {found}", name)
        subtitles, form = self._subtitles.of(name)
        text: dict[str, Any] = {"questions": clip.questions}
        if subtitles:
            text["subtitles"] = subtitles
        facts: dict[str, int | float | str] = {"num_untimed": clip.num_untimed, "subtitles_from": form}
        rate = FRAME_RATE if is_folder else Fraction(0)
        return Video(name, place, split, facts=facts, text=text, frames=frames, frame_rate=rate)

    @cached_property
    def _subtitles(self) -> _Subtitles:
        return _Subtitles(self.dataset, self.root)

    @cached_property
    def _places(self) -> dict[str, tuple[str, bool]]:
        """Path and whether it is a folder of frames, by vid_name. A video file goes before frames: it has all of them."""
        found: dict[str, tuple[str, bool]] = {}
        for name, place, is_folder in sorted(_pictures(self.root, "", _DEPTH), key=lambda item: os.fsencode(item[1])):
            if name not in found or (found[name][1] and not is_folder):
                found[name] = place, is_folder
        return found


def _pictures(root: Path, folder: str, depth: int) -> Iterator[tuple[str, str, bool]]:
    """vid_name, path and whether it is a folder, of everything that is named as a clip. No clip's folder is opened."""
    for name, is_folder in _entries(root / folder):
        place = f"{folder}/{name}" if folder else name
        stem = name if is_folder else os.path.splitext(name)[0]  # noqa: PTH122 - 22,000 names
        if _CLIP.search(stem):
            if is_folder or is_media(name):
                yield stem, place, is_folder
        elif is_folder and depth:
            yield from _pictures(root, place, depth - 1)


def _entries(folder: Path) -> list[tuple[str, bool]]:
    """Names in a folder, and which are folders; none where it may not be read, as lost+found."""
    try:
        with os.scandir(folder) as entries:
            return [(entry.name, entry.is_dir()) for entry in entries]
    except OSError:
        return []


class _Subtitles:
    """The subtitles of clips: of several forms the one that has kept most."""

    def __init__(self, dataset: str, root: Path) -> None:
        self._dataset, self._root = dataset, root
        self._folder = root / "tvqa_subtitles"
        self._srt = frozenset(path.name for path in self._folder.iterdir()) if self._folder.is_dir() else frozenset[str]()

    def of(self, name: str) -> tuple[list[dict[str, Any]], str]:
        """The cues of a clip as text_codec takes them, and which form they are from: empty where none can be read."""
        if f"{name}.srt" in self._srt and (cues := self._parsed(self._folder / f"{name}.srt")):
            return cues, "srt"
        if cues := _cues(self._jsonl.get(name, ())):
            return cues, "jsonl"
        if cues := _cues(_with_ends(self._json.get(name, {}))):
            return cues, "json"
        return [], ""

    def _parsed(self, path: Path) -> list[dict[str, Any]]:
        try:
            with path.open("rb") as file:
                found = parse_subtitles(file.read(LARGEST_BYTES), _ENCODING)
        except (OSError, MediaError):
            return []
        return [{"start": cue.start, "end": cue.end, "text": cue.text} for cue in found]

    @cached_property
    def _jsonl(self) -> dict[str, Any]:
        """TVR's file; read only where a clip has no .srt."""
        path = file_named(self._root, (".", "tvqa_subtitles"), ("tvqa_preprocessed_subtitles.jsonl",))
        rows = (json.loads(line) for line in read_lines(self._dataset, path)) if path else ()
        try:
            return {row["vid_name"]: list(row["sub"]) for row in rows}
        except (ValueError, KeyError, TypeError) as error:
            rule = "every line must be an object with vid_name and sub: take the published file"
            fail_file(self._dataset, path or self._root, error, rule)

    @cached_property
    def _json(self) -> dict[str, Any]:
        """TVQA+'s file."""
        path = file_named(self._root, (".", "tvqa_plus_subtitles"), ("tvqa_plus_subtitles.json",))
        found = read_json(self._dataset, path, dict) if path else {}
        return {name: clip for name, clip in found.items() if isinstance(clip, dict)}


def _with_ends(clip: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The cues of TVQA+'s form, in which only starts are known: `sub_text` "one <eos> two", `sub_time` [start, start]."""
    texts, starts = str(clip.get("sub_text", "")).split(" <eos> "), clip.get("sub_time")
    for text, start in zip(texts, starts if isinstance(starts, list) else (), strict=False):
        yield {"text": text, "start": start, "end": start}


def _cues(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The cues in plain values; those without text or with times that are no numbers are left out."""
    cues = []
    for row in rows:
        try:
            start, end, text = float(row["start"]), float(row["end"]), str(row["text"]).strip()
        except (KeyError, ValueError, TypeError):
            continue
        if text and math.isfinite(start) and math.isfinite(end):
            cues.append({"start": start, "end": max(start, end), "text": text})
    return cues
