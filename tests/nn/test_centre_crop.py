"""The crop in torch against the loader's DALI graph, which has a NumPy reference of its own."""

import numpy as np
import pytest
import torch

from pipelines.draw import draw
from pipelines.graph import Graph, GraphConfig
from pipelines.philox import NUM_UNIFORMS
from pipelines.readers import make_readers
from pipelines.windows import Window
from vdata.nn.centre_crop import centre_crop
from vdata.views import Clip


def by_the_loader(frames, size):
    """(T, 3, size, size), in steps of 1/255."""
    view = Clip(frames=len(frames), stride=1, size=size, layout="TCHW")
    numbers = np.arange(len(frames))[None]
    window = Window(numbers, np.ones(numbers.shape, bool), np.ones(1, np.int64), np.zeros(1, bool))
    drawn = draw(view, window, np.array([[0, 0, frames.shape[2], frames.shape[1]]]), np.zeros((1, NUM_UNIFORMS)))
    (reader,) = make_readers([view], shortcuts=())
    graph = Graph([reader], GraphConfig(torch.device("cpu"), 1, 1, 1))
    graph.feed({"clip": [frames]} | reader.feeds(drawn, []))
    return 255 * graph.take()[0][0][0]


@pytest.mark.parametrize("size", [8, 48, 112])
@pytest.mark.parametrize(("height", "width"), [(64, 96), (96, 64), (86, 62), (256, 340)])
def test_the_crop_is_the_loader_s_within_one_step(height, width, size):
    frames = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    found = centre_crop(torch.from_numpy(frames), size)
    assert (found.dtype, tuple(found.shape)) == (torch.uint8, (2, 3, size, size))
    difference = (found - by_the_loader(frames, size)).abs()
    # Both round to bytes; what lies near a half may go either way.
    assert difference.max() <= 1.01
    assert (difference > 0.01).float().mean() < 0.01


def test_no_frames_are_no_frames():
    assert centre_crop(torch.empty(0, 64, 96, 3, dtype=torch.uint8), 32).shape == (0, 3, 32, 32)
