"""Box views: stored boxes that go through a picture view's crop and flip, and random ones that are drawn behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipelines.expand import expanded
from pipelines.members import Members
from pipelines.samples import Samples
from pipelines.views import Shot
from pipelines.windows import NUM_WINDOW_UNIFORMS, uniform
from vdata.media import box_codec
from vdata.views import Boxes, View

__all__ = ["BoxesDraw", "BoxesReader", "cropped", "nearest_places", "random_boxes"]

_FRAME, _KEY = NUM_WINDOW_UNIFORMS, NUM_WINDOW_UNIFORMS + 1
"""The two numbers from which the frame, and what chooses or makes the boxes, are drawn."""

_SIDE, _ASPECT, _LARGEST = (0.1, 0.5), (0.5, 2.0), 1 - 1e-3
"""Of random boxes: their width, height by width, and the largest corner."""

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Corners = npt.NDArray[np.float32]
_Loaded = tuple[Corners, npt.NDArray[np.bool_], Longs]


@dataclass(frozen=True, slots=True, eq=False)
class BoxesDraw:
    """Whose frames the boxes of the B samples lie in, and how those frames are shown: F frames, one or all of the view's."""

    frames: Longs
    """(B, F) of the sample's run."""
    crop: Corners
    """(B, 4): x0, y0, x1, y1 in pixels of the picture."""
    flip: npt.NDArray[np.bool_]
    """(B,)"""
    key: Floats
    """(B,) what the choice among boxes of one score is drawn from."""
    boxes: Corners | None
    """(B, F, N, 4): the random boxes; None for stored ones."""


