"""plan.parquet: the saved plan of one shard folder, one row a video or part of one, and one for each skipped entry."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vdata.builder.plan import Plan, PlannedVideo
from vdata.records import FeatureFile, GivenBoxes, Segment, Skipped, Video, readable
from vdata.shards.layout import PLAN_FILE, replacing

__all__ = ["read_plan", "video_columns", "write_plan"]

T = TypeVar("T")


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
    with replacing(folder / PLAN_FILE) as path, pq.ParquetWriter(path, _SCHEMA, compression="zstd") as file:
        for videos in _batches(plan.videos):
            file.write_batch(_video_batch(videos))
        for skipped in _batches(plan.skipped):
            file.write_batch(_skipped_batch(skipped))


def read_plan(folder: Path) -> Plan | None:
    """The saved plan of a folder; None where none was saved."""
    path = folder / PLAN_FILE
    if not path.exists():
        return None
    videos: list[PlannedVideo] = []
    skipped: list[Skipped] = []
    kept: dict[Any, Any] = {}
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE):
            is_video = pc.equal(batch["skip_reason"], "")
            videos += _planned_videos(batch.filter(is_video), kept)
            skipped += _skipped_entries(batch.filter(pc.invert(is_video)))
    return Plan(tuple(videos), tuple(skipped))


_ROWS_AT_ONCE = 20_000
"""Rows that are taken apart or put together in one step, column by column: ten times faster than row by row, in little memory."""
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


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + _ROWS_AT_ONCE] for start in range(0, len(items), _ROWS_AT_ONCE))


def _batch(columns: Mapping[str, pa.Array | Sequence[Any]], num_rows: int) -> pa.RecordBatch:
    """Rows of plan.parquet; a column that is not named is null."""
    arrays = [
        value if isinstance(value := columns.get(field.name), pa.Array) else _array(value, field.type, num_rows)
        for field in _SCHEMA
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA)


def _array(values: Sequence[Any] | None, kind: pa.DataType, num_rows: int) -> pa.Array:
    return pa.nulls(num_rows, kind) if values is None else pa.array(values, kind)


def _video_batch(planned: Sequence[PlannedVideo]) -> pa.RecordBatch:
    videos = [item.video for item in planned]
    sources = [readable(video.source) for video in videos]
    empty = [""] * len(videos)
    columns = {
        "shard": [item.shard for item in planned],
        "video_index": [item.video_index for item in planned],
        "source_bytes": [item.source_bytes for item in planned],
        "part": [item.part for item in planned],
        "num_parts": [item.num_parts for item in planned],
        "video_id": [video.video_id for video in videos],
        "source": sources,
        "path": [
            None if text == video.source else os.fsencode(video.source) for text, video in zip(sources, videos, strict=True)
        ],
        "num_bytes": [video.num_bytes for video in videos],
        "split": [video.split for video in videos],
        "splits": [video.splits for video in videos],
        "label": [video.label for video in videos],
        "labels": [video.labels for video in videos],
        "label_name": [video.label_name for video in videos],
        "start_seconds": [video.start_seconds for video in videos],
        "end_seconds": [video.end_seconds for video in videos],
        "facts": _facts_array([video.facts for video in videos]),
        "text": [json.dumps(video.text, ensure_ascii=False) if video.text else None for video in videos],
        **_media_columns(videos),
        "skip_reason": empty,
        "skip_message": empty,
    }
    return _batch(columns, len(videos))


def _media_columns(videos: Sequence[Video]) -> dict[str, Sequence[Any]]:
    """What only some datasets have: null where a video is an ordinary file, so that a row costs nothing."""
    return {
        "medium": [video.medium for video in videos],
        "frames": [[os.fsencode(name) for name in video.frames] or None for video in videos],
        "rate_num": [video.frame_rate.numerator for video in videos],
        "rate_den": [video.frame_rate.denominator for video in videos],
        "byte_range": [video.byte_range for video in videos],
        "boxes": [asdict(video.boxes) if video.boxes else None for video in videos],
        "segments": [[asdict(segment) for segment in video.segments] or None for video in videos],
        "features": [asdict(video.features) if video.features else None for video in videos],
    }


def _facts_array(facts: Sequence[Mapping[str, int | float | str]]) -> pa.Array:
    """Each fact in the column of its type: Parquet's columns have one type, a dataset's facts have three."""
    names = [name for each in facts for name in each]
    values = [value for each in facts for value in each.values()]
    columns = [
        pa.array(names, pa.string()),
        pa.array([value if isinstance(value, int) else None for value in values], pa.int64()),
        pa.array([None if isinstance(value, int | str) else value for value in values], pa.float64()),
        pa.array([value if isinstance(value, str) else None for value in values], pa.string()),
    ]
    offsets = np.cumsum([0, *map(len, facts)], dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(columns, fields=list(_FACT)))


def _skipped_batch(skipped: Sequence[Skipped]) -> pa.RecordBatch:
    none, zero = [-1] * len(skipped), [0] * len(skipped)
    columns = {
        **dict.fromkeys(("shard", "video_index"), none),
        **dict.fromkeys(("source_bytes", "part", "num_parts"), zero),
        "source": [item.source for item in skipped],
        "video_id": [item.video_id for item in skipped],
        "skip_reason": [item.reason for item in skipped],
        "skip_message": [item.message for item in skipped],
    }
    return _batch(columns, len(skipped))


def _skipped_entries(batch: pa.RecordBatch) -> Iterator[Skipped]:
    return map(Skipped, *(batch[name].to_pylist() for name in ("source", "skip_reason", "skip_message", "video_id")))


def _planned_videos(batch: pa.RecordBatch, kept: dict[Any, Any]) -> Iterator[PlannedVideo]:
    """The rows of videos; `kept` holds values that many of them share, each once."""
    rows = {name: _values(batch[name]) for name in batch.schema.names if name != "facts"}
    for name in ("split", "label_name", "medium"):
        rows[name] = [kept.setdefault(value, value) for value in rows[name]]
    for name in ("splits", "labels"):
        rows[name] = [kept.setdefault(value, value) for value in map(tuple, rows[name])]
    paths = zip(rows["source"], rows["path"], strict=True)
    rates = zip(rows["rate_num"], rows["rate_den"], strict=True)
    columns = rows | {
        "source": [text if path is None else os.fsdecode(path) for text, path in paths],
        "facts": _facts(batch["facts"]),
        "text": [json.loads(text) if text else {} for text in rows["text"]],
        "frames": [tuple(os.fsdecode(name) for name in names or ()) for names in rows["frames"]],
        "frame_rate": [kept.get(rate) or kept.setdefault(rate, Fraction(*rate)) for rate in rates],
        "byte_range": [tuple(found) if found else None for found in rows["byte_range"]],
        "boxes": [GivenBoxes(**found) if found else None for found in rows["boxes"]],
        "segments": [tuple(Segment(**segment) for segment in found or ()) for found in rows["segments"]],
        "features": [FeatureFile(**found) if found else None for found in rows["features"]],
        # Never stored: it may be secret.
        "location": [""] * len(batch),
    }
    videos = map(Video, *(columns[field.name] for field in fields(Video)))
    return map(PlannedVideo, rows["shard"], rows["video_index"], rows["source_bytes"], videos, rows["part"], rows["num_parts"])


def _values(column: pa.Array) -> list[Any]:
    """The values of a column. Through NumPy: pyarrow's own way takes a multiple of the time, and is needed for few types."""
    if column.null_count == len(column):
        return [None] * len(column)
    if column.null_count or pa.types.is_nested(column.type):
        return list(column.to_pylist())
    return list(column.to_numpy(zero_copy_only=False).tolist())


def _facts(column: pa.Array) -> Iterator[dict[str, int | float | str]]:
    offsets, flat = _values(column.offsets), column.values
    names = [sys.intern(name) for name in _values(flat.field("name"))]
    kinds = zip(*(_values(flat.field(kind)) for kind in ("integer", "real", "text")), strict=True)
    values = [text if integer is None and real is None else real if integer is None else integer for integer, real, text in kinds]
    return (dict(zip(names[start:stop], values[start:stop], strict=True)) for start, stop in pairwise(offsets))
