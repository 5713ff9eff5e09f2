"""The bench case's scenes and detections, and that what it says of linking holds on one of them."""

import numpy as np
import pytest

from vdata.bench.run import _load, case_files
from vdata.media.tracklet_codec import CORNERS


@pytest.fixture(scope="module")
def case():
    return _load(case_files()["tracklets"])


@pytest.fixture(scope="module")
def scene(case, tmp_path_factory):
    (scene,) = case.drawn_scenes(tmp_path_factory.mktemp("scene"), 1)
    return scene


def test_detections_are_drawn_from_the_truth(case, scene):
    found, detections = case.detect(scene, 4, seed=0)
    assert [frame for frame, _ in found] == list(range(0, case.NUM_FRAMES, 4))
    assert sum(len(boxes) for _, boxes in found) == len(detections)
    true = [item for item in detections if item.owner >= 0]
    for item in true:
        assert scene.seen[item.frame, item.owner]
        sides = np.tile(scene.truth[item.frame, item.owner, 2:] - scene.truth[item.frame, item.owner, :2], 2)
        assert (np.abs(item.corners - scene.truth[item.frame, item.owner]) < 0.25 * sides).all()
    assert 0.8 < len(true) / scene.seen[::4].sum() < 0.97
    assert 0 < len(detections) - len(true) < 24
    frame, boxes = found[0]
    assert [item.corners[0] for item in detections if item.frame == frame] == boxes[CORNERS[0]].tolist()


def test_motion_links_what_overlap_and_speed_lose(case, scene):
    """A detector every 12 frames of figures that move by up to 8 pixels a frame."""
    detail = {way: run().detail for way, run in case.ways([scene], 12).items()}
    assert detail["motion"]["links found"] > 0.8
    assert detail["motion"]["idf1"] > detail["speed"]["idf1"] + 0.2
    assert detail["motion"]["idf1"] > detail["overlap"]["idf1"] + 0.2


def test_the_sample_dataset_is_a_collection_too(case, tmp_path):
    (scene,) = case.sample_scenes(tmp_path, 1)
    assert scene.truth.shape[0] == scene.clip.num_frames == 100
    assert scene.clip.picture.width == 96