class BoxesReader:
    """Reads `<source>.boxes.npy` of the clips in which the frames lie; random boxes need no reading."""

    def __init__(self, view: Boxes, views: Mapping[str, View]) -> None:  # noqa: ARG002 - as all readers are made
        """For one of the batch's views."""
        self.view = view
        self.shot_names: Sequence[str] = ()
        self._stored = view.sources != ("random",)

    def draw(self, samples: Samples, drawn: Mapping[str, Any]) -> BoxesDraw:
        """The frames, and the random boxes, of the B samples."""
        u, seen = samples.u[self.view.name], drawn[self.view.of]
        frames = self._frames(drawn, u[:, _FRAME])
        boxes = None
        if not self._stored:
            numbers = expanded(u[:, _KEY], frames.shape[1] * self.view.num * 4)
            boxes = random_boxes(numbers.reshape(*frames.shape, self.view.num, 4)).astype(np.float32)
        return BoxesDraw(frames, seen.box[:, 0].copy(), seen.flip.copy(), u[:, _KEY].copy(), boxes)

    def _frames(self, drawn: Mapping[str, Any], u: Floats) -> Longs:
        frames: Longs = drawn[self.view.of].frames
        match self.view.frame:
            case "all":
                return frames.copy()
            case "centre":
                place = np.full(len(frames), frames.shape[1] // 2)
            case "random":
                place = uniform(np.array([frames.shape[1]]), u)
            case "nearest":
                place = nearest_places(frames, drawn[self.view.pair].frames)
        return np.take_along_axis(frames, place[:, None], axis=1)

    def shots(self, drawn: BoxesDraw, row: int) -> Sequence[Shot]:  # noqa: ARG002 - a ViewReader
        """None: a box needs no pixels."""
        return ()

    def load(self, members: Members, samples: Samples, row: int, drawn: BoxesDraw) -> _Loaded:
        """Boxes (F, N, 4) as the batch has them, which are boxes (F, N), and their classes (F, N).

        Raises:
            CorruptShardError: a member is no `boxes.npy`.
            SchemaMismatchError: the shards do not hold one of the sources.
        """
        if drawn.boxes is not None:
            shape = drawn.boxes.shape[1:3]
            return drawn.boxes[row], np.ones(shape, bool), np.full(shape, -1, np.int64)
        boxes = np.zeros((drawn.frames.shape[1], self.view.num, 4), np.float32)
        mask, classes = np.zeros(boxes.shape[:2], bool), np.full(boxes.shape[:2], -1, np.int64)
        reach = int(samples.gop[row]) if self.view.reach is None else self.view.reach + 1
        for clip, own, places in samples.runs.places(row, drawn.frames[row]):
            stored = self._read(members, clip)
            keys = expanded(drawn.key[row], len(stored))
            corners, share = cropped(_corners(stored) - np.tile(samples.picture[row, :2], 2), drawn.crop[row], drawn.flip[row])
            seen = (share > 0) & (share >= self.view.min_visible)
            # Highest score first, equal ones by chance; the same chance for every frame that takes the boxes of one.
            order = np.lexsort((keys, -stored["score"]))
            frames = np.unique(stored["frame"])
            for frame, place in zip(own.tolist(), places.tolist(), strict=True):
                nearest = _nearest(frames, frame, reach)
                chosen = order[(seen & (stored["frame"] == nearest))[order]][: self.view.num]
                boxes[place, : len(chosen)], mask[place, : len(chosen)] = corners[chosen], True
                classes[place, : len(chosen)] = stored["class"][chosen]
        return boxes, mask, classes

    def _read(self, members: Members, clip: int) -> box_codec.Boxes:
        """The clip's boxes of all sources, but for the low scores."""
        exts = {source: f"{source}.boxes.npy" for source in self.view.sources}
        found = [members.parsed(clip, ext, source, box_codec.load_boxes) for source, ext in exts.items()]
        boxes = np.concatenate([np.empty(0, box_codec.BOX), *(part for part in found if part is not None)])
        return boxes[boxes["score"] >= self.view.min_score]

    def feeds(self, drawn: BoxesDraw, loaded: Sequence[Any]) -> dict[str, Any]:  # noqa: ARG002 - a ViewReader
        """Nothing."""
        return {}

    def nodes(self, device: str, pictures: Mapping[str, Any]) -> Sequence[Any]:  # noqa: ARG002 - a ViewReader
        """None: some hundred numbers a sample."""
        return ()

    def batch(
        self,
        drawn: BoxesDraw,  # noqa: ARG002 - a ViewReader
        loaded: Sequence[_Loaded],
        outputs: Sequence[torch.Tensor],  # noqa: ARG002 - a ViewReader
    ) -> dict[str, torch.Tensor]:
        """Boxes (B, N, 4), mask (B, N) and classes (B, N); with all frames (B, T, N, 4) and (B, T, N)."""
        names = (self.view.name, f"{self.view.name}_mask", f"{self.view.name}_class")
        stacked = (np.stack(parts) for parts in zip(*loaded, strict=True))
        shown = (values if self.view.frame == "all" else values[:, 0] for values in stacked)
        return dict(zip(names, map(torch.from_numpy, shown), strict=True))

    def meta(self, drawn: BoxesDraw, samples: Samples) -> dict[str, npt.NDArray[Any]]:
        """Frames (B, F) in the run, their seconds, crop (B, 4) and flip (B,)."""
        seconds = drawn.frames / samples.fps[:, None]
        return {"frames": drawn.frames, "seconds": seconds, "crop": drawn.crop, "flip": drawn.flip}


def random_boxes(u: Floats) -> Floats:
    """(..., 4) boxes y0, x0, y1, x1 in [0, 1) from numbers (..., 4) in [0, 1).

    Source: ConST-CL's parser (CVPR 2022): upper left corner uniform in the picture, width uniform in [0.1, 0.5], height by width
    uniform in [0.5, 2], cut at 1 - 1e-3. A corner beyond that cut, one in a thousand an axis, makes no box there; here it is
    drawn again, that is, uniform below the cut.
    """
    low = u[..., :2] * _LARGEST
    width = _SIDE[0] + (_SIDE[1] - _SIDE[0]) * u[..., 2]
    height = width * (_ASPECT[0] + (_ASPECT[1] - _ASPECT[0]) * u[..., 3])
    return np.concatenate([low, np.minimum(low + np.stack([height, width], axis=-1), _LARGEST)], axis=-1)


def nearest_places(frames: Longs, others: Longs) -> Longs:
    """(B,) the place in `frames` (B, T) of the frame that is closest in time to one of `others` (B, S).

    Of several such pairs of frames it is the middle one, so that the two views choose the same pair, whoever asks: in windows
    that overlap, the middle of what they share.
    """
    gap = np.abs(frames[:, :, None] - others[:, None]).reshape(len(frames), -1)
    time = (frames[:, :, None] + others[:, None]).reshape(len(frames), -1)
    closest = gap == gap.min(axis=1, keepdims=True)
    order = np.argsort(np.where(closest, time, np.iinfo(np.int64).max), axis=1, kind="stable")
    middle = (closest.sum(axis=1) - 1) // 2
    places: Longs = order[np.arange(len(frames)), middle] // others.shape[1]
    return places


def cropped(corners: Corners, crop: Corners, flip: np.bool_) -> tuple[Corners, Corners]:
    """Boxes (n, 4) as y0, x0, y1, x1 in [0, 1] of the crop, and the share of each one's area that the crop shows (n,).

    Args:
        corners: (n, 4): x0, y0, x1, y1 in pixels of the picture.
        crop: (4,): the same of the crop.
        flip: whether the crop is mirrored left to right.
    """
    low, high = crop[:2], crop[2:]
    x0, y0, x1, y1 = ((corners - np.tile(low, 2)) / np.tile(high - low, 2)).T
    if flip:
        x0, x1 = 1 - x1, 1 - x0
    whole = np.stack([y0, x0, y1, x1], axis=1).astype(np.float32)
    shown = np.clip(whole, 0, 1)
    area = _area(whole)
    return shown, np.divide(_area(shown), area, out=np.zeros_like(area), where=area > 0)


def _area(boxes: Corners) -> Corners:
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def _corners(boxes: box_codec.Boxes) -> Corners:
    return np.stack([boxes[name] for name in ("x0", "y0", "x1", "y1")], axis=1)


def _nearest(stored: npt.NDArray[np.int32], frame: int, reach: int) -> int:
    """That of the frames `stored` (ascending) nearest to `frame` and less than `reach` away, of two the earlier; -1 for none."""
    distance = np.abs(stored - frame)
    return int(stored[distance.argmin()]) if distance.min(initial=reach) < reach else -1
