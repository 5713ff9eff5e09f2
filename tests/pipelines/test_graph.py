"""The graph as a machine: batches in and out, tensors of their own, and one graph printed for both devices."""

from __future__ import annotations

import gc
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines import ClipIterator, LoaderConfig
from pipelines.draw import PictureDraw, draw
from pipelines.graph import Graph, GraphConfig, describe
from pipelines.philox import uniforms
from pipelines.readers import make_readers
from pipelines.windows import Window
from vdata.errors import ConfigError
from vdata.views import Augment, Clip, Keyframe, Text

CPU = torch.device("cpu")
NOTHING = {"flip": 0.0, "jitter": 0.0, "gray": 0.0, "blur": 0.0}
FULL = Augment(flip=0.5, jitter=0.8, gray=0.2, blur=0.5, solarize=0.2, rotate=10.0)
VIEW = Clip(frames=3, stride=1, size=32, augment=FULL)


def drawn_for(view: Clip, batch: list[np.ndarray], seed: int = 0) -> PictureDraw:
    frames = np.tile(np.arange(view.frames), (len(batch), 1))
    window = Window(frames, np.ones(frames.shape, bool), np.ones(len(batch), np.int64), np.zeros(len(batch), bool))
    picture = np.array([[0, 0, one.shape[2], one.shape[1]] for one in batch])
    return draw(view, window, picture, uniforms(seed, 0, np.arange(len(batch)), view=0))


def graph_of(view: Clip, batch_size: int, depth: int = 1) -> Graph:
    return Graph(make_readers([view], shortcuts=()), GraphConfig(CPU, batch_size, 1, depth))


def feed(graph: Graph, view: Clip, batch: list[np.ndarray], seed: int = 0) -> None:
    (reader,) = make_readers([view], shortcuts=())
    graph.feed({view.name: batch} | reader.feeds(drawn_for(view, batch, seed), []))


def alone(view: Clip, batch: list[np.ndarray], seed: int = 0) -> torch.Tensor:
    graph = graph_of(view, len(batch))
    feed(graph, view, batch, seed)
    return graph.take()[0][0]


@pytest.fixture(scope="module")
def batch(make_frames) -> list[np.ndarray]:
    return [make_frames(3, size=size, seed=seed) for seed, size in enumerate([(96, 64), (64, 96), (80, 72), (64, 64)])]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_batches_come_out_in_the_order_in_which_they_went_in(batch, depth):
    """At every depth, with pauses at which fewer are under way than the graph holds."""
    graph, under_way, taken = graph_of(VIEW, 4, depth), [], []
    for seed in range(9):
        feed(graph, VIEW, batch, seed)
        under_way.append(seed)
        while len(under_way) >= depth or (seed in (3, 6) and under_way):
            taken.append((under_way.pop(0), graph.take()[0][0]))
    taken += [(seed, graph.take()[0][0]) for seed in under_way]
    assert [seed for seed, _ in taken] == list(range(9))
    assert all(torch.equal(tensor, alone(VIEW, batch, seed)) for seed, tensor in taken)


def test_a_batch_smaller_than_the_graph_s_and_one_of_full_size_again(batch):
    graph = graph_of(VIEW, 4, 2)
    for count in (4, 1, 3, 4):
        feed(graph, VIEW, batch[:count])
        assert torch.equal(graph.take()[0][0], alone(VIEW, batch[:count]))


def test_tensors_belong_to_the_caller(batch):
    graph, kept = graph_of(VIEW, 4), []
    for seed in range(6):
        feed(graph, VIEW, batch, seed)
        (tensor,) = graph.take()[0]
        kept.append((tensor, tensor.clone()))
    assert all(torch.equal(tensor, copy) for tensor, copy in kept)
    assert not torch.equal(kept[0][0], kept[1][0])
    # Writing to one reaches no other, nor what comes next.
    kept[0][0].fill_(-1)
    assert torch.equal(kept[1][0], kept[1][1])
    feed(graph, VIEW, batch, 0)
    assert torch.equal(graph.take()[0][0], kept[0][1])
    # They outlive the graph.
    del graph
    gc.collect()
    assert all(torch.equal(tensor, copy) for tensor, copy in kept[1:])


