"""Row files: one row a clip, read whole or by column."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from vdata.errors import CorruptShardError, SchemaMismatchError
from vdata.shards.layout import ROWS, shard_name, shard_path
from vdata.shards.schema import check_version, schema_version

__all__ = ["read_counts", "read_rows", "write_rows"]

_COUNTS_KEY = b"vdata_counts"


def read_rows(folder: Path, shard: int, columns: Sequence[str] | None = None, *, suffix: str = ROWS) -> pa.Table:
    """The rows of one shard, all columns or the named ones; `suffix` may name its part of errors.parquet instead.

    Raises:
        SchemaMismatchError: another format version, or a column that the file does not have.
        CorruptShardError: the file is no Parquet.
    """
    path = shard_path(folder, shard, suffix)
    try:
        with pq.ParquetFile(path) as file:
            check_version(schema_version(file.schema_arrow), path)
            missing = [name for name in columns or () if name not in file.schema_arrow.names]
            if missing:
                known = ", ".join(file.schema_arrow.names)
                raise SchemaMismatchError(f"the rows of '{path}' have no column '{missing[0]}'. They have: {known}")
            return file.read(columns=None if columns is None else list(columns))
    except (pa.ArrowInvalid, OSError) as error:
        raise CorruptShardError(f"'{path}' of shard {shard_name(shard)} cannot be read: {error}") from error


def read_counts(folder: Path, shard: int) -> dict[str, int]:
    """The builder's own sums for a committed shard; empty where none were given."""
    metadata = pq.read_metadata(shard_path(folder, shard, ROWS)).metadata or {}
    counts: dict[str, int] = json.loads(metadata.get(_COUNTS_KEY, b"{}"))
    return counts


def write_rows(path: Path, table: pa.Table, counts: Mapping[str, int] | None = None) -> None:
    """Writes a Parquet file of rows, compressed, in one row group; `counts` go into its metadata."""
    if counts:
        metadata = {**(table.schema.metadata or {}), _COUNTS_KEY: json.dumps(dict(counts), sort_keys=True).encode()}
        table = table.replace_schema_metadata(metadata)
    pq.write_table(table, path, compression="zstd")
