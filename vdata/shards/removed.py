"""removed.parquet: the clips that were taken out of a folder for good, so that nothing builds them again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from vdata.errors import CorruptShardError
from vdata.shards.layout import replacing

__all__ = ["REMOVED_FILE", "Removed", "RemovedClip", "note_removed", "read_removed"]

REMOVED_FILE = "removed.parquet"

_SCHEMA = pa.schema([("key", pa.string()), ("video_id", pa.string()), ("shard", pa.int32()), ("when", pa.timestamp("s", "UTC"))])


class RemovedClip(NamedTuple):
    """One clip that is taken out."""

    key: str
    video_id: str
    shard: int


@dataclass(frozen=True, slots=True)
class Removed:
    """What a folder must never hold again."""

    keys: frozenset[str] = frozenset()
    """Of clips."""
    videos: frozenset[str] = frozenset()
    """Ids of videos that were taken out whole, clips that failed too: their sources are not opened again."""
    clips: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """How many clips were taken out, by video_id and shard: they stay in the sums."""


def read_removed(folder: Path) -> Removed:
    """What has been removed from a folder; nothing where there is no removed.parquet.

    Raises:
        CorruptShardError: the file cannot be read.
    """
    rows = _read(folder).select(["key", "video_id", "shard"]).to_pylist()
    clips = [row for row in rows if row["key"] is not None]
    return Removed(
        keys=frozenset(row["key"] for row in clips),
        videos=frozenset(row["video_id"] for row in rows if row["key"] is None),
        clips=dict(Counter((row["video_id"], row["shard"]) for row in clips)),
    )


def note_removed(folder: Path, clips: Iterable[RemovedClip], videos: Iterable[str] = ()) -> None:
    """Adds clips and whole videos to removed.parquet; what stands there already keeps its date."""
    old = _read(folder)
    known = {(row["key"], row["video_id"]) for row in old.select(["key", "video_id"]).to_pylist()}
    now = datetime.now(UTC).replace(microsecond=0)
    # A row without a key stands for a whole video.
    rows = [{**clip._asdict(), "when": now} for clip in sorted(clips)]
    rows += [{"key": None, "video_id": video, "shard": None, "when": now} for video in sorted(videos)]
    new = [row for row in rows if (row["key"], row["video_id"]) not in known]
    with replacing(folder / REMOVED_FILE) as path:
        pq.write_table(pa.concat_tables([old, pa.Table.from_pylist(new, schema=_SCHEMA)]), path, write_page_checksum=True)


def _read(folder: Path) -> pa.Table:
    path = folder / REMOVED_FILE
    if not path.exists():
        return _SCHEMA.empty_table()
    try:
        table = pq.read_table(path, schema=_SCHEMA, page_checksum_verification=True)
        # Text is only looked at when it is taken out; where it is none, that is damage too.
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise CorruptShardError(
            f"'{path}' cannot be read ({error}), and without it removed clips would come back: restore it, "
            "or delete it and run `vdata remove` again with all keys that were taken out"
        ) from error
    return table
