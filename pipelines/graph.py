"""The DALI graph: a tuple of views becomes nodes, for the CPU and for CUDA by the same builder.

Only the sources differ. On the CPU the graph is fed decoded pictures, since DALI's wheels decode no H.264 there; on CUDA it is
fed the bytes of init and fragments, and NVDEC decodes. From there on the nodes are the same, unless the CPU has scaled its
pictures already. Every parameter comes from outside (see `draw`), so nothing random lives in the graph.

The CUDA side has been built and printed, but has never run on a GPU.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from nvidia.dali import fn, pipeline_def, types
from nvidia.dali.pipeline import Pipeline
from nvidia.dali.plugin.pytorch import feed_ndarray
from torch.utils.dlpack import from_dlpack

from pipelines.views import ViewReader
from vdata.errors import ConfigError

__all__ = ["Graph", "GraphConfig", "describe"]

_DTYPES = {
    types.DALIDataType.FLOAT: torch.float32,
    types.DALIDataType.FLOAT16: torch.float16,
    types.DALIDataType.UINT8: torch.uint8,
    types.DALIDataType.INT32: torch.int32,
    types.DALIDataType.INT64: torch.int64,
    types.DALIDataType.BOOL: torch.bool,
}
_NVDEC_ENGINES = 7
"""Of an H100 or H200; the decoder uses as many as the graph has threads. Source: NVIDIA's decode matrix."""


@dataclass(frozen=True, slots=True)
class GraphConfig:
    """What the graph runs with."""

    device: torch.device
    batch_size: int
    num_threads: int
    depth: int
    """Batches under way in the graph at once."""


class Graph:
    """The compiled graph of a tuple of views. It starts no thread and needs no driver until it first runs.

    A view without a node of its own (boxes, text) has no part in it; a graph of such views alone has no pipeline.
    """

    def __init__(self, readers: Sequence[ViewReader], config: GraphConfig) -> None:
        """Builds the nodes."""
        self._device = config.device
        self._num_outputs: list[int] = []
        threads = max(config.num_threads, _NVDEC_ENGINES) if config.device.type == "cuda" else config.num_threads
        pipeline = _graph(
            tuple(readers),
            config.device.type,
            self._num_outputs,
            batch_size=config.batch_size,
            num_threads=threads,
            device_id=(config.device.index or 0) if config.device.type == "cuda" else None,
            prefetch_queue_depth=config.depth,
        )
        self.pipeline: Pipeline | None = pipeline if any(self._num_outputs) else None
        self._depth = config.depth
        self._started = False
        self._under_way = deque[bool]()
        """Batches in the graph, and whether anybody wants them."""
        self._last: Mapping[str, Any] | None = None

    def feed(self, feeds: Mapping[str, Any]) -> None:
        """Hands in the inputs of a batch, by the names of the sources, and starts it. They must live until it is taken."""
        if self.pipeline is None:
            return
        for name, feed in feeds.items():
            self.pipeline.feed_input(name, feed)
        self._under_way.append(True)
        # DALI starts as many batches as it has room for at once, and wants all their inputs before.
        if len(self._under_way) >= self._depth or self._started:
            self.pipeline.schedule_run()
            self._started = True
            self._last = None
        else:
            self._last = feeds

    def take(self) -> list[list[torch.Tensor]]:
        """The outputs of the batch that was handed in first, a list a view, as tensors of their own memory.

        Raises:
            ConfigError: pictures of several sizes in one batch of a view that keeps the picture as it is.
        """
        if self.pipeline is None:
            return [[] for _ in self._num_outputs]
        self._start()
        while True:
            is_wanted = self._under_way.popleft()
            shared = self.pipeline.share_outputs()
            try:
                if is_wanted:
                    outputs = iter(shared)
                    return [[_handed_out(next(outputs), self._device) for _ in range(count)] for count in self._num_outputs]
            finally:
                self.pipeline.release_outputs()

    def _start(self) -> None:
        """Fills the graph up with the last inputs once more, where a batch is taken before there were as many as it holds."""
        if self._started or self._last is None or self.pipeline is None:
            return
        last = self._last
        while not self._started:
            self.feed(last)
            self._under_way[-1] = False


