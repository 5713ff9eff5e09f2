"""A page that shows one sample: chosen frames with their boxes, tracklets and motion, the sound, the words."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from vdata.config import check
from vdata.media.box_codec import BOX_SOURCES
from vdata.media.label_codec import NO_LABEL
from vdata.media.text_codec import Text
from vdata.media.tracklet_codec import TRACKLET, Tracklets
from vdata.shards.read import Sample
from vdata.shards.sheet_marks import (
    SOURCE_COLOURS,
    arrows_of_grid,
    arrows_of_vectors,
    draw_arrows,
    draw_boxes,
    draw_tracklets,
    draw_wave,
    write,
)

__all__ = ["SheetConfig", "contact_sheet"]

Page = npt.NDArray[np.uint8]
Classes = Mapping[str, Sequence[str]]
"""Names by index of each numbering, as `Shards.classes`."""

_BACKGROUND = 24
_GREY = (170, 170, 170)
_MARGIN, _LINE, _WAVE = 6, 17, 56
"""Pixels: around everything; of a line of text; of the strip of sound."""
_COLUMNS = 4
_MOST_LINES, _MOST_LINES_OF_RUNS, _LETTERS = 24, 6, 84
"""Of words; of the classes of frames among them; letters in a line of a document, which fill the smallest width."""
_SHORT_SIDE = 256
_SHORTEST, _LONGEST = 192, 512
"""Pictures whose short side lies between are shown as they are, others are scaled to _SHORT_SIDE."""
_SMALLEST_WIDTH = 640


@dataclass(frozen=True, slots=True)
class SheetConfig:
    """What a page shows."""

    frames: tuple[int, ...] = ()
    """Numbers of the frames; empty: those of `every`, or the keyframes and frames of boxes of which none lies on these."""
    every: int = 0
    """Every so many frames from the first; 0 asks for none."""
    most: int = 16
    """Frames on a page at most, of those that are not named one by one: evenly spread."""
    motion: bool = False
    """Whether motion is drawn, as arrows; on a keyframe, which has none, the next frame's."""

    def __post_init__(self) -> None:
        """Checks the numbers."""
        check(not (self.frames and self.every), "every", self.every, "goes without frames: name frames or a step")
        check(self.every >= 0, "every", self.every, "must be 1 or more")
        check(self.most >= 1, "most", self.most, "must be 1 or more")


def contact_sheet(sample: Sample, config: SheetConfig | None = None, classes: Classes | None = None) -> Page:
    """The page, uint8 (H, W, 3) RGB. What the sample does not have is not on it.

    `classes` are those of its shards; without them the classes of frames are numbers.

    Raises:
        ConfigError: a frame outside the clip; motion is asked for and there is none.
        CorruptShardError: a member does not read.
    """
    return _Sheet(sample, config or SheetConfig(), (classes or {}).get("frame", ())).page()


