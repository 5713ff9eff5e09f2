"""One shard from the first clip to the commit.

A ShardWriter works in a folder of its own below `.tmp`, so that two tasks that build the same shard (one of them given up
for dead) never share a file. `commit` puts the files into place, the row file last.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from vdata.errors import SchemaMismatchError
from vdata.records import Failure, Skipped
from vdata.shards.idx import write_idx
from vdata.shards.keys import check_key
from vdata.shards.layout import (
    ERRORS,
    IDX,
    ROWS,
    TAR,
    TEMPORARY,
    committed_shards,
    discard,
    replacing,
    shard_name,
    shard_path,
    sync_file,
    sync_folder,
)
from vdata.shards.rows import read_rows, write_rows
from vdata.shards.schema import COLUMNS, error_schema
from vdata.shards.tar import TarMember, TarWriter

__all__ = ["ShardCounts", "ShardWriter", "merge_errors"]


@dataclass(frozen=True, slots=True)
class ShardCounts:
    """What a commit put into place."""

    clips: int
    failures: int
    bytes: int
    """Size of the tar; 0 for a shard without a clip."""


class ShardWriter:
    """Collects the clips and failures of one shard; nothing of it is seen before `commit`."""

    def __init__(self, folder: Path, shard: int, schema: pa.Schema) -> None:
        """Starts shard number `shard` of a folder, with rows of `schema` (see row_schema)."""
        self._folder, self._shard, self._schema = folder, shard, schema
        # The json member holds all that is known before the tar is whole: every column but `members`.
        self._json_schema = schema.remove(schema.get_field_index("members"))
        (folder / TEMPORARY).mkdir(parents=True, exist_ok=True)
        self._work = Path(tempfile.mkdtemp(prefix=f"{shard_name(shard)}.", dir=folder / TEMPORARY))
        self._tar = TarWriter(self._work / "tar")
        self._members: list[TarMember] = []
        self._rows: dict[str, dict[str, Any]] = {}
        self._failures: list[Failure] = []

    def add(self, key: str, row: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
        """Appends one sample.

        Args:
            key: as clip_key makes it.
            row: every common column but `key` and `members`, which are filled in here; a declared column that is left
                out is null.
            members: content by extension, `mp4` first. A member `json` is added: the row without `members`.

        Raises:
            ConfigError: the key is not safe.
            SchemaMismatchError: a column too many or too few, or a key that the shard already has.
        """
        check_key(key)
        plain = self._plain({**row, "key": key})
        if key in self._rows:
            raise SchemaMismatchError(f"shard {shard_name(self._shard)} has two clips with the key '{key}': keys are unique")
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        placed = [self._place(key, ext, content) for ext, content in {**members, "json": text.encode()}.items()]
        self._rows[key] = {**plain, "members": placed}

    def fail(self, failure: Failure) -> None:
        """Records a clip or a video that could not be built; the shard's name is filled in here."""
        self._failures.append(failure)

    def commit(self, counts: Mapping[str, int] | None = None) -> ShardCounts:
        """Puts the shard into place, in the stead of an earlier one of its number, and returns what it holds.

        `counts` are the builder's own sums for the shard. They travel in the row file's metadata (see rows.read_counts),
        so that they are committed by the same rename.

        A shard without a clip gets no tar and no idx: neither DALI nor its index tool accepts an empty archive. Its
        row file, with 0 rows, says that the work is done.
        """
        self._tar.close()
        size = (self._work / "tar").stat().st_size if self._rows else 0
        write_idx(self._work / "idx", self._members)
        write_rows(self._work / "errors", _failure_table(self._failures, shard_name(self._shard)))
        write_rows(self._work / "rows", pa.Table.from_pylist(list(self._rows.values()), schema=self._schema), counts)
        discard(self._folder, self._shard)
        if self._rows:
            self._publish("tar", TAR)
            self._publish("idx", IDX)
        self._publish("errors", ERRORS)
        # The names above must be on the disk before the one that promises them.
        sync_folder(self._folder)
        self._publish("rows", ROWS)
        sync_folder(self._folder)
        shutil.rmtree(self._work)
        return ShardCounts(len(self._rows), len(self._failures), size)

    def abort(self) -> None:
        """Throws the unfinished shard away. After `commit`, or twice, it does nothing."""
        self._tar.close()
        shutil.rmtree(self._work, ignore_errors=True)

    def _plain(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row as plain values in the schema's types and order, so that row file and json member agree."""
        known = self._json_schema.names
        unknown = [name for name in row if name not in known]
        required = [column.name for column in COLUMNS if column.name != "members"]
        missing = [name for name in required if row.get(name) is None]
        if unknown or missing:
            what = f"no column is named '{unknown[0]}'" if unknown else f"column '{missing[0]}' has no value"
            raise SchemaMismatchError(f"row of clip '{row['key']}': {what}. Columns: {', '.join(known)}")
        plain: dict[str, Any] = pa.RecordBatch.from_pylist([dict(row)], schema=self._json_schema).to_pylist()[0]
        return plain

    def _place(self, key: str, ext: str, content: bytes) -> dict[str, Any]:
        member = self._tar.add(f"{key}.{ext}", content)
        self._members.append(member)
        return {
            "name": ext,
            "file": shard_name(self._shard) + TAR,
            "offset": member.offset,
            "size": member.size,
            "sha256": hashlib.sha256(content).hexdigest(),
        }

    def _publish(self, part: str, suffix: str) -> None:
        sync_file(self._work / part)
        (self._work / part).rename(shard_path(self._folder, self._shard, suffix))


def merge_errors(folder: Path, skipped: Iterable[Skipped] = ()) -> int:
    """Writes errors.parquet from the finished shards' parts and what the listing skipped; returns its number of rows."""
    listed = [Failure(item.source, item.video_id, None, "list", item.reason, item.message) for item in skipped]
    parts = [_failure_table(listed, shard="")]
    parts += [read_rows(folder, shard, suffix=ERRORS) for shard in committed_shards(folder)]
    merged = pa.concat_tables(parts)
    with replacing(folder / "errors.parquet") as path:
        write_rows(path, merged)
    return len(merged)


def _failure_table(failures: Iterable[Failure], shard: str) -> pa.Table:
    return pa.Table.from_pylist([{**asdict(failure), "shard": shard} for failure in failures], schema=error_schema())
