"""Row files: one row a clip, read whole or by column."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vdata.errors import CorruptShardError, SchemaMismatchError
from vdata.shards.layout import ROWS, shard_path
from vdata.shards.schema import check_version, schema_version, without_cells

__all__ = ["added_metadata", "counts_metadata", "opened", "read_added", "read_counts", "read_rows", "read_schema", "write_rows"]

_COUNTS_KEY = b"vdata_counts"
_ADDED_KEY = b"vdata_added"


def read_rows(folder: Path, shard: int, columns: Sequence[str] | None = None, *, suffix: str = ROWS) -> pa.Table:
    """The rows of one shard, all columns or the named ones; `suffix` may name its part of errors.parquet instead.

    Columns of members are left out, and their bytes not read.

    Raises:
        SchemaMismatchError: another format version, or a column that the file does not have.
        CorruptShardError: the file is no Parquet, or what was read differs from its checksum.
    """
    path = shard_path(folder, shard, suffix)
    with opened(path) as file:
        check_version(schema_version(file.schema_arrow), path)
        known = without_cells(file.schema_arrow).names
        missing = [name for name in columns or () if name not in known]
        if missing:
            raise SchemaMismatchError(f"the rows of '{path}' have no column '{missing[0]}'. They have: {', '.join(known)}")
        return file.read(columns=known if columns is None else list(columns))


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """A row file to read from, whose pages are held against their checksums.

    Raises:
        CorruptShardError: it is no Parquet, or damaged; also when that shows only within the block.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (ValueError, pa.ArrowNotImplementedError, OSError) as error:
        # What 12,000 damaged row files gave. ArrowInvalid is a ValueError, as are names in no UTF-8 and counts in no JSON; a
        # footer may also name types that do not exist.
        raise CorruptShardError(f"'{path}' cannot be read: {error}") from error


def read_counts(folder: Path, shard: int) -> dict[str, Any]:
    """The builder's own sums for a committed shard; empty where none were given.

    Raises:
        CorruptShardError: the file is no Parquet.
    """
    with opened(shard_path(folder, shard, ROWS)) as file:
        metadata = file.metadata.metadata or {}
        counts: dict[str, Any] = json.loads(metadata.get(_COUNTS_KEY, b"{}"))
    return counts


def read_added(folder: Path, shard: int) -> dict[str, dict[str, Any]]:
    """The fields that were added to a shard after it was built, in that order: with what settings and tools, as which members.

    Raises:
        CorruptShardError: the file is no Parquet.
    """
    with opened(shard_path(folder, shard, ROWS)) as file:
        added: dict[str, dict[str, Any]] = json.loads((file.metadata.metadata or {}).get(_ADDED_KEY, b"{}"))
    return added


def read_schema(folder: Path, shard: int) -> pa.Schema:
    """The schema that a shard was written with, cells too, so that a ShardWriter writes its samples to the same bytes.

    Raises:
        CorruptShardError: the file is no Parquet.
    """
    with opened(shard_path(folder, shard, ROWS)) as file:
        schema = file.schema_arrow
    metadata = {key: value for key, value in (schema.metadata or {}).items() if key != _COUNTS_KEY}
    return pa.schema([pa.field(field.name, _as_declared(field.type)) for field in schema], metadata=metadata)


def added_metadata(added: Mapping[str, Mapping[str, Any]]) -> dict[bytes, bytes]:
    """What read_added finds in a file's metadata."""
    return {_ADDED_KEY: json.dumps(added).encode()}


def counts_metadata(counts: Mapping[str, object]) -> dict[bytes, bytes]:
    """What read_counts finds in a file's metadata."""
    return {_COUNTS_KEY: json.dumps(dict(counts), sort_keys=True).encode()}


def write_rows(path: Path, table: pa.Table, counts: Mapping[str, object] | None = None) -> None:
    """Writes a Parquet file of rows, compressed, in one row group; `counts` go into its metadata."""
    if counts:
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), **counts_metadata(counts)})
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)


def _as_declared(kind: pa.DataType) -> pa.DataType:
    """The type as schema.py spells it: Parquet calls a list's items `element`, Arrow `item`."""
    if pa.types.is_list(kind):
        return pa.list_(_as_declared(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _as_declared(field.type)) for field in kind])
    return kind
