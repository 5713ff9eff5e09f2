"""Labels of frames: against the pictures, whose grey level is their number in the source."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest

from vdata import open_shards
from vdata.errors import SchemaMismatchError
from vdata.extract import EXTRACTORS
from vdata.media.clip import EncodedClip
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.media.label_codec import load_labels
from vdata.media.origin import Origin
from vdata.records import Segment, Video

COUNT = 30
LABELS = [3] * 7 + [0] * 5 + [3] * 11 + [8] * 7
NAMES = tuple(f"{number:03d}.png" for number in range(COUNT))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    for number, name in enumerate(NAMES):
        cv2.imwrite(str(root / name), np.full((48, 64, 3), 8 * number, np.uint8))
    return root


def video(segments, **span):
    return Video("v", "images", frames=NAMES, frame_rate=Fraction(10), segments=tuple(segments), **span)


def labels_of(clips):
    extract = EXTRACTORS["frame_labels"](EXTRACTORS["frame_labels"].Config())
    for clip in clips:
        found = extract(clip)
        labels = load_labels(found.members["labels.npy"])
        assert found.columns == {"num_labelled": sum(label >= 0 for label in labels.tolist())}
        assert len(labels) == clip.num_frames
        yield labels.tolist()


@pytest.mark.parametrize("span", [{}, {"start_seconds": 0.43, "end_seconds": 2.3}])
@pytest.mark.parametrize("fps", [None, 5, 20])
def test_every_frame_has_the_class_of_its_picture(root, fps, span):
    config = ClipConfig(short_side=48, gop=4, seconds=0.8, min_seconds=0.0, **({"fps": fps} if fps else {}))
    clips = list(cut(root, video(Segment.runs(LABELS), **span), config, LimitConfig()))
    for clip, labels in zip(clips, labels_of(clips), strict=True):
        greys = np.rint(clip.pictures(range(clip.num_frames)).mean(axis=(1, 2, 3)) / 8).astype(int)
        assert labels == [LABELS[number] for number in greys]


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ([Segment(2, 4, 5)], [-1, -1, 5, 5, -1, -1]),
        ([Segment(0, 3, 1), Segment(2, 99, 0)], [1, 1, 0, 0, 0, 0]),
        ([Segment(40, 50, 1)], [-1] * 6),
        ([], [-1] * 6),
    ],
)
def test_gaps_overlaps_and_ends(root, segments, expected):
    short = video(segments, end_seconds=0.6)
    assert list(labels_of(cut(root, short, ClipConfig(short_side=48, gop=6), LimitConfig()))) == [expected]


def test_of_a_row_without_pictures_they_are_the_source_s():
    extract = EXTRACTORS["frame_labels"](EXTRACTORS["frame_labels"].Config())
    features = Video("f", "f.npy", medium="features", segments=(Segment(1, 3, 4), Segment(4, 6, 2)))
    row = EncodedClip.without_pictures(Origin(None, features))
    assert load_labels(extract(row).members["labels.npy"]).tolist() == [-1, 4, 4, -1, 2, 2]
    document = EncodedClip.without_pictures(Origin(None, Video("d", "d.txt", medium="text")))
    assert (extract(document).members, extract(document).columns) == ({}, {"num_labelled": 0})


def test_shards_hold_them(root, build_listed, tmp_path):
    clip = {"short_side": 48, "gop": 6, "seconds": 1.2, "min_seconds": 0.0}
    folder = build_listed(root, [video(Segment.runs(LABELS))], tmp_path / "out", ("frame_labels",), clip=clip)
    samples = sorted(open_shards(folder), key=lambda sample: sample.key)
    assert np.concatenate([sample.frame_labels() for sample in samples]).tolist() == LABELS
    other = build_listed(root, [video(())], tmp_path / "other", ())
    with pytest.raises(SchemaMismatchError, match=r"no 'labels\.npy'.*only a dataset gives `frame_labels`"):
        open_shards(other)[0].frame_labels()
