"""How good a backbone's features are, with nothing trained on top: k nearest neighbours.

Features are averaged over the clips of a video before anything is measured, so that a long video counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from vdata.config import check
from vdata.nn.backbones import Backbone
from vdata.views import Clip, View
from vdata.views.window import Pad

__all__ = [
    "EvaluationBatches",
    "Features",
    "KnnConfig",
    "evaluation_view",
    "extract_features",
    "knn",
    "knn_accuracy",
    "knn_report",
]


@dataclass(frozen=True, slots=True)
class KnnConfig:
    """The protocol of the nearest neighbours.

    Source: Wu et al., arXiv 1805.01978 (temperature), and DINO, arXiv 2104.14294, section 4.1 (k).
    """

    k: int = 20
    """Neighbours that vote."""
    temperature: float = 0.07
    """A neighbour of cosine s votes with the weight exp(s / temperature)."""

    def __post_init__(self) -> None:
        """Checks both numbers."""
        check(self.k >= 1, "knn.k", self.k, "must be at least 1")
        check(self.temperature > 0, "knn.temperature", self.temperature, "must be positive")


class ClipTable(Protocol):
    """What evaluation asks of an index; `pipelines.ClipIterator.index` is one."""

    @property
    def index(self) -> npt.NDArray[np.int64]:
        """(N,): the stable number of every clip, which batches carry as `idx`."""

    @property
    def video(self) -> npt.NDArray[np.int64]:
        """(N,): equal for the clips of one video."""

    def column(self, name: str) -> npt.NDArray[Any]:
        """(N,): a column of the rows."""


class EvaluationBatches(Protocol):
    """What evaluation asks of a loader: one pass, every clip once, under the view of `evaluation_view`."""

    @property
    def index(self) -> ClipTable:
        """The clips that are read."""

    @property
    def unit(self) -> str:
        """Whether the numbers in `idx` are those of each "clip" or of each "video"."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Batches with `clip` (B, 3, T, H, W), or (B, K, 3, T, H, W) for K windows or crops, and `idx` (B).

        `valid` (B) must be there if any row only fills a batch up.
        """


@dataclass(frozen=True, slots=True)
class Features:
    """Features of videos, and what is known of each."""

    values: Tensor
    """(V, D), float32, the mean over a video's clips."""
    labels: Mapping[str, Tensor]
    """Column name to (V,), int64; -1 for none."""


def evaluation_view(views: Sequence[View], sampling: str = "centre", crop: Literal["one", "three"] = "one") -> Clip:
    """The first Clip of a method as evaluation reads it: named `clip`, not augmented, its windows where `sampling` says.

    Args:
        views: the method's.
        sampling: `centre`, or `uniform:K` for K windows at equal distances.
        crop: `one` in the middle, or `three` along the long side.

    Raises:
        ConfigError: no view is a Clip, or a sampling that is not known.
    """
    clips = [view for view in views if isinstance(view, Clip)]
    check(bool(clips), "views", [view.name for view in views], "must hold a Clip to be evaluated")
    name, _, count = sampling.partition(":")
    known = sampling == "centre" or (name == "uniform" and count.isdigit())
    check(known, "sampling", sampling, "must be centre or uniform:K, K windows a sample")
    start = "centre" if sampling == "centre" else f"uniform_k:{count}"
    # A short video is measured too.
    pad: Pad = "loop" if clips[0].pad == "loop" else "edge"
    alone = replace(clips[0], name="clip", augment=None, start=start, reverse=0.0, speeds=(1,), speed_unlike="", pad=pad)
    return replace(alone, crops=crop, dtype="float32", layout="CTHW")


def extract_features(backbone: Backbone, batches: EvaluationBatches, columns: Sequence[str] = ("label",)) -> Features:
    """The mean feature of every video that the loader hands out, in the order of video numbers, with these integer columns.

    Raises:
        ConfigError: a column does not hold integers, or the loader hands nothing out.
    """
    values, numbers = _clip_features(backbone, batches)
    table = batches.index
    numbered = table.video if batches.unit == "video" else table.index
    order = np.argsort(numbered, kind="stable")
    rows = order[np.searchsorted(numbered, numbers, sorter=order)]
    _, first, of_video = np.unique(table.video[rows], return_index=True, return_inverse=True)
    labels = {name: torch.from_numpy(_integers(table, name)[rows[first]]) for name in columns}
    return Features(mean_by_group(values, torch.from_numpy(of_video)), labels)


