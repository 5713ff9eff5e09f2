"""Tracklet views: the persons of a picture view's frames, box by box through its crop and flip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipelines.members import Members
from pipelines.samples import Samples
from pipelines.views import Shot
from pipelines.views.boxes import cropped
from vdata.media.tracklet_codec import CORNERS, load_tracklets
from vdata.media.tracklet_codec import Tracklets as Rows
from vdata.views import Tracklets, View

__all__ = ["TrackletsDraw", "TrackletsReader"]

Longs = npt.NDArray[np.int64]
Corners = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TrackletsDraw:
    """Whose frames the persons of the B samples are looked for in, and how those frames are shown."""

    frames: Longs
    """(B, T) of the sample's run."""
    crop: Corners
    """(B, 4): x0, y0, x1, y1 in pixels of the picture."""
    flip: npt.NDArray[np.bool_]
    """(B,)"""


@dataclass(frozen=True, slots=True, eq=False)
class _Loaded:
    """One sample's persons."""

    boxes: Corners
    """(N, T, 4)"""
    mask: npt.NDArray[np.bool_]
    """(N, T)"""
    track: Longs
    """(N,)"""


class TrackletsReader:
    """Reads `tracklets.npy`. Nothing is drawn, and nothing is made up for a frame that has no box of a track."""

    def __init__(self, view: Tracklets, views: Mapping[str, View]) -> None:  # noqa: ARG002 - as all readers are made
        """For one of the batch's views."""
        self.view = view
        self.shot_names: Sequence[str] = ()

    def draw(self, samples: Samples, drawn: Mapping[str, Any]) -> TrackletsDraw:  # noqa: ARG002 - a ViewReader
        """The frames of the view whose pictures they lie in."""
        seen = drawn[self.view.of]
        return TrackletsDraw(seen.frames.copy(), seen.box[:, 0].copy(), seen.flip.copy())

    def shots(self, drawn: TrackletsDraw, row: int) -> Sequence[Shot]:  # noqa: ARG002 - a ViewReader
        """None: a box needs no pixels."""
        return ()

    def load(self, members: Members, samples: Samples, row: int, drawn: TrackletsDraw) -> _Loaded:
        """The tracks that the crop shows in most frames.

        Raises:
            CorruptShardError: a member is no `tracklets.npy`.
            SchemaMismatchError: the shards do not hold the field.
        """
        frames = drawn.frames[row]
        found = [_Loaded(np.zeros((0, len(frames), 4), np.float32), np.zeros((0, len(frames)), bool), np.zeros(0, np.int64))]
        for clip, own, places in samples.runs.places(row, frames):
            rows = members.parsed(clip, "tracklets.npy", "tracklets", load_tracklets)
            if rows is not None:
                found.append(self._tracks(rows, samples.picture[row, :2], drawn, row, (own, places)))
        boxes, mask, track = (np.concatenate([getattr(part, name) for part in found]) for name in ("boxes", "mask", "track"))
        # Stable: of equal ones the earlier clip's, and there the lower number.
        best = np.argsort(-mask.sum(axis=1), kind="stable")[: self.view.num]
        return self._filled(_Loaded(boxes[best], mask[best], track[best]))

    def _tracks(
        self, rows: Rows, offset: npt.NDArray[np.integer], drawn: TrackletsDraw, row: int, where: tuple[Longs, Longs]
    ) -> _Loaded:
        """One clip's tracks that are seen at all; `where` are the frames counted in the clip, and their places in the window."""
        own, places = where
        rows = rows[np.isin(rows["frame"], own)]
        corners, share = cropped(
            np.stack([rows[name] for name in CORNERS], axis=1) - np.tile(offset, 2), drawn.crop[row], drawn.flip[row]
        )
        seen = (share > 0) & (share >= self.view.min_visible)
        rows, corners = rows[seen], corners[seen]
        track, which = np.unique(rows["track"], return_inverse=True)
        boxes = np.zeros((len(track), drawn.frames.shape[1], 4), np.float32)
        mask = np.zeros(boxes.shape[:2], bool)
        # A window may show a frame twice, where it repeats an edge.
        place, box = np.nonzero(own[:, None] == rows["frame"])
        boxes[which[box], places[place]], mask[which[box], places[place]] = corners[box], True
        return _Loaded(boxes, mask, track.astype(np.int64))

    def _filled(self, found: _Loaded) -> _Loaded:
        """N tracks, the last of them empty where fewer were found."""
        missing = self.view.num - len(found.track)
        boxes = np.pad(found.boxes, ((0, missing), (0, 0), (0, 0)))
        return _Loaded(boxes, np.pad(found.mask, ((0, missing), (0, 0))), np.pad(found.track, (0, missing), constant_values=-1))

    def feeds(self, drawn: TrackletsDraw, loaded: Sequence[Any]) -> dict[str, Any]:  # noqa: ARG002 - a ViewReader
        """Nothing."""
        return {}

    def nodes(self, device: str, pictures: Mapping[str, Any]) -> Sequence[Any]:  # noqa: ARG002 - a ViewReader
        """None: some hundred numbers a sample."""
        return ()

    def batch(
        self,
        drawn: TrackletsDraw,  # noqa: ARG002 - a ViewReader
        loaded: Sequence[_Loaded],
        outputs: Sequence[torch.Tensor],  # noqa: ARG002 - a ViewReader
    ) -> dict[str, torch.Tensor]:
        """Boxes (B, N, T, 4), mask (B, N, T) and track numbers (B, N)."""
        parts = {"": "boxes", "_mask": "mask", "_id": "track"}
        stacked = {end: np.stack([getattr(sample, part) for sample in loaded]) for end, part in parts.items()}
        return {f"{self.view.name}{end}": torch.from_numpy(values) for end, values in stacked.items()}

    def meta(self, drawn: TrackletsDraw, samples: Samples) -> dict[str, npt.NDArray[Any]]:
        """Frames (B, T) in the run, their seconds, crop (B, 4) and flip (B,)."""
        seconds = drawn.frames / samples.fps[:, None]
        return {"frames": drawn.frames, "seconds": seconds, "crop": drawn.crop, "flip": drawn.flip}
