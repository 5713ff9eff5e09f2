"""DramaQA: 16,191 questions with five answers about 23,928 shots and scenes of the Korean series "Another Miss Oh".

Published by Seoul National University (dramaqa.snu.ac.kr, on request, for research): 10,098 train, 3,071 validation and 3,022
test questions, 217,308 frames with boxes of 20 characters, and the script with its speakers.

Source: Choi et al. 2021, arXiv 2005.03356; the owners' page (4_dataset.md of dramaqa/dramaqa.github.io) with one example of
each file, and the code of liveseongho/DramaQA. Nobody of us has seen a whole file. What follows from these pieces:

- correct_idx counts from 0, though the page says 1 to 5: the code uses it as it is, and for "Why was Deogi in the kitchen?" the
  index 2 is "Because Deogi had to cook food." only so.
- IMAGE_0000007333.jpg is frame 7333 of its episode at 25 frames a second: the script's shots begin and end on multiples of
  1/25 s (shot 0109: 291.56 to 294.6 s, which holds frame 7333), and the code multiplies seconds by 25. Whether frames
  count from 0 or 1 is not known. Images of a shot are 8 frames apart (the code), that is 3.125 a second; the page says 3.
- The metadata is an object of lists of frames, by shot (the code); the page's example of a frame lacks a brace. Rectangles are in
  pixels of the image, and "" where a character has none (the code).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._dramaqa import (
    BOX_CLASSES,
    RATE,
    Asked,
    Images,
    images_of,
    read_asked,
    read_boxes,
    read_script,
)
from vdata.datasets._layout import check_root, check_split, fail_layout, file_named
from vdata.records import Column, Skipped, Video

__all__ = ["DramaQA", "DramaQAConfig"]

_LAYOUT = """ROOT/
  AnotherMissOh_QA/AnotherMissOhQA_train_set.json   ..._val_set.json, ..._test_set.json; or in ROOT
  AnotherMissOh_images/AnotherMissOh01/001/0078/IMAGE_0000004327.jpg ...   episode, scene, shot
  AnotherMissOh_script.json    subtitles, if there
  AnotherMissOh_visual.json    boxes, if there; or AnotherMissOh_Visual.json
"""
_EXPECTED = (
    "AnotherMissOh_QA/AnotherMissOhQA_{train,val,test}_set.json and the images "
    "AnotherMissOh_images/AnotherMissOh01/001/0078/IMAGE_0000004327.jpg"
)
_QA_FOLDERS = ("AnotherMissOh_QA", ".")


@dataclass(frozen=True)
class DramaQAConfig:
    """No settings: what is there is found."""


@DATASETS.add("dramaqa")
class DramaQA:
    """The shots and scenes that a split's questions name, each with its questions, the lines of its script, and boxes.

    A scene is the images of all its shots, one behind the other. Times are seconds of this sequence: of what the script and
    the metadata say, they follow from the numbers of the frames. A line of the script is a subtitle "SPEAKER: WORDS".
    Questions have no spans. Their levels are in the column `question_levels`, by the question's id. Boxes are of bodies, with
    the character as their class, and of faces, as "CHARACTER face". Behaviours and emotions of the metadata are not kept.
    """

    Config: ClassVar[type] = DramaQAConfig
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")
    columns: ClassVar[tuple[Column, ...]] = (
        Column("episode", pa.int32(), "The episode, 1 to 18."),
        Column("video_type", pa.string(), "`shot` or `scene`, a sequence of shots."),
        Column("question_levels", pa.string(), "JSON: by question id, q_level_logic (1 to 4) and q_level_mem (2 or 3)."),
    )
    # A question is asked about the whole shot or scene.
    build_settings: ClassVar[dict[str, Any]] = {"clip": {"seconds": 1e9}}
    extract: ClassVar[tuple[str, ...]] = ("text", "dataset")
    about: ClassVar[About] = About(_LAYOUT, needs="An application to the owners (dramaqa.snu.ac.kr).")

    def __init__(self, config: DramaQAConfig) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root has no questions of any split.
        """
        check_root("dramaqa", root, _EXPECTED)
        if not self.splits_in(root):
            fail_layout("dramaqa", "AnotherMissOh_QA/AnotherMissOhQA_train_set.json", root, _EXPECTED)

    def splits_in(self, root: Path) -> tuple[str, ...]:
        """The splits whose questions are there."""
        return tuple(split for split in self.splits if _qa_path(root, split))

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """A Video for every vid of the split, in the order of its questions; one without an image is Skipped, `missing`.

        Raises:
            ConfigError: the split's questions are absent or not as published, or there is not one image.
        """
        check_split("dramaqa", split, self.splits)
        self.prepare(root)
        path = _qa_path(root, split) or fail_layout("dramaqa", f"AnotherMissOhQA_{split}_set.json", root, _EXPECTED)
        asked = read_asked(path)
        images = {vid: images_of(root, vid) for vid in asked}
        if not any(found.paths for found in images.values()):
            first = next(iter(images.values())).folder
            fail_layout("dramaqa", f"images of the {len(asked)} vids of {path.name}, as {first}/IMAGE_*.jpg,", root, _EXPECTED)
        told = _Told(root)
        for vid, clip in asked.items():
            yield told.entry(vid, split, clip, images[vid])
            yield from (Skipped(vid, "listed_twice", f"{path.name} repeats question {one}", vid) for one in clip.repeated)

    def classes(self, root: Path) -> Classes:
        """`box`: the 20 characters, and their faces."""
        del root
        return {"box": BOX_CLASSES}


class _Told:
    """What the files beside the questions tell of the vids below a root."""

    def __init__(self, root: Path) -> None:
        script = file_named(root, (".",), ("AnotherMissOh_script.json",))
        visual = file_named(root, (".",), ("AnotherMissOh_visual.json", "AnotherMissOh_Visual.json"))
        self._lines = read_script(script) if script else {}
        self._boxes = read_boxes(visual) if visual else {}
        self._splits = _memberships(root)

    def entry(self, vid: str, split: str, asked: Asked, images: Images) -> Video | Skipped:
        """The Video of a vid, or Skipped where it has no image."""
        if not images.paths:
            return Skipped(images.folder, "missing", f"the {split} questions name {vid}, the folder has no IMAGE_*.jpg", vid)
        text: dict[str, Any] = {"questions": asked.questions}
        if subtitles := images.subtitles(self._lines.get(vid, ())):
            text["subtitles"] = subtitles
        return Video(
            vid,
            images.folder,
            split,
            self._splits[vid],
            facts={
                "episode": int(vid[len("AnotherMissOh") :].partition("_")[0]),
                "video_type": asked.video_type,
                "question_levels": json.dumps(asked.levels),
            },
            text=text,
            frames=images.paths,
            frame_rate=RATE,
            boxes=images.boxes(self._boxes.get(vid, ())),
        )


def _qa_path(root: Path, split: str) -> Path | None:
    return file_named(root, _QA_FOLDERS, [f"AnotherMissOhQA_{split}_set.json"])


def _memberships(root: Path) -> dict[str, tuple[str, ...]]:
    """The splits that name a vid."""
    found: dict[str, tuple[str, ...]] = {}
    for split in DramaQA.splits:
        path = _qa_path(root, split)
        for vid in read_asked(path) if path else ():
            found[vid] = (*found.get(vid, ()), split)
    return found
