"""One shard from the first clip to the commit.

A ShardWriter works in a folder of its own below `.tmp`, so that two tasks that build the same shard (one of them given up
for dead) never share a file. `commit` puts the files into place, the row file last.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from vdata.errors import SchemaMismatchError
from vdata.records import Failure, Skipped
from vdata.shards.keys import check_key
from vdata.shards.layout import (
    ERRORS,
    ROWS,
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
from vdata.shards.schema import COLUMNS, error_schema, without_cells
from vdata.shards.stores import open_store
from vdata.shards.sums import SUMS, write_sums

__all__ = ["ShardCounts", "ShardWriter", "merge_errors"]


@dataclass(frozen=True, slots=True)
class ShardCounts:
    """What a commit put into place."""

    clips: int
    failures: int
    bytes: int
    """Size of the file that holds the members; 0 for a shard without a clip."""


class ShardWriter:
    """Collects the clips and failures of one shard; nothing of it is seen before `commit`."""

    def __init__(self, folder: Path, shard: int, schema: pa.Schema, sidecars: Mapping[str, str] | None = None) -> None:
        """Starts shard number `shard` of a folder, with rows of `schema` (see row_schema).

        The members go into a tar, or into cells of the row file where the schema has columns for them. Members of the extensions
        that `sidecars` names go into tars of their own, by what follows the shard's name: {"flow.npz": ".flow.tar"}.
        """
        self._folder, self._shard = folder, shard
        # What the caller gives; where the members lie is known once they are written.
        own = without_cells(schema)
        self._own_schema = own.remove(own.get_field_index("members"))
        (folder / TEMPORARY).mkdir(parents=True, exist_ok=True)
        self._work = Path(tempfile.mkdtemp(prefix=f"{shard_name(shard)}.", dir=folder / TEMPORARY))
        self._store = open_store(self._work, shard, schema, sidecars)
        self._keys: set[str] = set()
        self._failures: list[Failure] = []

    def add(self, key: str, row: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
        """Appends one sample.

        Args:
            key: as clip_key makes it.
            row: every common column but `key` and `members`, which are filled in here; a declared column that is left
                out is null.
            members: content by extension, `mp4` first. In a tar a member `json` is added: the row without `members`.

        Raises:
            ConfigError: the key is not safe.
            SchemaMismatchError: a column too many or too few, a key that the shard already has, or a member for which the schema
                has no cell.
        """
        check_key(key)
        plain = self._plain({**row, "key": key})
        if key in self._keys:
            raise SchemaMismatchError(f"shard {shard_name(self._shard)} has two clips with the key '{key}': keys are unique")
        self._store.add(plain, members)
        self._keys.add(key)

    def fail(self, failure: Failure) -> None:
        """Records a clip or a video that could not be built; the shard's name is filled in here."""
        self._failures.append(failure)

    def commit(
        self, counts: Mapping[str, object] | None = None, guard: AbstractContextManager[None] | None = None
    ) -> ShardCounts:
        """Puts the shard into place, in the stead of an earlier one of its number, and returns what it holds.

        `counts` are the builder's own sums for the shard. They travel in the row file's metadata (see rows.read_counts),
        so that they are committed by the same rename. `guard` is entered around the renames: a lock that keeps two commits of
        one shard apart.

        The row file of a shard without a clip has 0 rows: it says that the work is done.
        """
        *stored, _ = self._store.finish(counts)
        size = self._made((*stored, ROWS)[0]).stat().st_size if self._keys else 0
        write_rows(self._made(ERRORS), _failure_table(self._failures, shard_name(self._shard)))
        files = [self._made(suffix) for suffix in (*stored, ERRORS, ROWS)]
        write_sums(self._made(SUMS), {path.name: path for path in files})
        for path in (*files, self._made(SUMS)):
            sync_file(path)
        with guard or nullcontext():
            discard(self._folder, self._shard)
            for suffix in (*stored, ERRORS, SUMS):
                self._publish(suffix)
            # The names above must be on the disk before the one that promises them.
            sync_folder(self._folder)
            self._publish(ROWS)
            sync_folder(self._folder)
        shutil.rmtree(self._work)
        return ShardCounts(len(self._keys), len(self._failures), size)

    def abort(self) -> None:
        """Throws the unfinished shard away. After `commit`, or twice, it does nothing."""
        self._store.abandon()
        shutil.rmtree(self._work, ignore_errors=True)

    def _plain(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row as plain values in the schema's types and order, so that row file and json member agree."""
        known = self._own_schema.names
        unknown = [name for name in row if name not in known]
        required = [column.name for column in COLUMNS if column.name != "members"]
        missing = [name for name in required if row.get(name) is None]
        if unknown or missing:
            what = f"no column is named '{unknown[0]}'" if unknown else f"column '{missing[0]}' has no value"
            raise SchemaMismatchError(f"row of clip '{row['key']}': {what}. Columns: {', '.join(known)}")
        plain: dict[str, Any] = pa.RecordBatch.from_pylist([dict(row)], schema=self._own_schema).to_pylist()[0]
        return plain

    def _made(self, suffix: str) -> Path:
        """A file of the shard while it is made."""
        return shard_path(self._work, self._shard, suffix)

    def _publish(self, suffix: str) -> None:
        self._made(suffix).rename(shard_path(self._folder, self._shard, suffix))


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