def test_without_size_pictures_of_two_sizes_are_an_error_and_the_graph_lives(batch):
    view = Clip("raw", frames=3, stride=1, size=None)
    graph = graph_of(view, 2)
    feed(graph, view, batch[:2])
    with pytest.raises(ConfigError, match=r"views\.size .*\(3, 64, 96, 3\), \(3, 96, 64, 3\).*give a size"):
        graph.take()
    feed(graph, view, batch[:1])
    assert np.array_equal(graph.take()[0][0].numpy(), batch[0][None])


def test_views_without_nodes_have_no_pipeline():
    graph = Graph(make_readers([Text()], shortcuts=()), GraphConfig(CPU, 2, 1, 1))
    assert graph.pipeline is None
    graph.feed({})
    assert graph.take() == [[]]


# ---------------------------------------------------------------------------------------------------------- printed

VIEWS = (
    Clip("v0", augment=FULL),
    Clip("v1", augment=Augment(**NOTHING)),
    Clip("v2"),
    Clip("v3", crops="three"),
    Keyframe("v4", of="v0", augment=replace(FULL, rotate=0.0)),
)


def operators(text: str) -> list[str]:
    return [re.match(r"[A-Za-z]+", line)[0] for line in text.splitlines()]


def test_both_devices_have_the_same_nodes_after_the_source():
    readers = make_readers(VIEWS, shortcuts=())
    on_cpu, on_cuda = (operators(describe(readers, device)) for device in ("cpu", "cuda"))
    assert [name for name in on_cuda if name not in ("Video", "Slice")] == on_cpu
    assert on_cuda.count("Video") == on_cuda.count("Slice") == len(VIEWS) - 1 + 3
    for name in ("Resize", "Rotate", "CoordTransform", "GaussianBlur", "CropMirrorNormalize"):
        assert name in on_cpu
    # An operation that never happens has no node.
    assert operators(describe(readers[1:3], "cpu")) == ["Resize", "CropMirrorNormalize"] * 2


def test_the_nodes_take_the_same_inputs_on_both_devices():
    """Line by line, but for the numbers of the nodes, the device, and what is the source."""

    def shape_of(device: str) -> list[str]:
        text = re.sub(r"\((c|g)pu\)|_\d+", "", describe(make_readers(VIEWS, shortcuts=()), device))
        lines = [line.replace("Slice", "frames") for line in text.splitlines() if not line.startswith(("Video", "Slice"))]
        # On the CPU the source is named by its view.
        return [re.sub(r"<- (v\d(\.\d)?)(?=,|$)", "<- frames", line) for line in lines]

    assert shape_of("cpu") == shape_of("cuda")


def test_each_device_runs_its_nodes():
    readers = make_readers(VIEWS, shortcuts=())
    assert "(gpu)" not in describe(readers, "cpu")
    on_cuda = describe(readers, "cuda")
    assert re.search(r"Resize_\d+ \(gpu\) <- Slice_\d+", on_cuda)
    for name in ("Rotate", "CoordTransform", "GaussianBlur", "CropMirrorNormalize"):
        assert re.search(rf"{name}_\d+ \(gpu\)", on_cuda)
        assert not re.search(rf"{name}_\d+ \(cpu\)", on_cuda)


def test_the_iterator_prints_the_graph_that_it_runs(folder):
    settings = {"views": (Clip("v", frames=4, stride=2, size=32, augment=FULL),), "batch_size": 2}
    plain_config = LoaderConfig(shortcuts=())
    with ClipIterator(folder, **settings, config=plain_config) as plain, ClipIterator(folder, **settings) as short:
        nodes = operators(plain.describe("cpu"))
        assert [name for name in operators(plain.describe("cuda")) if name not in ("Video", "Slice")] == nodes
        # CUDA takes no shortcut.
        assert operators(short.describe("cuda")) == operators(plain.describe("cuda"))
        left = operators(short.describe("cpu"))
        assert {"Resize", "CoordTransform"} <= set(nodes)
        assert not {"Resize", "CoordTransform"} & set(left)
        # A blur must not come before a rotation, so it stays in the graph.
        assert {"Rotate", "GaussianBlur", "CropMirrorNormalize"} <= set(left) <= set(nodes)


def test_a_cuda_pipeline_is_defined_without_a_driver():
    graph = Graph(make_readers(VIEWS, shortcuts=()), GraphConfig(torch.device("cuda:1"), 4, 2, 2))
    assert graph.pipeline.device_id == 1
    # As many threads as an H100 has NVDEC engines, at least.
    assert graph.pipeline.num_threads == 7
