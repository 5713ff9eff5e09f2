"""plan.parquet: the saved plan of one shard folder, one row a video or part of one, and one for each skipped entry."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vdata.builder.plan import Plan, PlannedVideo
from vdata.records import FeatureFile, GivenBoxes, Segment, Skipped, Video, readable
from vdata.shards.layout import PLAN_FILE, replacing

__all__ = ["read_plan", "video_columns", "write_plan"]


def video_columns(video: Video) -> dict[str, Any]:
    """What plan and rows alike say of a video, by column."""
    return {
        "video_id": video.video_id,
        "source": readable(video.source),
        "split": video.split,
        "splits": list(video.splits),
        "label": video.label,
        "labels": list(video.labels),
        "label_name": video.label_name,
    }


def write_plan(folder: Path, plan: Plan) -> None:
    """Saves the plan as plan.parquet, whole or not at all."""
    rows = [_row(planned) for planned in plan.videos] + [_skipped_row(item) for item in plan.skipped]
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
        ("part", pa.int32()),
        ("num_parts", pa.int32()),
        ("video_id", pa.string()),
        ("source", pa.string()),
        # Its bytes, where they are no UTF-8.
        ("path", pa.binary()),
        ("num_bytes", pa.int64()),
        ("split", pa.string()),
        ("splits", pa.list_(pa.string())),
        ("label", pa.int32()),
        ("labels", pa.list_(pa.int32())),
        ("label_name", pa.string()),
        ("start_seconds", pa.float64()),
        ("end_seconds", pa.float64()),
        ("facts", pa.list_(_FACT)),
        # JSON, or null for none.
        ("text", pa.string()),
        ("medium", pa.string()),
        # Of names: bytes, as they need not be UTF-8.
        ("frames", pa.list_(pa.binary())),
        ("rate_num", pa.int32()),
        ("rate_den", pa.int32()),
        ("byte_range", pa.list_(pa.int64(), 2)),
        ("boxes", pa.struct([("rows", pa.binary()), ("width", pa.float64()), ("height", pa.float64())])),
        ("segments", pa.list_(pa.struct([("start", pa.int32()), ("end", pa.int32()), ("label", pa.int32())]))),
        ("features", pa.struct([("source", pa.string()), ("axes", pa.string())])),
        ("skip_reason", pa.string()),
        ("skip_message", pa.string()),
    ]
)


def _row(planned: PlannedVideo) -> dict[str, Any]:
    video = planned.video
    return {
        "shard": planned.shard,
        "video_index": planned.video_index,
        "source_bytes": planned.source_bytes,
        "part": planned.part,
        "num_parts": planned.num_parts,
        **video_columns(video),
        "path": None if readable(video.source) == video.source else os.fsencode(video.source),
        "num_bytes": video.num_bytes,
        "start_seconds": video.start_seconds,
        "end_seconds": video.end_seconds,
        "facts": [_fact(name, value) for name, value in video.facts.items()],
        "text": json.dumps(video.text, ensure_ascii=False) if video.text else None,
        **_media_columns(video),
        "skip_reason": "",
        "skip_message": "",
    }


def _media_columns(video: Video) -> dict[str, Any]:
    """What only some datasets have: null where a video is an ordinary file, so that a row costs nothing."""
    return {
        "medium": video.medium,
        "frames": [os.fsencode(name) for name in video.frames] or None,
        "rate_num": video.frame_rate.numerator,
        "rate_den": video.frame_rate.denominator,
        "byte_range": video.byte_range,
        "boxes": asdict(video.boxes) if video.boxes else None,
        "segments": [asdict(segment) for segment in video.segments] or None,
        "features": asdict(video.features) if video.features else None,
    }


def _media(row: Mapping[str, Any]) -> dict[str, Any]:
    """The way back."""
    return {
        "medium": row["medium"],
        "frames": tuple(os.fsdecode(name) for name in row["frames"] or ()),
        "frame_rate": Fraction(row["rate_num"], row["rate_den"]),
        "byte_range": tuple(row["byte_range"]) if row["byte_range"] else None,
        "boxes": GivenBoxes(**row["boxes"]) if row["boxes"] else None,
        "segments": tuple(Segment(**segment) for segment in row["segments"] or ()),
        "features": FeatureFile(**row["features"]) if row["features"] else None,
    }


def _skipped_row(item: Skipped) -> dict[str, Any]:
    empty = {"shard": -1, "video_index": -1, "source_bytes": 0, "part": 0, "num_parts": 0}
    names = {"source": item.source, "video_id": item.video_id}
    return {**empty, **names, "skip_reason": item.reason, "skip_message": item.message}


def _fact(name: str, value: float | str) -> dict[str, Any]:
    """A fact in the column of its type: Parquet's columns have one type, a dataset's facts have three."""
    kind = "text" if isinstance(value, str) else "integer" if isinstance(value, int) else "real"
    return {"name": name, kind: value}


def _planned(row: dict[str, Any]) -> PlannedVideo:
    kinds = ("integer", "real", "text")
    facts = {fact["name"]: next(fact[kind] for kind in kinds if fact[kind] is not None) for fact in row["facts"]}
    video = Video(
        video_id=row["video_id"],
        source=row["source"] if row["path"] is None else os.fsdecode(row["path"]),
        split=row["split"],
        splits=tuple(row["splits"]),
        label=row["label"],
        labels=tuple(row["labels"]),
        label_name=row["label_name"],
        start_seconds=row["start_seconds"],
        end_seconds=row["end_seconds"],
        facts=facts,
        text=json.loads(row.get("text") or "{}"),
        **_media(row),
        num_bytes=row["num_bytes"],
    )
    return PlannedVideo(row["shard"], row["video_index"], row["source_bytes"], video, row["part"], row["num_parts"])
