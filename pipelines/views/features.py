"""Features: rows of a run's stored features, chosen over the whole of it."""

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
from pipelines.windows import uniform_k
from vdata.errors import CorruptShardError
from vdata.media.feature_codec import load_features
from vdata.views import Features, View

__all__ = ["FeaturesDraw", "FeaturesReader", "Rows", "even", "parts", "uniform", "zscored"]

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class FeaturesDraw:
    """What rows are drawn with, of each of the B samples: how many there are shows when they are read."""

    key: npt.NDArray[np.uint64]
    """(B, 2): two of the sample's numbers, as the key of a Philox stream: a view may take more rows than it has numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The chosen rows of one sample."""

    features: Singles
    """(T, D)"""
    time: Singles
    """(T,) in [0, 1)"""


class FeaturesReader:
    """Reads a Features."""

    def __init__(self, view: Features, views: Mapping[str, View]) -> None:  # noqa: ARG002 - a ViewReader
        """Takes the view."""
        self.view = view
        self.shot_names: Sequence[str] = ()
        self._strides: npt.NDArray[Any] | None = None

    def draw(self, samples: Samples, drawn: Mapping[str, Any]) -> FeaturesDraw:  # noqa: ARG002 - a ViewReader
        """The keys of the samples' streams."""
        return FeaturesDraw((samples.u[self.view.name][:, :2] * 2**53).astype(np.uint64))

    def shots(self, drawn: FeaturesDraw, row: int) -> Sequence[Shot]:  # noqa: ARG002 - a ViewReader
        """No pictures."""
        return ()

    def load(self, members: Members, samples: Samples, row: int, drawn: FeaturesDraw) -> Rows:
        """The rows, of all clips of the run together.

        Raises:
            CorruptShardError: a member is no `features.npy`, or no clip of the run has one.
            SchemaMismatchError: the shards have no features.
        """
        features, time = self._joined(members, samples, row)
        chosen = self._chosen(len(features), drawn.key[row])
        found = zscored(features)[chosen] if self.view.zscore else features[chosen].astype(np.float32)
        return Rows(found, time[chosen].astype(np.float32))

    def _joined(self, members: Members, samples: Samples, row: int) -> tuple[npt.NDArray[np.float16], Floats]:
        """All rows of the run (R, D), and the place of each in it (R,)."""
        clips, bounds = samples.runs.clips(row).tolist(), samples.runs.bounds(row)
        found, places = list[npt.NDArray[np.float16]](), list[Longs]()
        for clip, begin in zip(clips, bounds[:-1].tolist(), strict=True):
            rows = members.parsed(clip, "features.npy", "features", load_features)
            if rows is not None:
                found.append(rows)
                places.append(begin + np.arange(len(rows)) * self._stride(samples, clip))
        dims = sorted({features.shape[1] for features in found})
        if len(dims) != 1 or not sum(map(len, found)):
            key, dims_found = samples.clips.key(clips[0]), dims or "none"
            way_out = "`vdata add features` makes them for all clips"
            raise CorruptShardError(
                f"the {len(clips)} clips from '{key}' on must have features of one size, found {dims_found}; {way_out}"
            )
        joined = np.concatenate(found)
        # Features without a video stand for themselves.
        time = np.concatenate(places) / bounds[-1] if bounds[-1] else np.arange(len(joined)) / len(joined)
        return joined, time

    def _stride(self, samples: Samples, clip: int) -> int:
        """Frames from one row of the clip to the next."""
        if self._strides is None:
            # Kept: of several folders the column is joined anew by every call.
            self._strides = samples.clips.column("feature_stride")
        return int(self._strides[clip])

    def _chosen(self, num_rows: int, key: npt.NDArray[np.uint64]) -> Longs:
        """(T,) the rows taken, ascending."""
        view = self.view
        if view.sampler == "even":
            return even(num_rows, view.frames)
        u = ((np.random.Philox(key=key).random_raw(view.frames) >> np.uint64(11)) * 2.0**-53).astype(np.float64)
        return parts(num_rows, view.reach, u) if view.sampler == "parts" else uniform(num_rows, u)

    def feeds(self, drawn: FeaturesDraw, loaded: Sequence[Rows]) -> dict[str, Any]:  # noqa: ARG002 - a ViewReader
        """Nothing: features do not go through the graph."""
        return {}

    def nodes(self, device: str, pictures: Mapping[str, Any]) -> Sequence[Any]:  # noqa: ARG002 - a ViewReader
        """None."""
        return ()

    def batch(self, drawn: FeaturesDraw, loaded: Sequence[Rows], outputs: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:  # noqa: ARG002 - a ViewReader
        """Features (B, T, D) and their places in time (B, T).

        Raises:
            CorruptShardError: the samples' features have several sizes.
        """
        dims = sorted({rows.features.shape[1] for rows in loaded})
        if len(dims) > 1:
            raise CorruptShardError(
                f'features of a batch have {dims} numbers a row: `where="feature_dim == {dims[0]}"` takes one kind'
            )
        name = self.view.name
        stacked = {name: np.stack([rows.features for rows in loaded]), f"{name}_time": np.stack([rows.time for rows in loaded])}
        return {key: torch.from_numpy(values) for key, values in stacked.items()}

    def meta(self, drawn: FeaturesDraw, samples: Samples) -> dict[str, npt.NDArray[Any]]:  # noqa: ARG002 - a ViewReader
        """Nothing."""
        return {}


def parts(num_rows: int, reach: int, u: Floats) -> Longs:
    """(T,) sorted rows of 0 .. num_rows - 1, from T numbers: half of them anchors, half their positives.

    The rows are cut into T / 4 parts of floor(num_rows / (T / 4)); in each two anchors are uniform, and the rest at the end has
    none. A positive lies at an offset uniform in -reach .. reach - 1 from its anchor; what is beyond the ends becomes the end.

    Source: TOT (CVPR 2022) code, with T = 128 and reach = 30. Of fewer rows than parts, which it does not treat, every anchor is
    uniform over all.
    """
    num_parts = len(u) // 4
    size = num_rows // num_parts
    if size:
        anchors = np.repeat(np.arange(num_parts) * size, 2) + np.floor(size * u[: 2 * num_parts]).astype(np.int64)
    else:
        anchors = np.floor(num_rows * u[: 2 * num_parts]).astype(np.int64)
    positives = anchors + np.floor(2 * reach * u[2 * num_parts :]).astype(np.int64) - reach
    return np.sort(np.clip(np.concatenate([anchors, positives]), 0, num_rows - 1))


def uniform(num_rows: int, u: Floats) -> Longs:
    """(T,) sorted rows, each uniform over all; one may come twice."""
    return np.sort(np.floor(num_rows * u).astype(np.int64))


def even(num_rows: int, count: int) -> Longs:
    """(count,) the rows in the middles of `count` equal parts; of fewer rows some come twice."""
    rows: Longs = uniform_k(np.array([num_rows]), count)[0]
    return rows


def zscored(features: npt.NDArray[np.floating[Any]]) -> Singles:
    """(R, D) each column with mean 0 and deviation 1 over the rows that are not all zeros; those, and constant columns, are 0."""
    real = features.any(axis=1)
    values = features[real].astype(np.float64)
    scored = np.zeros(features.shape, np.float32)
    if len(values):
        deviation = values.std(axis=0)
        scored[real] = (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    return scored