class _Sheet:
    """One sample on its way to a page."""

    def __init__(self, sample: Sample, config: SheetConfig, frame_classes: Sequence[str]) -> None:
        self._sample, self._config, self._frame_classes = sample, config, frame_classes
        picture = sample.row["picture"] or {"width": 0, "height": 0}
        short = min(picture["width"], picture["height"])
        self._zoom = 1.0 if _SHORTEST <= short <= _LONGEST or not short else _SHORT_SIDE / short
        self._size = round(picture["width"] * self._zoom), round(picture["height"] * self._zoom)
        self._frames = _chosen(sample, config, self._boxes)

    def page(self) -> Page:
        """Heading, tiles, sound and words, one below the other."""
        columns = min(_COLUMNS, max(1, len(self._frames)))
        width = max(_SMALLEST_WIDTH, columns * (self._size[0] + _MARGIN) + _MARGIN)
        parts = [self._heading(width), *self._tiles(width, columns), *self._sound(width), *self._words(width)]
        return np.concatenate([*parts, _blank(_MARGIN, width)])

    def _heading(self, width: int) -> Page:
        """Key and size; members, with the sources of boxes in their colours."""
        sample, row = self._sample, self._sample.row
        heading = _blank(3 * _LINE + _MARGIN, width)
        room = width - 2 * _MARGIN
        write(heading, f"{sample.key}   {row['source']}", _MARGIN, _LINE, width=room)
        write(heading, f"{_facts(sample)}   {' '.join(sample.exts)}", _MARGIN, 2 * _LINE, _GREY, room)
        x = _MARGIN
        for number, count in zip(*np.unique(self._boxes["source"], return_counts=True), strict=True):
            name = BOX_SOURCES[number]
            write(heading, f"{name} {count}", x, 3 * _LINE, SOURCE_COLOURS[name])
            x += 150
        if len(self._tracklets):
            write(heading, f"{self._tracklets['track'].max() + 1} tracklets", x, 3 * _LINE)
        return heading

    def _tiles(self, width: int, columns: int) -> Iterator[Page]:
        """The rows of frames."""
        for start in range(0, len(self._frames), columns):
            row = _blank(self._size[1] + _LINE + _MARGIN, width)
            for place, frame in enumerate(self._frames[start : start + columns]):
                left = _MARGIN + place * (self._size[0] + _MARGIN)
                write(row, f"{frame}   {self._seconds(frame):.2f} s", left, _LINE - 4, _GREY, self._size[0])
                row[_LINE : _LINE + self._size[1], left : left + self._size[0]] = self._picture(frame)
            yield row

    def _picture(self, frame: int) -> Page:
        """A frame with its marks."""
        how = cv2.INTER_AREA if self._zoom < 1 else cv2.INTER_NEAREST
        picture = np.ascontiguousarray(cv2.resize(_frame(self._sample, frame), self._size, interpolation=how), np.uint8)
        if self._config.motion:
            draw_arrows(picture, self._arrows(frame), self._zoom)
        draw_boxes(picture, self._boxes[self._boxes["frame"] == frame], self._zoom)
        draw_tracklets(picture, self._tracklets[self._tracklets["frame"] == frame], self._zoom)
        return picture

    def _arrows(self, frame: int) -> npt.NDArray[np.float64]:
        row = self._sample.row
        firsts = {fragment["first_frame"] for fragment in row["fragments"]}
        shown = min(frame + 1, row["num_frames"] - 1) if frame in firsts else frame
        if self._vectors is not None:
            return arrows_of_vectors(self._vectors[shown])
        grid, kind = self._grid
        # The block is not stored: it is the one of the three that gives so many columns.
        block = next(block for block in (16, 8, 4) if -(-row["width"] // block) == kind.shape[2])
        return arrows_of_grid(grid[shown], kind[shown], block)

    def _sound(self, width: int) -> Iterator[Page]:
        if "flac" not in self._sample:
            return
        samples, rate = self._sample.audio()
        strip = _blank(_WAVE, width)
        seconds = max(len(samples) / rate, 1e-9)
        room = strip[:, _MARGIN : width - _MARGIN]
        draw_wave(room, samples, [at / seconds for at in map(self._seconds, self._frames) if at <= seconds])
        yield strip

    def _words(self, width: int) -> Iterator[Page]:
        text = self._sample.text() if "text.json" in self._sample else Text()
        runs = f"frames: {', '.join(self._runs()) or 'none has a class'}" if "labels.npy" in self._sample else ""
        wrapped = textwrap.wrap(runs, _LETTERS, max_lines=_MOST_LINES_OF_RUNS, placeholder=" ...")
        lines = [*wrapped, *_text_lines(text, self._sample.row["label_name"])]
        if len(lines) > _MOST_LINES:
            lines[_MOST_LINES - 1 :] = [f"... and {len(lines) - _MOST_LINES + 1} lines more"]
        for line in lines:
            page = _blank(_LINE, width)
            write(page, line, _MARGIN, _LINE - 4, width=width - 2 * _MARGIN)
            yield page

    def _runs(self) -> Iterator[str]:
        """First, last and class of every run of frames that have one."""
        labels, names = self._sample.frame_labels(), self._frame_classes
        edges = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]
        for first, end in itertools.pairwise(edges):
            if first < end and (label := int(labels[first])) != NO_LABEL:
                yield f"{first}-{end - 1} {names[label] if label < len(names) and names[label] else label}"

    def _seconds(self, frame: int) -> float:
        """Of a frame, from the clip's first."""
        row = self._sample.row
        return float(frame * row["fps_den"] / max(row["fps_num"], 1))

    @cached_property
    def _boxes(self) -> npt.NDArray[np.void]:
        stored = any(ext.endswith("boxes.npy") for ext in self._sample.exts)
        return self._sample.boxes() if stored else np.zeros(0, [("source", "u1"), ("frame", "i4")])

    @cached_property
    def _tracklets(self) -> Tracklets:
        return self._sample.tracklets() if "tracklets.npy" in self._sample else np.zeros(0, TRACKLET)

    @cached_property
    def _grid(self) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
        return self._sample.motion()

    @cached_property
    def _vectors(self) -> list[npt.NDArray[np.int32]] | None:
        return self._sample.motion_vectors() if "vectors.npz" in self._sample else None


def _facts(sample: Sample) -> str:
    """The size of a clip; of a row without pictures, that of what it has."""
    row = sample.row
    if row["num_frames"]:
        fps = row["fps_num"] / max(row["fps_den"], 1)
        size = f"{row['picture']['width']} x {row['picture']['height']}"
        return f"{size}   {fps:.6g} frames/s   {row['num_frames']} frames   from {row['start_seconds']:.2f} s"
    if "features.npy" not in sample:
        return "no picture"
    rows, dim = sample.features().shape
    return f"no picture   features: {rows} rows of {dim} numbers"


def _chosen(sample: Sample, config: SheetConfig, boxes: npt.NDArray[np.void]) -> Sequence[int]:
    """The frames of the page, in the order in which they are named."""
    count = sample.row["num_frames"]
    for frame in config.frames:
        check(0 <= frame < count, "frames", frame, f"must lie in [0, {count}) of clip '{sample.key}'")
    if config.frames:
        return config.frames
    if config.every:
        return _spread(range(0, count, config.every), config.most)
    keyframes = [fragment["first_frame"] for fragment in sample.row["fragments"]]
    shown = _spread(keyframes, config.most)
    hidden = _spread(_frames_not_shown(boxes, shown, count), max(1, config.most // 2))
    return sorted({*_spread(keyframes, config.most - len(hidden)), *hidden})


def _frames_not_shown(boxes: npt.NDArray[np.void], shown: Sequence[int], count: int) -> list[int]:
    """The frames with boxes of every source that has none on the frames shown: a dataset's may be of whole seconds."""
    on_page = np.isin(boxes["frame"], shown)
    frames = boxes["frame"][~np.isin(boxes["source"], boxes["source"][on_page])]
    known: list[int] = np.unique(frames[(frames >= 0) & (frames < count)]).tolist()
    return known


def _spread(frames: Sequence[int], most: int) -> Sequence[int]:
    """So many of the frames at most, evenly spread."""
    if len(frames) <= most:
        return frames
    return [frames[i] for i in np.linspace(0, len(frames) - 1, most).astype(int)]


def _frame(sample: Sample, frame: int) -> Page:
    """One frame; a keyframe by its small read."""
    firsts = [fragment["first_frame"] for fragment in sample.row["fragments"]]
    return sample.keyframe(firsts.index(frame)) if frame in firsts else sample.frames(frame, frame + 1)[0]


def _text_lines(text: Text, label: str) -> Iterator[str]:
    """What is said of the clip, a line each."""
    known = {"label": text.label or label, "caption": text.caption, "tags": ", ".join(text.tags)}
    yield from (f"{name}: {' '.join(value.split())}" for name, value in known.items() if value)
    yield from textwrap.wrap(text.document, _LETTERS)
    for cue in text.subtitles:
        spoken = " / ".join(cue.text.split("\n"))
        yield f"{cue.start:.2f} - {cue.end:.2f} s: {spoken}"
    for item in text.questions:
        yield f"question: {item.question}"
        for number, answer in enumerate(item.answers):
            yield f"    {'*' if number == item.answer else '-'} {answer}"


def _blank(height: int, width: int) -> Page:
    return np.full((height, width, 3), _BACKGROUND, np.uint8)
