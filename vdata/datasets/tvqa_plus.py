"""TVQA+: 29,383 questions of TVQA about The Big Bang Theory, with 310,800 boxes around the things that they speak of.

Published by UNC Chapel Hill (tvqa.cs.unc.edu; code under MIT) as one JSON list a split: 23,545 train, 3,017 validation; 2,821
test, without answers, spans and boxes, only among the preprocessed files (lower case, words apart). Clips and subtitles are
TVQA's.

Source: Lei et al. 2020, arXiv 1904.11574; of jayleicn/TVQAplus eval/data/tvqa_plus_val.json (read whole) and tvqa_dataset.py,
for frames that count from 1, and for tvqa_plus_subtitles.json. Nobody of us has seen the train and test files or that of
subtitles; the names of the preprocessed ones are those that users' scripts open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._files import fail_file
from vdata.datasets._layout import label_indices, names_by_index
from vdata.datasets._tv import COLUMNS, FRAME_RATE, Clip, Clips, OfQuestions, read_clips, splits_naming
from vdata.media.json_text import BAD_VALUE
from vdata.records import Column, GivenBoxes, Skipped, Video

__all__ = ["TVQAPlus", "TVQAPlusConfig"]

_LAYOUT = """ROOT/
  tvqa_plus_annotations/tvqa_plus_train.json   tvqa_plus_val.json; or in ROOT
  tvqa_plus_annotations_with_test/tvqa_plus_test_preprocessed_no_anno.json   if there; or in ROOT
  tvqa_subtitles/VID.srt ...          or tvqa_preprocessed_subtitles.jsonl, or tvqa_plus_subtitles.json, in ROOT
  frames_hq/bbt_frames/VID/00001.jpg ...   or VID.mp4; at any depth to 6
"""
_EXPECTED = (
    "tvqa_plus_annotations/tvqa_plus_{train,val}.json, tvqa_subtitles/VID.srt, and the clips, as folders of frames "
    "(frames_hq/bbt_frames/VID/00001.jpg) or as VID.mp4"
)
_FOLDERS = (
    "tvqa_plus_annotations",
    ".",
    "tvqa_plus_annotations_with_test",
    "tvqa_plus_annotations_preproc_with_test",
    "tvqa_plus",
)
_NAMES = {
    "train": ("tvqa_plus_train.json", "tvqa_plus_train_preprocessed.json"),
    "val": ("tvqa_plus_val.json", "tvqa_plus_valid_preprocessed.json"),
    "test": ("tvqa_plus_test_preprocessed_no_anno.json",),
}
_FRAME = re.compile(r"[0-9]{1,9}")
_SIZE = (640, 360)
"""Of the frames that the boxes count on, pixels."""


@dataclass(frozen=True)
class TVQAPlusConfig:
    """No settings: what is there is found."""


@DATASETS.add("tvqa_plus")
class TVQAPlus(OfQuestions):
    """The clips that a split's questions name, each with its questions, its subtitles and all of its questions' boxes.

    Boxes are on a few frames of the span of a question, at (frame - 1) / 3 s, which is the image of that number (`num_absent`),
    and may reach over the picture by a pixel. One that two questions share is there once. Their classes are the labels of all
    files at hand, byte-sorted, so the numbers differ where one of the files is not there; classes.json keeps the names. A span
    that does not end after its start, as two of the validation set, is none, and counted in `num_untimed`. There is no class of
    the whole clip: it is one show.
    """

    name: ClassVar[str] = "tvqa_plus"
    expected: ClassVar[str] = _EXPECTED
    folders: ClassVar[tuple[str, ...]] = _FOLDERS
    files: ClassVar[Mapping[str, tuple[str, ...]]] = _NAMES

    Config: ClassVar[type] = TVQAPlusConfig
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")
    columns: ClassVar[tuple[Column, ...]] = COLUMNS
    extract: ClassVar[tuple[str, ...]] = ("text", "dataset")
    about: ClassVar[About] = About(_LAYOUT, needs="An agreement with the owners for TVQA's frames.")

    def __init__(self, config: TVQAPlusConfig) -> None:
        self.config = config

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """A Video for every clip of the split, in the order of its questions; one that is not there is Skipped, `missing`.

        Raises:
            ConfigError: the split's questions are absent or not as published, or the pictures of not one clip are there.
        """
        files = self.opened(root, split)
        found = {name: read_clips("tvqa_plus", path) for name, path in files.items()}
        boxes = {name: _boxes(clips, files[name]) for name, clips in found.items()}
        labels = _labels(boxes.values())
        members = splits_naming(files)
        for _, entry in Clips("tvqa_plus", root, _EXPECTED).entries(found[split], split):
            if isinstance(entry, Skipped):
                yield entry
                continue
            rows = boxes[split].get(entry.video_id, ())
            yield replace(entry, splits=members.get(entry.video_id, (split,)), boxes=_given(rows, labels) if rows else None)

    def classes(self, root: Path) -> Classes:
        """`box`: the labels of the boxes of all files at hand."""
        files = self.found(root).values()
        return {"box": names_by_index(_labels(_boxes(read_clips("tvqa_plus", path), path) for path in files))}


_Box = tuple[int, str, float, float, float, float]
"""Frame, from 1, label, and the corners x0, y0, x1, y1."""


def _boxes(clips: Mapping[str, Clip], path: Path) -> dict[str, tuple[_Box, ...]]:
    """The boxes of each clip by frame, each once.

    Raises:
        ConfigError: one is not as published.
    """
    try:
        return {name: tuple(sorted({box for frames in clip.boxes for box in _of(frames)})) for name, clip in clips.items()}
    except (*BAD_VALUE, AttributeError) as error:
        rule = 'bbox must be {"frame": [{left, top, width, height, label}]}, frames from 1: take the published file'
        fail_file("tvqa_plus", path, f"{type(error).__name__}: {error}", rule)


def _of(frames: Mapping[str, Iterable[Mapping[str, Any]]]) -> Iterator[_Box]:
    """The boxes of one question; a frame may have none."""
    for key, rows in frames.items():
        frame = int(key) if _FRAME.fullmatch(key) else 0
        if not frame:
            raise ValueError(key)
        for row in rows:
            x0, y0 = float(row["left"]), float(row["top"])
            yield frame, str(row["label"]), x0, y0, x0 + float(row["width"]), y0 + float(row["height"])


def _labels(boxes: Iterable[Mapping[str, Iterable[_Box]]]) -> dict[str, int]:
    return label_indices(box[1] for by_clip in boxes for rows in by_clip.values() for box in rows)


def _given(rows: Iterable[_Box], labels: Mapping[str, int]) -> GivenBoxes:
    seconds, classes, corners = zip(*((float((row[0] - 1) / FRAME_RATE), labels[row[1]], row[2:]) for row in rows), strict=True)
    return GivenBoxes.of(seconds, corners, classes, size=_SIZE)
