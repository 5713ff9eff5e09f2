"""The DALI graph against NumPy and OpenCV, and the same graph printed for both devices."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest
import torch

from pipelines import graph
from pipelines.draw import Draw, draw
from pipelines.sampler import uniforms
from vdata.errors import ConfigError
from vdata.views import Augment, Clip

CPU = torch.device("cpu")
NOTHING = {"flip": 0.0, "jitter": 0.0, "gray": 0.0, "blur": 0.0}
FULL = Augment(flip=0.5, jitter=0.8, gray=0.2, blur=0.5)


def triangle(size: int, low: float, high: float, length: int) -> np.ndarray:
    """(size, length) weights of linear resizing with antialiasing: a triangle as wide as the reduction, from its formula."""
    scale = (high - low) / size
    radius = max(scale, 1.0)
    weights = np.zeros((size, length))
    for out in range(size):
        centre = low + (out + 0.5) * scale
        for pixel in range(int(np.floor(centre - radius)) - 1, int(np.ceil(centre + radius)) + 1):
            weight = max(0.0, 1.0 - abs(pixel + 0.5 - centre) / radius)
            weights[out, min(max(pixel, 0), length - 1)] += weight
    return weights / weights.sum(axis=1, keepdims=True)


def reference(view: Clip, frames: np.ndarray, drawn: Draw, row: int) -> np.ndarray:
    """(3, T, size, size) float: every operation in NumPy, frame by frame."""
    x0, y0, x1, y1 = drawn.box[row].astype(float)
    rows = triangle(view.size, y0, y1, frames.shape[1])
    columns = triangle(view.size, x0, x1, frames.shape[2])
    pictures = []
    for frame in frames:
        picture = np.stack([rows @ channel @ columns.T for channel in np.moveaxis(frame.astype(float), -1, 0)], axis=-1)
        if drawn.flip[row]:
            picture = picture[:, ::-1]
        picture = np.clip(picture @ drawn.matrix[row].astype(float).T + drawn.offset[row], 0, 255)
        if drawn.blur[row]:
            kernel = view.size // 10 | 1
            picture = cv2.GaussianBlur(picture, (kernel, kernel), float(drawn.sigma[row]), borderType=cv2.BORDER_REFLECT_101)
        pictures.append((picture / 255 - view.mean) / view.std)
    return np.moveaxis(np.stack(pictures), -1, 0)


def apply(view: Clip, batch: list[np.ndarray], drawn: Draw) -> torch.Tensor:
    pipeline = graph.build((view,), CPU, len(batch), 1)
    return graph.run(pipeline, {view.name: batch} | graph.parameters(view, drawn), (view,), CPU)[view.name]


def drawn_for(view: Clip, batch: list[np.ndarray], epoch: int = 0) -> Draw:
    picture = np.array([[0, 0, frames.shape[2], frames.shape[1]] for frames in batch])
    numbers = np.tile(np.arange(view.frames), (len(batch), 1))
    return draw(view, numbers, picture, uniforms(0, epoch, 0, len(batch), view=0))


@pytest.fixture(scope="module")
def batch(make_frames) -> list[np.ndarray]:
    return [make_frames(3, size=size, seed=seed) for seed, size in enumerate([(96, 64), (64, 96), (80, 72), (64, 64)] * 3)]


@pytest.mark.parametrize(
    ("augment", "tolerance"),
    [
        (None, 0.51),  # the resize rounds to 8 bit
        (Augment(**NOTHING), 0.51),
        (Augment(**NOTHING | {"flip": 0.5}), 0.51),
        (Augment(**NOTHING | {"jitter": 1.0, "gray": 0.3}), 4.0),  # and the colour multiplies that: up to 1.8 three times
        (Augment(**NOTHING | {"blur": 0.6}), 1.01),  # without the colour's floats the blur rounds once more
        (FULL, 4.0),
    ],
)
@pytest.mark.parametrize("size", [32, 80])
def test_views_against_numpy(batch, augment, tolerance, size):
    view = Clip(frames=3, stride=1, size=size, augment=augment, mean=(0.4, 0.5, 0.3), std=(0.2, 0.25, 0.5))
    drawn = drawn_for(view, batch)
    found = apply(view, batch, drawn).numpy()
    assert found.dtype == np.float32
    assert found.shape == (len(batch), 3, 3, size, size)
    std = np.reshape(view.std, (3, 1, 1, 1))
    for row, frames in enumerate(batch):
        levels = np.abs(found[row] - reference(view, frames, drawn, row)) * std * 255
        assert levels.max() <= tolerance + 0.01
        assert levels.mean() <= 0.5


@pytest.mark.parametrize("change", ["box", "flip", "matrix", "offset", "blur", "sigma"])
def test_every_drawn_number_reaches_the_pixels(batch, change):
    view = Clip(frames=3, stride=1, size=64, augment=Augment(jitter=1.0, blur=1.0, blur_sigma=(0.8, 2.0)))
    drawn, other = drawn_for(view, batch), drawn_for(view, batch)
    values = getattr(other, change)
    values[...] = ~values if values.dtype == bool else values * np.float32(0.7) + np.float32(1)
    difference = (apply(view, batch, drawn) - apply(view, batch, other)).abs().flatten(1).amax(dim=1)
    assert (difference > 0.5 / 255).all()


def test_a_still_clip_stays_still():
    still = [np.repeat(np.random.default_rng(i).integers(0, 256, (1, 48, 64, 3), dtype=np.uint8), 4, axis=0) for i in range(8)]
    view = Clip(frames=4, stride=1, size=32, augment=FULL)
    found = apply(view, still, drawn_for(view, still))
    assert found.var(dim=2, correction=0).max() == 0
    assert found.var(dim=(3, 4)).min() > 0


def test_without_size_the_frames_come_as_they_are(batch):
    view = Clip(frames=3, stride=1, size=None)
    same = [batch[0], batch[4]]
    found = apply(view, same, drawn_for(view, same))
    assert found.dtype == torch.uint8
    assert np.array_equal(found.numpy(), np.stack(same))


def test_without_size_pictures_of_two_sizes_are_an_error_and_the_pipeline_lives(batch):
    view = Clip("raw", frames=3, stride=1, size=None)
    pipeline = graph.build((view,), CPU, 2, 1)
    with pytest.raises(ConfigError, match=r"views\.raw\.size .*\(64, 96\), \(96, 64\)"):
        graph.run(pipeline, {"raw": batch[:2]}, (view,), CPU)
    assert graph.run(pipeline, {"raw": [batch[0]]}, (view,), CPU)["raw"].shape == (1, 3, 64, 96, 3)


def test_tensors_belong_to_the_caller(batch):
    view = Clip(frames=3, stride=1, size=32, augment=FULL)
    pipeline = graph.build((view,), CPU, len(batch), 1)
    kept = []
    for epoch in range(4):
        feeds = {view.name: batch} | graph.parameters(view, drawn_for(view, batch, epoch))
        tensor = graph.run(pipeline, feeds, (view,), CPU)[view.name]
        kept.append((tensor, tensor.clone()))
    assert all(torch.equal(tensor, copy) for tensor, copy in kept)
    assert not torch.equal(kept[0][0], kept[1][0])


def operators(views: tuple[Clip, ...], device: str) -> list[str]:
    return [re.match(r"[A-Za-z]+", line)[0] for line in graph.describe(views, device).splitlines()]


def test_both_devices_have_the_same_nodes_after_the_source():
    views = (Clip("v0", augment=FULL), Clip("v1", augment=Augment(**NOTHING)), Clip("v2"))
    on_cpu, on_cuda = operators(views, "cpu"), operators(views, "cuda")
    assert [name for name in on_cuda if name not in ("Video", "Slice")] == on_cpu
    assert on_cuda.count("Video") == on_cuda.count("Slice") == 3
    for name in ("Resize", "Flip", "CoordTransform", "GaussianBlur", "CropMirrorNormalize"):
        assert name in on_cpu
    # An operation that never happens has no node.
    assert operators(views[1:], "cpu") == ["Resize", "CropMirrorNormalize"] * 2
    assert "(gpu)" not in graph.describe(views, "cpu")
    assert re.search(r"Resize_\d+ \(gpu\) <- Slice_\d+", graph.describe(views, "cuda"))


def test_a_cuda_pipeline_is_defined_without_a_driver():
    assert graph.build((Clip(augment=FULL),), torch.device("cuda:0"), 4, 2).device_id == 0
