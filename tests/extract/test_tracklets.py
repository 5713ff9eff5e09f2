"""Tracklets of clips whose motion is known, by detections that are."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from vdata.config import from_mapping, to_mapping
from vdata.errors import ConfigError
from vdata.extract import EXTRACTORS, Extracted
from vdata.extract._linking import Track
from vdata.extract.tracklets import TrackletsConfig, motion_carry
from vdata.media.box_codec import boxes_of, dump_boxes
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.media.motion_codec import INTER, INTRA, SKIP
from vdata.media.tracklet_codec import CORNERS, load_tracklets
from vdata.records import Video

SPEED, SIDE, NUM_FRAMES = 5, 32, 30


def box_at(frame):
    return [8 + SPEED * frame, 30, 8 + SPEED * frame + SIDE, 30 + SIDE]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A textured square that moves right by 5 pixels a frame, its own width in 6, over a texture that stays."""
    path = tmp_path_factory.mktemp("square") / "square.mp4"
    rng = np.random.default_rng(0)
    back, square = (
        cv2.resize(rng.integers(0, 256, (h // 4, w // 4, 3), dtype=np.uint8), (w, h), interpolation=cv2.INTER_CUBIC)
        for h, w in ((96, 208), (SIDE, SIDE))
    )
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = 208, 96, "yuv420p", {"crf": "14"}
        for frame in range(NUM_FRAMES):
            picture, (x0, y0, x1, y1) = back.copy(), box_at(frame)
            picture[y0:y1, x0:x1] = square
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    (clip,) = cut(path.parent, Video("v", path.name), ClipConfig(short_side=96), LimitConfig())
    return clip


class Known:
    """An extractor in the place of `person` that knows where the square is."""

    def __init__(self, frames):
        self.frames = frames

    def __call__(self, clip):
        found = [boxes_of(frame, [box_at(frame)], "person", 0.5, 0) for frame in self.frames]
        return Extracted({"person.boxes.npy": dump_boxes(found)})


def extracted(clip, seen, **settings):
    extractor = EXTRACTORS["tracklets"](TrackletsConfig(**settings))
    extractor._find = Known(seen)
    return extractor(clip)


def test_the_motion_field_carries_a_box_over_frames_in_which_it_moves_by_more_than_its_width(clip):
    found = extracted(clip, range(0, NUM_FRAMES, 8), frames="every:8")
    rows = load_tracklets(found.members["tracklets.npy"])
    assert found.columns == {"num_tracklets": 1}
    assert rows["frame"].tolist() == list(range(25))  # over two keyframes, which have no motion
    assert np.flatnonzero(rows["detected"]).tolist() == [0, 8, 16, 24]
    corners = np.stack([rows[name] for name in CORNERS], axis=-1)
    assert np.abs(corners - [box_at(frame) for frame in range(25)]).max() <= 1.5


def test_equal_clips_give_equal_bytes_and_field_and_column_are_the_declared_ones(clip):
    extractor = EXTRACTORS["tracklets"](TrackletsConfig())
    first, again = (extracted(clip, range(0, NUM_FRAMES, 8)) for _ in range(2))
    assert first == again
    assert [field.ext for field in extractor.fields] == list(first.members)
    assert [column.name for column in extractor.columns] == list(first.columns)


def test_two_looks_are_linked_however_far_apart_they_are(clip):
    found = extracted(clip, (0, 12, 24), frames="keyframes", max_gap_seconds=0.1)
    assert found.columns["num_tracklets"] == 1


def test_a_clip_without_people_has_a_member_without_rows(clip):
    found = EXTRACTORS["tracklets"](TrackletsConfig(frames="keyframes", boxes={"score": 50.0}))(clip)
    assert found.columns == {"num_tracklets": 0}
    assert len(load_tracklets(found.members["tracklets.npy"])) == 0


def test_boxes_stay_within_the_picture(clip):
    """Carried to the right as if the square went on, and mended at the last frame, which lies half outside."""
    found = EXTRACTORS["tracklets"](TrackletsConfig(frames="all"))
    found._find = lambda _: Extracted(
        {"b": dump_boxes([boxes_of(f, [[190 + f, -20, 230 + f, 40]], "person", 1, 0) for f in range(30)])}
    )
    rows = load_tracklets(found(clip).members["tracklets.npy"])
    assert rows["x0"].max() == 207
    assert rows["x1"].max() == 208
    assert rows["y0"].min() == 0
    assert (rows["x1"] - rows["x0"]).min() == 1


def test_a_box_is_carried_by_the_weighted_median_of_what_was_in_it():
    """A loop over the pixels of the box's core: the vector of the block that each went into, and the median of all."""
    rng = np.random.default_rng(3)
    grid = rng.integers(-24, 25, (1, 6, 7, 2)).astype(np.int16)
    kind = rng.choice([INTER, SKIP, INTRA], (1, 6, 7), p=[0.6, 0.2, 0.2]).astype(np.uint8)
    corner, side = np.array([10.0, 5.0]), np.array([30.0, 40.0])
    track = Track(0, [0], [np.concatenate([corner, corner + side])], [1.0], [0])
    core = corner + 0.1 * side, corner + 0.9 * side
    found = []
    for row in range(6):
        for column in range(7):
            if kind[0, row, column] != INTRA:
                source = np.array([column, row]) * 8 - grid[0, row, column] / 4
                # Quarter pixels, each by its middle.
                x, y = (source[axis] + (np.arange(32) + 0.5) / 4 for axis in range(2))
                inside = ((x > core[0][0]) & (x < core[1][0])).sum() * ((y > core[0][1]) & (y < core[1][1])).sum()
                found += [grid[0, row, column] / 4] * int(inside)
    wanted = np.sort(np.array(found), axis=0)[(len(found) - 1) // 2]
    assert motion_carry(grid, kind, 8)([track], 0).tolist() == [wanted.tolist()]


def test_without_vectors_a_box_goes_on_as_before():
    track = Track(0, [0], [np.array([0.0, 0, 16, 16])], [1.0], [0])
    track.shift = np.array([3.0, -1.0])
    carry = motion_carry(np.zeros((1, 4, 4, 2), np.int16), np.full((1, 4, 4), INTRA, np.uint8), 8)
    assert carry([track], 0).tolist() == [[3.0, -1.0]]


def test_settings_are_checked_and_those_of_the_detector_too():
    assert TrackletsConfig(boxes={"score": 1.5}).finder().score == 1.5
    for settings, words in (
        ({"source": "slic"}, r"tracklets\.source \('slic'\)"),
        ({"frames": "every"}, r"tracklets\.frames \('every'\)"),
        ({"min_iou": 0.0}, r"tracklets\.min_iou"),
        ({"max_gap_seconds": 0}, r"tracklets\.max_gap_seconds"),
        ({"min_detections": 0}, r"tracklets\.min_detections"),
        ({"boxes": {"frames": "all"}}, r"tracklets\.boxes\.frames"),
        ({"boxes": {"scor": 1}}, r"tracklets\.boxes\.scor.*Did you mean"),
    ):
        with pytest.raises(ConfigError, match=words):
            TrackletsConfig(**settings)


def test_boxes_of_a_detector_are_linked_and_its_model_is_noted(bright_model, bright_clip):
    model, rectangle = bright_model("mmdet", size="640, 640"), (32, 16, 80, 64)
    config = TrackletsConfig("detector", {"model": str(model)}, frames="every:3")
    assert config.boxes["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert from_mapping(TrackletsConfig, to_mapping(config)) == config
    rows = load_tracklets(EXTRACTORS["tracklets"](config)(bright_clip([rectangle] * 8)).members["tracklets.npy"])
    assert rows["frame"].tolist() == list(range(7))
    assert np.flatnonzero(rows["detected"]).tolist() == [0, 3, 6]
    assert np.abs(np.stack([rows[name] for name in CORNERS], axis=-1) - rectangle).max() <= 0.5
    with pytest.raises(ConfigError, match=r"tracklets\.boxes\.model"):
        TrackletsConfig("detector")


@pytest.mark.videos
def test_one_who_walks_in_and_stays_is_one_tracklet(videos_root):
    """people/one-by-one-person-detection.mp4 from second 30: a man stands at the table."""
    path = Path(videos_root / "good/people/one-by-one-person-detection.mp4")
    video = Video("v", path.name, start_seconds=30, end_seconds=34)
    clip = next(iter(cut(path.parent, video, ClipConfig(), LimitConfig())))
    found = EXTRACTORS["tracklets"](TrackletsConfig())(clip)
    rows = load_tracklets(found.members["tracklets.npy"])
    assert found.columns == {"num_tracklets": 1}
    assert rows["frame"].tolist() == list(range(33))
    assert np.abs(np.diff(rows["x0"])).max() < 6
    assert np.load(io.BytesIO(found.members["tracklets.npy"])).dtype.names[0] == "track"