def describe(readers: Sequence[ViewReader], device: str) -> str:
    """The nodes of the views' graph, one line each in the order of the data, as "Resize_3 (cpu) <- v0, v0.corner, v0.end".

    The names are DALI's operators, numbered; those with a dot, and the views' own, are sources. Needs no driver.
    """
    outputs: list[Any] = []

    @pipeline_def(enable_conditionals=True)  # type: ignore[untyped-decorator]
    def graph() -> tuple[Any, ...]:
        for reader in readers:
            outputs.extend(_nodes(reader, torch.device(device).type))
        return tuple(outputs)

    graph(batch_size=1, num_threads=1, device_id=None)
    lines: dict[str, str] = {}
    for output in outputs:
        _describe_node(output, lines)
    return "\n".join(lines.values())


@pipeline_def(enable_conditionals=True)  # type: ignore[untyped-decorator]
def _graph(readers: tuple[ViewReader, ...], device: str, num_outputs: list[int]) -> tuple[Any, ...]:
    """All readers' nodes; how many each has is added to `num_outputs`. A graph must have one: a constant if there is none."""
    outputs: list[Any] = []
    for reader in readers:
        found = _nodes(reader, device)
        num_outputs.append(len(found))
        outputs += found
    return tuple(outputs) or (types.Constant(0, device="cpu"),)


def _nodes(reader: ViewReader, device: str) -> list[Any]:
    source = _encoded if device == "cuda" else _decoded
    return list(reader.nodes(device, {name: source(name) for name in reader.shot_names}))


def _decoded(name: str) -> Any:  # noqa: ANN401 - DALI's nodes carry no types
    """Source of pictures (T, H, W, 3) that the loader's threads have decoded."""
    # The arrays live until the batch is taken: the loader keeps them.
    return fn.external_source(name=name, layout="FHWC", ndim=4, dtype=types.UINT8, no_copy=True)


def _encoded(name: str) -> Any:  # noqa: ANN401 - see _decoded
    """Source of an MP4's bytes, decoded by NVDEC and cut to the picture. Has never run on a GPU."""
    encoded = fn.external_source(name=name, ndim=1, dtype=types.UINT8)
    numbers = fn.external_source(name=f"{name}.frames", ndim=1, dtype=types.INT32)
    corner = fn.external_source(name=f"{name}.picture_corner", ndim=1, dtype=types.INT32)
    shape = fn.external_source(name=f"{name}.picture_shape", ndim=1, dtype=types.INT32)
    frames = fn.decoders.video(encoded, device="mixed", frames=numbers)
    # Before the resize, whose filter would otherwise reach into the padding.
    return fn.slice(frames, start=corner, shape=shape, axes=(1, 2))


def _handed_out(output: Any, device: torch.device) -> torch.Tensor:  # noqa: ANN401 - see _decoded
    """A tensor of the output's values that nobody else will write to.

    On the CPU it is the output itself: DALI's executor gives every batch memory of its own, which goes back when the tensor
    does. A copy took 1.5 of 2 ms a clip. On CUDA it is a copy: DALI cannot know which kernels still read the memory when the
    tensor goes.
    """
    shapes = sorted({tuple(shape) for shape in output.shape()})
    if len(shapes) > 1:
        raise ConfigError(f"views.size (None) needs pictures of one size in a batch, found {shapes} (T, H, W, C): give a size")
    dense = output.as_tensor()
    if device.type == "cpu":
        return from_dlpack(dense)
    tensor = torch.empty(dense.shape(), dtype=_DTYPES[dense.dtype], device=device)
    feed_ndarray(dense, tensor, cuda_stream=torch.cuda.current_stream(device))
    return tensor


def _describe_node(output: Any, lines: dict[str, str]) -> str:  # noqa: ANN401 - see _decoded
    """The name of the node behind an output, after its inputs' lines and its own are added. Sources have a name and no line."""
    name: str = output.source.name.strip("_")
    if output.source.inputs and name not in lines:
        inputs = [_describe_node(edge, lines) for edge in output.source.inputs]
        lines[name] = f"{name} ({output.device}) <- {', '.join(inputs)}"
    return name