def mean_by_group(values: Tensor, group: Tensor) -> Tensor:
    """(G, D): the mean of the rows of `values` (N, D) that have each number of `group` (N), which are 0 to G - 1."""
    num_groups = int(group.max()) + 1
    sums = torch.zeros(num_groups, values.shape[1], dtype=values.dtype).index_add_(0, group, values)
    return sums / torch.bincount(group, minlength=num_groups)[:, None]


def knn(gallery: Tensor, labels: Tensor, queries: Tensor, config: KnnConfig = KnnConfig()) -> Tensor:
    """The label (Q,) that each query's nearest neighbours vote for, by the cosine of gallery (G, D) and queries (Q, D).

    A gallery of fewer than k votes whole. Of labels with equal votes the smallest wins.

    Source: Wu et al., arXiv 1805.01978, section 3.4.
    """
    classes, classes_of = cast("tuple[Tensor, Tensor]", labels.unique(return_inverse=True))  # type: ignore[no-untyped-call]
    gallery = functional.normalize(gallery, dim=1)
    found = []
    # In blocks: all queries against all of Kinetics would be 20 GB of similarities.
    for block in torch.split(functional.normalize(queries, dim=1), 1024):
        nearest, place = (block @ gallery.T).topk(min(config.k, len(gallery)), dim=1)
        weights = (nearest / config.temperature).exp()
        votes = weights.new_zeros(len(block), len(classes)).scatter_add_(1, classes_of[place], weights)
        found.append(classes[votes.argmax(dim=1)])
    return torch.cat(found)


def knn_accuracy(gallery: Features, queries: Features, column: str = "label", config: KnnConfig = KnnConfig()) -> float:
    """The share of the queries whose label the gallery's neighbours name. Videos labelled -1 neither vote nor are asked.

    Raises:
        ConfigError: gallery or queries hold no labelled video.
    """
    votes, asked = gallery.labels[column] >= 0, queries.labels[column] >= 0
    for name, which in (("gallery", votes), ("queries", asked)):
        check(
            bool(which.any()),
            f"knn.{column}",
            0,
            f"labelled videos in the {name}: must be at least 1; take another column or split",
        )
    found = knn(gallery.values[votes], gallery.labels[column][votes], queries.values[asked], config)
    return float((found == queries.labels[column][asked]).float().mean())


def knn_report(
    backbone: Backbone,
    gallery: EvaluationBatches,
    queries: EvaluationBatches,
    columns: Sequence[str] = ("label",),
    config: KnnConfig = KnnConfig(),
) -> dict[str, float]:
    """Column name to accuracy in [0, 1]: the gallery is the training split, the queries another."""
    known, asked = extract_features(backbone, gallery, columns), extract_features(backbone, queries, columns)
    return {name: knn_accuracy(known, asked, name, config) for name in columns}


def _clip_features(backbone: Backbone, batches: Iterable[Mapping[str, Any]]) -> tuple[Tensor, npt.NDArray[np.int64]]:
    """Features (N, D) on the CPU, and the clips' numbers (N,). The backbone's mode is put back."""
    device, training = next(backbone.parameters()).device, backbone.training
    backbone.eval()
    with torch.inference_mode():
        parts = [_batch_features(backbone, batch, device) for batch in batches]
    backbone.train(training)
    check(bool(parts), "batches", 0, "clips to evaluate: must be at least 1")
    return torch.cat([values for values, _ in parts]), torch.cat([numbers for _, numbers in parts]).numpy()


def _batch_features(backbone: Backbone, batch: Mapping[str, Any], device: torch.device) -> tuple[Tensor, Tensor]:
    """Features (B, D), the mean over a sample's windows and crops, and numbers (B,) of the valid rows."""
    valid = batch["valid"].cpu() if "valid" in batch else torch.ones(len(batch["idx"]), dtype=torch.bool)
    clip = batch["clip"].to(device)
    windows = clip.flatten(0, 1) if clip.ndim == 6 else clip  # noqa: PLR2004 - B, K, C, T, H, W
    features = backbone(windows).float().unflatten(0, (len(clip), -1)).mean(dim=1).cpu()
    return features[valid], batch["idx"].cpu()[valid]


def _integers(table: ClipTable, name: str) -> npt.NDArray[np.int64]:
    values = table.column(name)
    check(values.dtype.kind in "iub", f"column '{name}'", str(values.dtype), "must hold integers to be a label")
    return values.astype(np.int64)
