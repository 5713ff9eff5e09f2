"""Non-maximum suppression, against onnxruntime's operator, OpenCV's function and a slow loop."""

from __future__ import annotations

import cv2
import numpy as np
import onnx.parser
import onnxruntime
import pytest

from vdata.extract._nms import overlaps, suppress

ONE_NODE = """
<ir_version: 10, opset_import: ["": 18]>
nms (float[1,N,4] boxes, float[1,C,N] scores, int64[1] most, float[1] iou, float[1] least) => (int64[K,3] chosen)
{ chosen = NonMaxSuppression (boxes, scores, most, iou, least) }
"""


@pytest.fixture(scope="module")
def operator():
    """A function (corners, scores, classes or None, threshold) -> the indices that ONNX's operator keeps, sorted."""
    session = onnxruntime.InferenceSession(onnx.parser.parse_model(ONE_NODE).SerializeToString())

    def kept(corners, scores, classes, threshold):
        numbers = np.zeros(len(scores), int) if classes is None else classes
        table = np.full((numbers.max() + 1, len(scores)), -1, np.float32)
        table[numbers, np.arange(len(scores))] = scores
        settings = {"most": np.array([10**6]), "iou": np.float32([threshold]), "least": np.float32([0])}
        (chosen,) = session.run(None, {"boxes": corners[None], "scores": table[None], **settings})
        return sorted(chosen[:, 2].tolist())

    return kept


def random_boxes(seed, number=200):
    rng = np.random.default_rng(seed)
    places, sizes = rng.uniform(0, 100, (number, 2)), rng.uniform(1, 40, (number, 2))
    corners = np.hstack([places, places + sizes]).astype(np.float32)
    return corners, rng.uniform(0.01, 1, number).astype(np.float32), rng.integers(0, 3, number).astype(np.int32)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(5))
def test_as_onnx_has_it(operator, seed, threshold):
    corners, scores, classes = random_boxes(seed)
    assert sorted(suppress(corners, scores, threshold)) == operator(corners, scores, None, threshold)
    assert sorted(suppress(corners, scores, threshold, classes)) == operator(corners, scores, classes, threshold)


@pytest.mark.parametrize("seed", range(5))
def test_as_opencv_has_it(seed):
    corners, scores, _ = random_boxes(seed)
    rectangles = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]).tolist()
    kept = cv2.dnn.NMSBoxes(rectangles, scores.tolist(), 0.0, 0.45)
    assert suppress(corners, scores, 0.45).tolist() == np.ravel(kept).tolist()
    assert suppress(corners, scores, 0.45, most=7).tolist() == np.ravel(kept).tolist()[:7]


@pytest.mark.parametrize("seed", range(3))
def test_by_the_smaller_box_as_a_slow_loop_has_it(seed):
    corners, scores, _ = random_boxes(seed, 60)
    kept = []
    for i in sorted(range(len(scores)), key=lambda i: -scores[i]):
        for j in kept:
            width = min(corners[i][2], corners[j][2]) - max(corners[i][0], corners[j][0])
            height = min(corners[i][3], corners[j][3]) - max(corners[i][1], corners[j][1])
            areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (corners[i], corners[j])]
            if max(width, 0) * max(height, 0) / min(areas) > 0.5:
                break
        else:
            kept.append(i)
    assert suppress(corners, scores, 0.5, by="smaller").tolist() == kept


def test_of_equal_scores_the_first_stays_and_a_box_on_the_threshold_too():
    corners = np.float32([[0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 2, 1]])
    assert suppress(corners, np.ones(3, np.float32), 0.5).tolist() == [0, 2]
    assert suppress(corners, np.ones(3, np.float32), 0.49).tolist() == [0]


def test_nothing_gives_nothing_and_boxes_without_area_overlap_nothing():
    empty = np.empty((0, 4), np.float32)
    assert suppress(empty, np.empty(0, np.float32), 0.5).shape == (0,)
    assert overlaps(np.float32([1, 1, 1, 1]), np.float32([[1, 1, 1, 1], [0, 0, 2, 2]])).tolist() == [0, 0]
