"""RoIAlign against loops, and against onnxruntime where the two grids agree."""

import itertools
import math

import numpy as np
import pytest
import torch

from vdata.nn.roi_align import roi_align


def bilinear(plane, y, x):
    """The value between the cells of one plane, clamped at the border."""
    height, width = plane.shape
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    top, left = min(math.floor(y), height - 2) if height > 1 else 0, min(math.floor(x), width - 2) if width > 1 else 0
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    a, b = y - top, x - left
    upper = plane[top, left] * (1 - b) + plane[top, right] * b
    lower = plane[bottom, left] * (1 - b) + plane[bottom, right] * b
    return upper * (1 - a) + lower * a


def slow(maps, boxes, size):
    batch, channels, height, width = maps.shape
    out = np.zeros((batch, boxes.shape[1], channels, size, size))
    for b, n, c, i, j in itertools.product(*map(range, out.shape)):
        y0, x0, y1, x1 = boxes[b, n] * np.array([height, width, height, width])
        y, x = y0 + (i + 0.5) * (y1 - y0) / size, x0 + (j + 0.5) * (x1 - x0) / size
        out[b, n, c, i, j] = bilinear(maps[b, c], y, x)
    return out


@pytest.mark.parametrize("shape", [(7, 7), (5, 9), (1, 1)])
def test_against_loops(shape):
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(2, 3, *shape))
    corners = np.sort(rng.random((2, 6, 2, 2)), axis=2)
    boxes = corners.reshape(2, 6, 4)
    boxes[0, 0], boxes[1, 2] = (0, 0, 1, 1), (0.3, 0.4, 0.3, 0.4)
    found = roi_align(torch.from_numpy(maps), torch.from_numpy(boxes), 4)
    np.testing.assert_allclose(found.numpy(), slow(maps, boxes, 4), atol=1e-12)


def test_against_onnxruntime():
    """Its grid is shifted by half a cell, so its box is given half a cell farther; away from the border both agree."""
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    node = onnx.helper.make_node(
        "RoiAlign", ["x", "rois", "batch"], ["y"], output_height=4, output_width=4, sampling_ratio=1,
        coordinate_transformation_mode="half_pixel",
    )  # fmt: skip
    kinds = {"x": ("FLOAT", 4), "rois": ("FLOAT", 2), "batch": ("INT64", 1), "y": ("FLOAT", 4)}
    told = {
        name: onnx.helper.make_tensor_value_info(name, getattr(onnx.TensorProto, kind), [None] * axes)
        for name, (kind, axes) in kinds.items()
    }
    graph = onnx.helper.make_graph([node], "roi", [told[name] for name in ("x", "rois", "batch")], [told["y"]])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 16)], ir_version=8)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(1)
    maps = rng.normal(size=(1, 2, 16, 16)).astype(np.float32)
    boxes = np.sort(rng.uniform(0.1, 0.9, (5, 2, 2)), axis=1).reshape(5, 4).astype(np.float32)
    rois = boxes[:, [1, 0, 3, 2]] * 16 + 0.5
    (theirs,) = session.run(None, {"x": maps, "rois": rois, "batch": np.zeros(5, np.int64)})
    ours = roi_align(torch.from_numpy(maps), torch.from_numpy(boxes)[None], 4)[0]
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-4)


def test_gradients_reach_the_map():
    maps = torch.rand(1, 1, 5, 5, dtype=torch.float64, requires_grad=True)
    boxes = torch.tensor([[[0.1, 0.2, 0.7, 0.9]]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: roi_align(x, boxes, 3), (maps,))
