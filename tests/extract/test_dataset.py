"""Boxes that a dataset gives, carried to the clips: against a loop over the source's frames."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from vdata import open_shards
from vdata.extract import EXTRACTORS
from vdata.media.box_codec import BOX_SOURCES, load_boxes
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.records import GivenBoxes, Video
from vdata.shards.contact_sheet import contact_sheet
from vdata.shards.sheet_marks import SOURCE_COLOURS

COUNT = 30
SIZE = (80, 60)
"""Width and height of the source; clips are 64x48."""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    for number in range(COUNT):
        cv2.imwrite(str(root / f"{number:03d}.png"), np.full((SIZE[1], SIZE[0], 3), 8 * number, np.uint8))
    return root


def video(boxes, rate=Fraction(10), **span):
    names = tuple(f"{number:03d}.png" for number in range(COUNT))
    return Video("v", "images", frames=names, frame_rate=rate, boxes=boxes, **span)


def clips_of(root, video, fps=None):
    seconds = 8 / float(fps or video.frame_rate)
    config = ClipConfig(short_side=48, gop=4, seconds=seconds, min_seconds=0.0, **({"fps": fps} if fps else {}))
    return list(cut(root, video, config, LimitConfig()))


def boxes_of(clips):
    """The boxes of each clip, and the counts of those that were left out for having no pixel."""
    extract = EXTRACTORS["dataset"](EXTRACTORS["dataset"].Config())
    found = [extract(clip) for clip in clips]
    boxes = [load_boxes(one.members["dataset.boxes.npy"]) for one in found]
    assert [one.columns["num_dataset_boxes"] for one in found] == [len(each) for each in boxes]
    return boxes, [one.columns["num_empty_boxes"] for one in found]


def two_a_frame(rate, size=(0.0, 0.0)):
    """Boxes of class 2 i and 2 i + 1 on frame i, whose left edge is i, in the source's pixels if `size` says so."""
    frames = np.repeat(np.arange(COUNT), 2)
    corners = np.stack([frames, frames * 0 + 3, frames + 10, frames * 0 + 33], axis=1)
    scale = np.tile(np.array(size) / SIZE if size[0] else [1.0, 1.0], 2)
    return GivenBoxes.of(frames / float(rate), corners * scale, np.arange(2 * COUNT), np.linspace(0, 1, 2 * COUNT), size)


@pytest.mark.parametrize("size", [(0.0, 0.0), (1.0, 1.0), (640.0, 360.0)])
@pytest.mark.parametrize("rate", [Fraction(10), Fraction(30000, 1001), Fraction(1)])
def test_every_box_is_in_one_clip_on_its_own_frame(root, rate, size):
    clips = clips_of(root, video(two_a_frame(rate, size), rate))
    found, empty = boxes_of(clips)
    assert [clip.num_frames for clip in clips] == [8, 8, 8, 6]
    assert not any(empty)
    source, first = 0, 0
    for clip, boxes in zip(clips, found, strict=True):
        assert boxes["frame"].tolist() == [frame for frame in range(clip.num_frames) for _ in range(2)]
        assert boxes["class"].tolist() == list(range(first, first + 2 * clip.num_frames))
        assert set(boxes["source"]) == {BOX_SOURCES.index("dataset")}
        for box in boxes:
            number = source + box["frame"]
            expected = np.array([number, 3, min(number + 10, SIZE[0]), 33]) * 0.8
            assert np.allclose([box[name] for name in ("x0", "y0", "x1", "y1")], expected, atol=1e-4)
            assert box["score"] == pytest.approx(box["class"] / (2 * COUNT - 1))
        source, first = source + clip.num_frames, first + 2 * clip.num_frames
    assert first == 2 * COUNT


@pytest.mark.parametrize("start", [0.0, 0.4, 0.43])
@pytest.mark.parametrize("fps", [None, 5, 20, 6])
def test_spans_and_other_rates(root, start, fps):
    """A class is its frame twice: the boxes stand on the clip's frame that first shows the picture of that grey."""
    clips = clips_of(root, video(two_a_frame(10), start_seconds=start, end_seconds=2.5), fps)
    seen = set()
    for clip, boxes in zip(clips, boxes_of(clips)[0], strict=True):
        greys = np.rint(clip.pictures(range(clip.num_frames)).mean(axis=(1, 2, 3)) / 8).astype(int)
        for frame in range(clip.num_frames):
            mine = boxes["class"][boxes["frame"] == frame] // 2
            assert mine.tolist() == ([] if greys[frame] in seen else [greys[frame]] * 2)
            seen.add(greys[frame])
    assert min(seen) >= int(start * 10)


def test_corners_are_cut_to_the_picture_and_what_is_left_empty_is_counted(root):
    corners = [
        (-20, -10, 40, 30), (70, 50, 90, 70),  # over the edges
        (80, 0, 90, 10), (-9, 5, 0, 9), (10, 70, 20, 90), (5, 5, 5, 9), (9, 9, 5, 12), (np.nan, 0, 5, 5),
    ]  # fmt: skip
    given = GivenBoxes.of(np.zeros(len(corners)), corners)
    clip, *others = clips_of(root, video(given))
    (boxes, *rest), (empty, *none) = boxes_of([clip, *others])
    assert boxes[["x0", "y0", "x1", "y1"]].tolist() == [(0, 0, 32, 24), (56, 40, 64, 48)]
    assert (empty, set(none), sum(map(len, rest))) == (6, {0}, 0)


def test_boxes_outside_the_span_and_in_no_order(root):
    seconds = [2.9, 0.5, -3.0, 0.4, 99.0, 0.5, np.inf, np.nan]
    given = GivenBoxes.of(seconds, np.tile([0, 0, 9, 9], (len(seconds), 1)), range(len(seconds)))
    (first, *rest), _ = boxes_of(clips_of(root, video(given, start_seconds=0.3, end_seconds=2.5)))
    assert list(zip(first["frame"].tolist(), first["class"].tolist(), strict=True)) == [(1, 3), (2, 1), (2, 5)]
    assert sum(map(len, rest)) == 0


def test_a_video_without_boxes_has_members_of_none_and_no_look_at_its_source(root):
    clips = [replace(clip, origin=replace(clip.origin, root=root / "gone", file=None)) for clip in clips_of(root, video(None))]
    boxes, empty = boxes_of(clips)
    assert [len(each) for each in boxes] == empty == [0] * len(clips)


def test_shards_hold_them(root, build_listed, tmp_path):
    folder = build_listed(root, [video(two_a_frame(10))], tmp_path / "out", ("dataset",), clip={"short_side": 48, "gop": 4})
    (sample,) = open_shards(folder)
    assert len(sample.boxes("dataset")) == sample.row["num_dataset_boxes"] == 2 * COUNT
    assert np.array_equal(sample.boxes(), sample.boxes("dataset"))
    assert sample.row["dataset"] == "folder"
    assert (contact_sheet(sample) == SOURCE_COLOURS["dataset"]).all(axis=-1).sum() > 100
