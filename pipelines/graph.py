"""The DALI graph: a tuple of views becomes nodes, for the CPU and for CUDA by the same builder.

Only the sources differ. On the CPU the graph is fed decoded frames, since DALI's wheels decode no H.264 there; on CUDA it is
fed the bytes of init and fragments, and NVDEC decodes. From there on the nodes are the same: resize of the crop box, flip,
colour matrix, blur, normalise. Every parameter comes from outside (see `draw`), so nothing random lives in the graph.

The CUDA side has been built and printed, but has never run on a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from nvidia.dali import fn, math, pipeline_def, types
from nvidia.dali.pipeline import Pipeline
from nvidia.dali.plugin.pytorch import feed_ndarray

from pipelines.draw import Draw
from vdata.config import check
from vdata.views import Augment, View

__all__ = ["build", "describe", "parameters", "run"]

_DTYPES = {types.DALIDataType.FLOAT: torch.float32, types.DALIDataType.UINT8: torch.uint8}


def build(views: Sequence[View], device: torch.device, batch_size: int, num_threads: int) -> Pipeline:
    """The pipeline whose outputs are the views, in their order; it starts no thread and needs no driver until it first runs."""
    # A depth of one: the batch after this one is already being decoded by the loader's own threads, and a deeper queue would
    # want to be filled before its first output.
    pipeline: Pipeline = _graph(
        tuple(views),
        device.type,
        batch_size=batch_size,
        num_threads=num_threads,
        device_id=(device.index or 0) if device.type == "cuda" else None,
        prefetch_queue_depth=1,
    )
    return pipeline


def parameters(view: View, draw: Draw) -> dict[str, npt.NDArray[Any]]:
    """What the graph of the view must be fed beside its frames, by the names of its sources."""
    values: dict[str, npt.NDArray[Any]] = {}
    if view.size is not None:
        # DALI's order is height, width.
        values["corner"], values["end"] = draw.box[:, [1, 0]], draw.box[:, [3, 2]]
    if view.augment is not None and view.augment.flip:
        values["flip"] = draw.flip.astype(np.int32)
    if view.augment is not None and (view.augment.jitter or view.augment.gray):
        values["matrix"], values["offset"] = draw.matrix, draw.offset
    if view.augment is not None and view.augment.blur:
        values["blur"], values["sigma"] = draw.blur, draw.sigma
    return {f"{view.name}.{name}": np.ascontiguousarray(value) for name, value in values.items()}


def run(pipeline: Pipeline, feeds: Mapping[str, Any], views: Sequence[View], device: torch.device) -> dict[str, torch.Tensor]:
    """The views of one batch as tensors of their own memory.

    Raises:
        ConfigError: pictures of several sizes in one batch of a view that keeps the picture as it is.
    """
    for name, feed in feeds.items():
        pipeline.feed_input(name, feed)
    pipeline.schedule_run()
    outputs = pipeline.share_outputs()
    try:
        return {view.name: _copied(view, output, device) for view, output in zip(views, outputs, strict=True)}
    finally:
        pipeline.release_outputs()


def describe(views: Sequence[View], device: str) -> str:
    """The nodes of the views' graph, one line each in the order of the data, as "Resize_3 (cpu) <- v0, v0.corner, v0.end".

    The names are DALI's operators, numbered; those with a dot, and the views' own, are sources. Needs no driver.
    """
    outputs: list[Any] = []

    @pipeline_def(enable_conditionals=True)  # type: ignore[untyped-decorator]
    def graph() -> tuple[Any, ...]:
        outputs.extend(_nodes(tuple(views), torch.device(device).type))
        return tuple(outputs)

    graph(batch_size=1, num_threads=1, device_id=None)
    lines: dict[str, str] = {}
    for output in outputs:
        _describe_node(output, lines)
    return "\n".join(lines.values())


@pipeline_def(enable_conditionals=True)  # type: ignore[untyped-decorator]
def _graph(views: tuple[View, ...], device: str) -> tuple[Any, ...]:
    return tuple(_nodes(views, device))


def _nodes(views: tuple[View, ...], device: str) -> list[Any]:
    return [_view(view, _encoded(view) if device == "cuda" else _decoded(view)) for view in views]


def _decoded(view: View) -> Any:  # noqa: ANN401 - DALI's nodes carry no types
    """Source of frames (T, H, W, 3) that the loader's threads have decoded and cut to the picture."""
    # The arrays live until the batch is done: run() is the only one who feeds, and it waits.
    return fn.external_source(name=view.name, layout="FHWC", ndim=4, dtype=types.UINT8, no_copy=True)


