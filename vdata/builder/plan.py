"""The plan: which video goes into which shard, under which stable number. Saved before anything is built.

It depends on the listing and the plan's settings alone, never on machines or time, so every run of a build has the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vdata.builder.config import PlanConfig
from vdata.config import digest
from vdata.records import Skipped, Video
from vdata.shards.layout import replacing

__all__ = ["Plan", "PlannedVideo", "clip_index", "make_plan", "read_plan", "video_columns", "write_plan"]

CLIP_BITS = 20
"""Bits of a clip's stable number that count within its video: a million clips a video, 8 million million videos."""
FEWEST_SHARDS = 16
"""A dataset that would fill fewer shards gets smaller ones, so that its build has work for a machine's cores."""
PLAN_FILE = "plan.parquet"


@dataclass(frozen=True, slots=True)
class PlannedVideo:
    """One row of plan.parquet."""

    shard: int
    video_index: int
    """Position in the shuffled order; never given to another video."""
    source_bytes: int
    video: Video


@dataclass(frozen=True, slots=True)
class Plan:
    """The videos of one split in order, and what the listing left out."""

    videos: tuple[PlannedVideo, ...]
    skipped: tuple[Skipped, ...]

    @property
    def num_shards(self) -> int:
        """Shards are numbered from 0 without a gap."""
        return self.videos[-1].shard + 1 if self.videos else 0

    @property
    def source_bytes(self) -> int:
        """Bytes of all source files."""
        return sum(planned.source_bytes for planned in self.videos)

    def by_shard(self) -> dict[int, tuple[PlannedVideo, ...]]:
        """The videos of each shard; they lie side by side in the plan."""
        return {shard: tuple(group) for shard, group in groupby(self.videos, key=lambda planned: planned.shard)}

    @property
    def digest(self) -> str:
        """A short hash of everything that the plan fixes."""
        return digest([*_rows(self), *([item.source, item.reason] for item in self.skipped)])


def make_plan(root: Path, listed: Iterable[Video | Skipped], config: PlanConfig) -> Plan:
    """The plan of a listing: sorted, shuffled by the seed, dealt into shards by the bytes of the source files."""
    entries = list(listed)
    videos = sorted((entry for entry in entries if isinstance(entry, Video)), key=lambda video: (video.video_id, video.source))
    order = np.random.default_rng(config.seed).permutation(len(videos))
    chosen = [videos[i] for i in (order[: config.limit] if config.limit else order)]
    sizes = [_size(root / video.source) for video in chosen]
    skipped = tuple(entry for entry in entries if isinstance(entry, Skipped))
    shards = _deal(sizes, min(config.shard_mb * 1e6, max(sum(sizes) / FEWEST_SHARDS, 1e6)))
    numbered = zip(shards, sizes, chosen, strict=True)
    return Plan(tuple(PlannedVideo(shard, i, size, video) for i, (shard, size, video) in enumerate(numbered)), skipped)


def clip_index(video_index: int, clip_in_video: int) -> int:
    """The stable number of a clip, known before a single video is opened and unique within a folder."""
    return video_index << CLIP_BITS | clip_in_video


def video_columns(video: Video) -> dict[str, Any]:
    """What plan and rows alike say of a video, by column."""
    return {
        "video_id": video.video_id,
        "source": video.source,
        "split": video.split,
        "splits": list(video.splits),
        "label": video.label,
        "labels": list(video.labels),
        "label_name": video.label_name,
    }


def write_plan(folder: Path, plan: Plan) -> None:
    """Saves the plan as plan.parquet, whole or not at all."""
    rows = _rows(plan) + [_skipped_row(item) for item in plan.skipped]
    with replacing(folder / PLAN_FILE) as path:
        pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), path, compression="zstd")


def read_plan(folder: Path) -> Plan | None:
    """The saved plan of a folder; None where none was saved."""
    path = folder / PLAN_FILE
    if not path.exists():
        return None
    rows = pq.read_table(path).to_pylist()
    videos = tuple(_planned(row) for row in rows if not row["skip_reason"])
    skipped = tuple(
        Skipped(row["source"], row["skip_reason"], row["skip_message"], row["video_id"]) for row in rows if row["skip_reason"]
    )
    return Plan(videos, skipped)


_FACT = pa.struct([("name", pa.string()), ("integer", pa.int64()), ("real", pa.float64()), ("text", pa.string())])
_SCHEMA = pa.schema(
    [
        ("shard", pa.int32()),
        ("video_index", pa.int64()),
        ("source_bytes", pa.int64()),
        ("video_id", pa.string()),
        ("source", pa.string()),
        ("split", pa.string()),
        ("splits", pa.list_(pa.string())),
        ("label", pa.int32()),
        ("labels", pa.list_(pa.int32())),
        ("label_name", pa.string()),
        ("start_seconds", pa.float64()),
        ("end_seconds", pa.float64()),
        ("facts", pa.list_(_FACT)),
        ("skip_reason", pa.string()),
        ("skip_message", pa.string()),
    ]
)


def _rows(plan: Plan) -> list[dict[str, Any]]:
    return [_row(planned) for planned in plan.videos]


def _row(planned: PlannedVideo) -> dict[str, Any]:
    video = planned.video
    return {
        "shard": planned.shard,
        "video_index": planned.video_index,
        "source_bytes": planned.source_bytes,
        **video_columns(video),
        "start_seconds": video.start_seconds,
        "end_seconds": video.end_seconds,
        "facts": [_fact(name, value) for name, value in video.facts.items()],
        "skip_reason": "",
        "skip_message": "",
    }


def _skipped_row(item: Skipped) -> dict[str, Any]:
    empty = {"shard": -1, "video_index": -1, "source_bytes": 0, "source": item.source, "video_id": item.video_id}
    return {**empty, "skip_reason": item.reason, "skip_message": item.message}


def _fact(name: str, value: float | str) -> dict[str, Any]:
    """A fact in the column of its type: Parquet's columns have one type, a dataset's facts have three."""
    kind = "text" if isinstance(value, str) else "integer" if isinstance(value, int) else "real"
    return {"name": name, kind: value}


def _planned(row: dict[str, Any]) -> PlannedVideo:
    kinds = ("integer", "real", "text")
    facts = {fact["name"]: next(fact[kind] for kind in kinds if fact[kind] is not None) for fact in row["facts"]}
    video = Video(
        video_id=row["video_id"],
        source=row["source"],
        split=row["split"],
        splits=tuple(row["splits"]),
        label=row["label"],
        labels=tuple(row["labels"]),
        label_name=row["label_name"],
        start_seconds=row["start_seconds"],
        end_seconds=row["end_seconds"],
        facts=facts,
    )
    return PlannedVideo(row["shard"], row["video_index"], row["source_bytes"], video)


def _deal(sizes: Sequence[int], shard_bytes: float) -> list[int]:
    """The shard of each video: the next one starts when the present one has its fill."""
    shards, shard, filled = [], 0, 0.0
    for size in sizes:
        if filled and filled + size / 2 > shard_bytes:
            shard, filled = shard + 1, 0.0
        shards.append(shard)
        filled += size
    return shards


def _size(path: Path) -> int:
    """Bytes of a file; 0 where it has vanished since it was listed, which the cut will record."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
