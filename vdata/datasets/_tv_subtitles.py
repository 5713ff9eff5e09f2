"""The subtitles of TVQA's clips, in three published forms.

Source: the .srt files and TVR's tvqa_preprocessed_subtitles.jsonl (jayleicn/TVQA, jayleicn/TVRetrieval), and
tvqa_plus_subtitles.json (jayleicn/TVQAplus, tvqa_dataset.py). Nobody of us has seen a true file of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from vdata.datasets._files import fail_file, read_json, read_lines
from vdata.datasets._layout import file_named, names_in
from vdata.errors import MediaError
from vdata.media.json_text import BAD_VALUE, load_json
from vdata.media.subtitles import LARGEST_BYTES, parse_subtitles

__all__ = ["Subtitles"]

_ENCODING = "cp1252"
"""Of .srt files that are no UTF-8: ISO-8859-1 as the owners read them, with the quotes that Windows puts among its controls."""


class Subtitles:
    """The subtitles of clips: of several forms the one that has kept most."""

    def __init__(self, dataset: str, root: Path) -> None:
        self._dataset, self._root = dataset, root
        self._folder = root / "tvqa_subtitles"
        self._srt = names_in(self._folder)

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
        rows = map(load_json, read_lines(self._dataset, path)) if path else ()
        try:
            return {row["vid_name"]: list(row["sub"]) for row in rows}
        except (*BAD_VALUE, RecursionError) as error:
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
        except BAD_VALUE:
            continue
        if text and math.isfinite(start) and math.isfinite(end):
            cues.append({"start": start, "end": max(start, end), "text": text})
    return cues
