"""The conventions of detectors' outputs: which is which, and each against a slow loop or known boxes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vdata.errors import ConfigError
from vdata.extract._detector_outputs import CONVENTIONS, ModelOutput, choose_convention


def floats(name, *shape):
    return ModelOutput(name, shape, whole=False)


def wholes(name, *shape):
    return ModelOutput(name, shape, whole=True)


EXPORTS = {
    "torchvision": [floats("boxes", None, 4), wholes("labels", None), floats("scores", None)],
    "torchvision, Mask R-CNN": [
        floats("boxes", None, 4),
        wholes("labels", None),
        floats("scores", None),
        floats("masks", None, 1, None, None),
    ],
    "torchvision, no names, batched": [floats("3076", 1, 100, 4), wholes("3077", 1, 100), floats("3078", 1, 100)],
    "mmdet": [floats("dets", None, None, 5), wholes("labels", None, None)],
    "mmdet, no names": [floats("a", 1, 100, 5), wholes("b", 1, 100)],
    "yolo": [floats("output0", 1, 25200, 85)],
    "yolo, sizes open": [floats("output0", None, None, 7)],
    "yolo, old, with its grids": [
        floats("output", 1, 25200, 85),
        floats("339", 1, 3, 80, 80, 85),
        floats("391", 1, 3, 40, 40, 85),
        floats("443", 1, 3, 20, 20, 85),
    ],
    "yolo_v8": [floats("output0", 1, 84, 8400)],
    "yolo_v8, one class": [floats("output0", 1, 5, 8400)],
    "yolo_v8, open": [floats("output0", None, 84, None)],
    "centernet": [floats("hm", 1, 80, 128, 128), floats("wh", 1, 2, 128, 128), floats("reg", 1, 2, 128, 128)],
    "centernet, no names": [floats("1", 1, 80, None, None), floats("2", 1, 2, None, None), floats("3", 1, 2, None, None)],
    "centernet, another order": [floats("offset", 2, 8, 8), floats("wh", 2, 8, 8), floats("heatmap", 2, 8, 8)],
}


@pytest.mark.parametrize("export", EXPORTS)
def test_auto_tells_the_usual_exports_apart(export):
    outputs, name = EXPORTS[export], export.partition(",")[0]
    convention, roles = choose_convention(outputs, "auto")
    assert convention.name == name
    assert len(roles) == len(convention.ranks)
    assert choose_convention(outputs, name) == (convention, roles)


def test_roles_go_by_name_and_type_not_by_place():
    assert choose_convention(EXPORTS["torchvision"], "auto")[1] == (0, 2, 1)
    assert choose_convention(EXPORTS["centernet, another order"], "auto")[1] == (2, 1, 0)
    assert choose_convention([wholes("labels", 1, None), floats("dets", 1, None, 5)], "auto")[1] == (1, 0)


def test_what_may_be_two_things_is_asked_not_guessed():
    with pytest.raises(ConfigError, match=r"output0 float \(1, 300, 6\).*outputs=yolo .*outputs=end_to_end"):
        choose_convention([floats("output0", 1, 300, 6)], "auto")
    assert choose_convention([floats("output0", 1, 300, 6)], "end_to_end")[0].name == "end_to_end"
    assert choose_convention([floats("output0", 1, 25200, 6)], "yolo")[0].name == "yolo"


@pytest.mark.parametrize(
    ("outputs", "wanted"),
    [
        ([floats("logits", 1, 1000)], "auto"),
        ([floats("logits", None, 1000)], "auto"),
        ([floats("boxes", None, 4), floats("scores", None)], "auto"),
        ([floats("p3", 1, 255, 80, 80), floats("p4", 1, 255, 40, 40), floats("p5", 1, 255, 20, 20)], "auto"),
        (EXPORTS["yolo_v8"], "yolo"),
        (EXPORTS["yolo"], "torchvision"),
        ([], "auto"),
    ],
)
def test_other_outputs_are_refused_with_their_shapes_and_a_way_out(outputs, wanted):
    with pytest.raises(ConfigError, match=f"detector.outputs .'{wanted}'.*docs/detectors.md") as caught:
        choose_convention(outputs, wanted)
    for output in outputs:
        assert str(output) in str(caught.value)


def decoded(name, arrays, size=(64, 64), least=0.0):
    convention = CONVENTIONS[name]
    return convention.decode(convention.of_picture(arrays, 0), size, least)


def test_yolo_as_a_slow_loop_has_it():
    rows = np.random.default_rng(0).uniform(0, 1, (1, 50, 8)).astype(np.float32)
    found = decoded("yolo", [rows])
    for i, (x, y, width, height, objectness, *scores) in enumerate(rows[0]):
        assert np.allclose(found.corners[i], [x - width / 2, y - height / 2, x + width / 2, y + height / 2])
        assert found.classes[i] == scores.index(max(scores))
        assert np.isclose(found.scores[i], objectness * max(scores))
    transposed = np.delete(rows, 4, axis=2).transpose(0, 2, 1)
    newer = decoded("yolo_v8", [transposed])
    assert np.array_equal(newer.corners, found.corners)
    assert np.array_equal(newer.classes, found.classes)
    assert np.array_equal(newer.scores, rows[0, :, 5:].max(axis=1))


def test_centernet_as_the_paper_has_it():
    rng = np.random.default_rng(0)
    heat, sizes, offsets = (rng.uniform(0, 1, (1, c, 12, 20)).astype(np.float32) for c in (3, 2, 2))
    found = decoded("centernet", [heat, sizes * 9, offsets], (48, 80), 0.6)
    # The authors' way: a cell stays if torch's 3x3 max-pooling leaves it as it is.
    pooled = torch.nn.functional.max_pool2d(torch.from_numpy(heat), 3, stride=1, padding=1).numpy()
    wanted = []
    for c in range(3):
        for y in range(12):
            for x in range(20):
                if heat[0, c, y, x] == pooled[0, c, y, x] >= 0.6:
                    cx, cy = x + offsets[0, 0, y, x], y + offsets[0, 1, y, x]
                    w, h = sizes[0, :, y, x] * 9
                    box = [4 * (cx - w / 2), 4 * (cy - h / 2), 4 * (cx + w / 2), 4 * (cy + h / 2)]
                    wanted.append((*box, heat[0, c, y, x], c))
    assert len(wanted) > 20
    assert np.allclose(np.column_stack([found.corners, found.scores, found.classes]), np.array(wanted), atol=1e-4)


def test_centernet_before_its_sigmoid_is_the_same():
    rng = np.random.default_rng(1)
    heat, sizes, offsets = (rng.uniform(0.01, 0.99, (1, c, 8, 8)).astype(np.float32) for c in (2, 2, 2))
    plain = decoded("centernet", [heat, sizes, offsets], (32, 32), 0.5)
    logits = decoded("centernet", [np.log(heat / (1 - heat)), sizes, offsets], (32, 32), 0.5)
    assert np.array_equal(plain.corners, logits.corners)
    assert np.allclose(plain.scores, logits.scores, atol=1e-6)


def test_finished_boxes_are_taken_as_they_are():
    corners, scores, labels = np.float32([[1, 2, 3, 4], [5, 6, 7, 8]]), np.float32([0.9, 0.8]), np.array([3, 1])
    for name, arrays in {
        "torchvision": [corners, scores, labels],
        "mmdet": [np.column_stack([corners, scores])[None], labels[None]],
        "end_to_end": [np.column_stack([corners, scores, labels])[None]],
    }.items():
        found = decoded(name, arrays)
        assert (found.corners.tolist(), found.scores.tolist()) == (corners.tolist(), scores.tolist())
        assert found.classes.tolist() == labels.tolist()


def test_outputs_of_other_axes_than_declared_are_told():
    with pytest.raises(ValueError, match=r"\(1, 2, 3, 4\).*'yolo'"):
        CONVENTIONS["yolo"].of_picture([np.zeros((1, 2, 3, 4))], 0)
