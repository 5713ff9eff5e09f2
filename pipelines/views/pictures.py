"""Clips and keyframes: windows of pictures, cropped, scaled and coloured by the graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipelines import picture_nodes
from pipelines.draw import PictureDraw, draw, sides_of
from pipelines.members import Members
from pipelines.samples import Samples
from pipelines.views import Finish, Shot
from pipelines.windows import NUM_WINDOW_UNIFORMS, Window
from vdata.views import Clip, Keyframe, View

__all__ = ["PictureReader", "keyframe_near"]

Longs = npt.NDArray[np.int64]


class PictureReader:
    """Reads a Clip or a Keyframe."""

    def __init__(self, view: Clip | Keyframe, views: Mapping[str, View], *, shortcuts: Collection[str] = ()) -> None:  # noqa: ARG002 - a ViewReader
        """Takes the view, and what is done to its pictures before they come to the graph (see pipelines/convert.py)."""
        self.view = view
        self._done = _doable(view, shortcuts)
        self._num_crops = view.num_crops if isinstance(view, Clip) else 1
        crops = range(self._num_crops)
        self.shot_names = [view.name] if self._num_crops == 1 else [f"{view.name}.{crop}" for crop in crops]

    def draw(self, samples: Samples, drawn: Mapping[str, Any]) -> PictureDraw:
        """Frames, crop, flip and colours."""
        view, u = self.view, samples.u[self.view.name]
        window = samples.windows[view.name] if isinstance(view, Clip) else _keyframe_window(view, samples, drawn)
        return draw(view, window, samples.picture, u)

    def shots(self, drawn: PictureDraw, row: int) -> Sequence[Shot]:
        """The same frames for every crop."""
        if "scale" not in self._done or self.view.size is None:
            return [Shot(name, drawn.frames[row]) for name in self.shot_names]
        colour = np.concatenate([drawn.matrix[row], drawn.offset[row][:, None]], axis=1) if self.view.augment else None
        sigma = float(drawn.sigma[row]) if "blur" in self._done and drawn.blur[row] else 0.0
        boxes, size = drawn.box[row], sides_of(self.view.size)
        return [
            Shot(name, drawn.frames[row], Finish(box, size, colour, sigma))
            for name, box in zip(self.shot_names, boxes, strict=True)
        ]

    def load(self, members: Members, samples: Samples, row: int, drawn: PictureDraw) -> None:
        """Nothing: its pictures come as shots."""

    def feeds(self, drawn: PictureDraw, loaded: Sequence[Any]) -> dict[str, Any]:  # noqa: ARG002 - a ViewReader
        """Crop, flip, colours and blur of each sample, as far as the graph has nodes for them."""
        feeds: dict[str, Any] = {}
        for crop, name in enumerate(self.shot_names):
            feeds |= picture_nodes.feeds(name, self.view, drawn, drawn.box[:, crop], done=self._done)
        return feeds

    def nodes(self, device: str, pictures: Mapping[str, Any]) -> Sequence[Any]:  # noqa: ARG002 - a ViewReader
        """One output a crop."""
        return [picture_nodes.nodes(name, self.view, pictures[name], done=self._done) for name in self.shot_names]

    def batch(self, drawn: PictureDraw, loaded: Sequence[Any], outputs: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:  # noqa: ARG002 - a ViewReader
        """The view's tensor: (B, C, T, H, W) or as its layout says, with an axis K behind B for several windows or crops."""
        view = self.view
        if view.size is None:
            tensor = outputs[0]
            return {view.name: tensor if isinstance(view, Clip) else tensor[:, 0]}
        if isinstance(view, Keyframe):
            return {view.name: outputs[0][:, :, 0]}
        if view.num_windows * self._num_crops == 1:
            return {view.name: outputs[0]}
        return {view.name: _apart(torch.stack(list(outputs), dim=1), view)}

    def meta(self, drawn: PictureDraw, samples: Samples) -> dict[str, npt.NDArray[Any]]:
        """Frames, seconds, crop, flip, reversal, speed, and which frames are the window's own."""
        crop = drawn.box if self._num_crops > 1 else drawn.box[:, 0]
        meta: dict[str, npt.NDArray[Any]] = {
            "frames": drawn.frames,
            "seconds": drawn.frames / samples.fps[:, None],
            "crop": crop,
            "flip": drawn.flip,
        }
        return meta | {"reversed": drawn.backwards, "speed": drawn.speed, "inside": drawn.inside}


def _doable(view: Clip | Keyframe, shortcuts: Collection[str]) -> frozenset[str]:
    """The shortcuts that the view can take: one without a size has none, and a blur must not come before a rotation."""
    if view.size is None or "scale" not in shortcuts:
        return frozenset()
    rotates = view.augment is not None and view.augment.rotate > 0
    return frozenset({"scale"} if rotates else shortcuts)


def keyframe_near(first: Longs, last: Longs, gop: Longs, num_frames: Longs, margin: int, u: npt.NDArray[np.float64]) -> Longs:
    """(B,): a keyframe among those in first - margin .. last + margin, each as likely; the nearest to it where there is none.

    Source: CMD's code.
    """
    low = np.maximum(-(-(first - margin) // gop), 0)
    high = np.minimum((last + margin) // gop, (num_frames - 1) // gop)
    drawn = low + np.floor(np.maximum(high - low + 1, 1) * u).astype(np.int64)
    before, behind = np.maximum(high, 0), low
    nearer = (behind * gop < num_frames) & (behind * gop - last < first - before * gop)
    chosen: Longs = np.where(high >= low, drawn, np.where(nearer, behind, before)) * gop
    return chosen


def _keyframe_window(view: Keyframe, samples: Samples, drawn: Mapping[str, Any]) -> Window:
    frames = drawn[view.of].frames
    u = samples.u[view.name][:, NUM_WINDOW_UNIFORMS - 1]
    chosen = keyframe_near(frames.min(axis=1), frames.max(axis=1), samples.gop, samples.num_frames, view.margin, u)[:, None]
    count = len(samples)
    return Window(chosen, np.ones((count, 1), bool), np.ones(count, np.int64), np.zeros(count, bool))


def _apart(stacked: torch.Tensor, view: Clip) -> torch.Tensor:
    """(B, crops, ..., K * T, ...) with the windows as an axis beside the crops: (B, K * crops, ...), window by window."""
    axis = 2 + view.layout.index("T")
    shape = (*stacked.shape[:axis], view.num_windows, view.frames, *stacked.shape[axis + 1 :])
    apart = stacked.reshape(shape).movedim(axis, 1)
    return apart.reshape(apart.shape[0], -1, *apart.shape[3:])