def _encoded(view: View) -> Any:  # noqa: ANN401 - see _decoded
    """Source of an MP4's bytes, decoded by NVDEC and cut to the picture. Has never run on a GPU."""
    encoded = fn.external_source(name=view.name, ndim=1, dtype=types.UINT8)
    numbers = fn.external_source(name=f"{view.name}.frames", ndim=1, dtype=types.INT32)
    corner = fn.external_source(name=f"{view.name}.picture_corner", ndim=1, dtype=types.INT32)
    shape = fn.external_source(name=f"{view.name}.picture_shape", ndim=1, dtype=types.INT32)
    frames = fn.decoders.video(encoded, device="mixed", frames=numbers)
    # Before the resize, whose filter would otherwise reach into the padding.
    return fn.slice(frames, start=corner, shape=shape, axes=(1, 2))


def _view(view: View, frames: Any) -> Any:  # noqa: ANN401 - see _decoded
    """The nodes from the picture's frames to the view: an operation whose probability is 0 has no node."""
    if view.size is None:
        return frames
    # Linear with antialiasing, a triangle filter as wide as the reduction; bicubic, which SimCLR takes for images, rings.
    frames = fn.resize(
        frames,
        size=(view.size, view.size),
        roi_start=fn.external_source(name=f"{view.name}.corner", ndim=1, dtype=types.FLOAT),
        roi_end=fn.external_source(name=f"{view.name}.end", ndim=1, dtype=types.FLOAT),
        interp_type=types.INTERP_LINEAR,
        antialias=True,
    )
    if view.augment is not None:
        frames = _augmented(view, view.augment, frames)
    return fn.crop_mirror_normalize(
        frames,
        dtype=types.FLOAT,
        output_layout="CFHW",
        mean=[255.0 * value for value in view.mean],
        std=[255.0 * value for value in view.std],
    )


def _augmented(view: View, augment: Augment, frames: Any) -> Any:  # noqa: ANN401 - see _decoded
    if augment.flip:
        flip = fn.external_source(name=f"{view.name}.flip", ndim=0, dtype=types.INT32)
        frames = fn.flip(frames, horizontal=flip)
    if augment.jitter or augment.gray:
        matrix = fn.external_source(name=f"{view.name}.matrix", ndim=2, dtype=types.FLOAT)
        offset = fn.external_source(name=f"{view.name}.offset", ndim=1, dtype=types.FLOAT)
        frames = fn.coord_transform(frames, M=matrix, T=offset, dtype=types.FLOAT)
        # As floats: coord_transform's own rounding to uint8 takes twice the time of both nodes.
        frames = math.clamp(frames, 0.0, 255.0)
    if augment.blur:
        drew = fn.external_source(name=f"{view.name}.blur", ndim=0, dtype=types.BOOL)
        sigma = fn.external_source(name=f"{view.name}.sigma", ndim=0, dtype=types.FLOAT)
        frames = _blurred(view, frames, drew, sigma)
    return frames


def _blurred(view: View, frames: Any, drew: Any, sigma: Any) -> Any:  # noqa: ANN401 - see _decoded
    """Blurs the samples that drew it: the node costs more than decoding does. DALI splits the batch at this `if`."""
    if drew:
        # Source: SimCLR's code, kernel = height // 10 made odd.
        window = (view.size or 0) // 10 | 1
        blurred = fn.gaussian_blur(frames, sigma=sigma, window_size=window)
    else:
        blurred = frames
    return blurred


def _copied(view: View, output: Any, device: torch.device) -> torch.Tensor:  # noqa: ANN401 - see _decoded
    """A tensor of the output's values. DALI writes the next batch into its own buffer, so that is never handed out."""
    sizes = sorted({tuple(shape[1:3]) for shape in output.shape()}) if view.size is None else []
    check(
        len(sizes) <= 1,
        f"views.{view.name}.size",
        None,
        f"needs pictures of one size in a batch, found {sizes} (H, W): give a size",
    )
    dense = output.as_tensor()
    tensor = torch.empty(dense.shape(), dtype=_DTYPES[dense.dtype], device=device)
    feed_ndarray(dense, tensor, cuda_stream=torch.cuda.current_stream(device) if device.type == "cuda" else None)
    return tensor


def _describe_node(output: Any, lines: dict[str, str]) -> str:  # noqa: ANN401 - see _decoded
    """The name of the node behind an output, after its inputs' lines and its own are added. Sources have a name and no line."""
    name: str = output.source.name.strip("_")
    if output.source.inputs and name not in lines:
        inputs = [_describe_node(edge, lines) for edge in output.source.inputs]
        lines[name] = f"{name} ({output.device}) <- {', '.join(inputs)}"
    return name
