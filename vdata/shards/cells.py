"""Members as cells of the row file, written so that the bytes of each stand whole at a place that the row names.

A reader of Parquet gives back whole columns of whole row groups. The loader wants some fragments of one clip, and finds them
here as it does in a tar: one positioned read, no Parquet decoding. That works because a cell is neither compressed (H.264 and
npz are already) nor in a dictionary, and because the cells of a column and row group are one page: in it they follow one
another, each behind the 4 bytes of its length, up to the end of the column's chunk, which the footer names. So places are
counted back from that end. What is promised is held against the file's own bytes before the shard is committed.

Source: Apache Parquet, "Plain: (PLAIN = 0)" for BYTE_ARRAY, in Encodings.md.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vdata.config import check
from vdata.errors import CorruptShardError, SchemaMismatchError
from vdata.shards.rows import counts_metadata, opened
from vdata.shards.schema import cell_names, member_entry

__all__ = ["CellWriter", "RowGroups", "read_cells"]

_MAGIC_BYTES = 4
_LENGTH_BYTES = 4
_ONE_PAGE = 2**31 - 1
"""Parquet's largest page: pages end with their row group, never within it."""
_CELL_LIMIT = 2**30
"""Bytes; a page must hold the cell and the smaller ones before it."""


@dataclass(frozen=True, slots=True)
class RowGroups:
    """When a row group is full. Our own readers do not care; other people's read whole row groups.

    Measured on 256 clips of 200 kB and their motion (pyarrow 26, a file kept open), for groups of 1, 4, 16, 64 clips: bytes
    beyond the cells 9.4, 2.6, 0.8, 0.4 kB a clip (a tar and its row file: 4.9); one clip through pyarrow 1.5, 0.4, 0.9, 4.0 ms
    and 0.24, 1.0, 3.9, 15 MB; all rows without cells 292, 83, 20, 6 ms.
    """

    clips: int = 16
    bytes: int = 8 * 2**20
    """Of cells. It bounds the writer's memory, which holds a group about four times: 16 Kinetics clips are 7 MB."""

    def __post_init__(self) -> None:
        """Checks both."""
        check(self.clips >= 1, "row groups' clips", self.clips, "must be at least 1")
        check(self.bytes >= 1, "row groups' bytes", self.bytes, "must be at least 1")


class CellWriter:
    """A row file with cells that grows by row groups; equal rows and cells give equal bytes."""

    def __init__(self, path: Path, schema: pa.Schema, groups: RowGroups | None = None) -> None:
        """Starts a file of row_schema(..., cells=...) at `path`."""
        self._path, self._schema, self._groups = path, schema, groups or RowGroups()
        self._cells = cell_names(schema)
        self._rows: list[dict[str, Any]] = []
        self._num_bytes = 0
        self._promised: list[tuple[str, Mapping[str, Any]]] = []
        # A file of Python's, whose errors keep their errno: a full disk must be told from damage.
        self._file = path.open("wb")
        self._writer = pq.ParquetWriter(self._file, schema, **_encoding(schema))

    def add(self, row: Mapping[str, Any], cells: Mapping[str, bytes]) -> None:
        """Appends a row, all columns but `members` given, with its members by extension.

        Raises:
            SchemaMismatchError: no column for a member, or a member of 1 GiB or more.
        """
        for ext, content in cells.items():
            if ext not in self._cells:
                known = ", ".join(self._cells)
                raise SchemaMismatchError(f"clip '{row['key']}' has a member '{ext}', its row file has columns for {known}")
            if len(content) >= _CELL_LIMIT:
                raise SchemaMismatchError(
                    f"clip '{row['key']}': its member '{ext}' has {len(content)} bytes, a cell must have less than "
                    f"{_CELL_LIMIT}: build with --format tar"
                )
        members = [member_entry(ext, self._path.name, 0, content) for ext, content in cells.items()]
        self._rows.append({**row, **cells, "members": members})
        self._num_bytes += sum(len(content) for content in cells.values())
        if len(self._rows) >= self._groups.clips or self._num_bytes >= self._groups.bytes:
            self._flush()

    def close(self, counts: Mapping[str, object] | None = None) -> None:
        """Ends the file, with the builder's sums in its metadata.

        Raises:
            CorruptShardError: a member's bytes are not where its row says.
        """
        self._flush()
        if counts:
            self._writer.add_key_value_metadata(counts_metadata(counts))
        self._writer.close()
        self._file.close()
        self._check()

    def abandon(self) -> None:
        """Lets go of the file, whatever state it is in. After `close`, or twice, it does nothing."""
        # Closing writes a footer, for which a full disk has no room.
        with contextlib.suppress(OSError, pa.ArrowException):
            self._writer.close()
        self._writer.is_open = False
        with contextlib.suppress(OSError):
            self._file.close()

    def _flush(self) -> None:
        if not self._rows:
            return
        table = pa.Table.from_pylist(self._rows, schema=self._schema)
        for ext, offsets in _places(table, self._file.tell()).items():
            for row, offset in zip(self._rows, offsets.tolist(), strict=True):
                for member in row["members"]:
                    if member["name"] == ext:
                        member["offset"] = offset
        members = [row["members"] for row in self._rows]
        column = self._schema.get_field_index("members")
        field = self._schema.field(column)
        self._writer.write_table(table.set_column(column, field, pa.array(members, field.type)))
        self._promised += [(row["key"], member) for row in self._rows for member in row["members"]]
        self._rows, self._num_bytes = [], 0

    def _check(self) -> None:
        with self._path.open("rb") as file:
            for key, member in self._promised:
                file.seek(member["offset"])
                if hashlib.sha256(file.read(member["size"])).hexdigest() != member["sha256"]:
                    raise CorruptShardError(
                        f"'{key}.{member['name']}' is not at byte {member['offset']} of the '{self._path.name}' just written: "
                        f"the disk changes what it is given, or pyarrow {pa.__version__} places cells in a new way; "
                        "build with --format tar"
                    )


def read_cells(path: Path) -> Iterator[dict[str, bytes]]:
    """The members of each row by extension, read as any reader of Parquet would, a row group at a time.

    Raises:
        CorruptShardError: the file is no Parquet, or a page differs from its checksum.
    """
    with opened(path) as file:
        names = cell_names(file.schema_arrow)
        for group in range(file.num_row_groups):
            for row in file.read_row_group(group, columns=names).to_pylist():
                yield {ext: content for ext, content in row.items() if content is not None}


def _encoding(schema: pa.Schema) -> dict[str, Any]:
    """The settings of pyarrow's writer: cells as they are, without statistics, in one page; the other columns compressed."""
    cells = set(cell_names(schema))
    # Nested columns go by their leaves' paths, which pyarrow tells of a file only.
    empty = pa.BufferOutputStream()
    pq.write_table(schema.empty_table(), empty)
    leaves = pq.ParquetFile(empty.getvalue()).schema
    paths = [leaves.column(i).path for i in range(len(leaves))]
    others = [path for path in paths if path not in cells]
    return {
        "compression": {path: "NONE" if path in cells else "ZSTD" for path in paths},
        "use_dictionary": others,
        "write_statistics": others,
        "write_page_checksum": True,
        "data_page_size": _ONE_PAGE,
    }


def _places(table: pa.Table, start: int) -> dict[str, npt.NDArray[np.int64]]:
    """The first byte of every cell by extension, one a row, when `table` is written as the row group at byte `start`.

    Found by a trial in memory. It ends before `members`: how well those compress depends on what is found here.
    """
    names = table.schema.names[: table.schema.get_field_index("members")]
    head, trial = table.select(names), pa.BufferOutputStream()
    pq.write_table(head, trial, **_encoding(head.schema))
    group = pq.read_metadata(pa.BufferReader(trial.getvalue())).row_group(0)
    places = {}
    for chunk in (group.column(i) for i in range(group.num_columns)):
        ext = chunk.path_in_schema
        if ext in cell_names(table.schema):
            sizes = pc.fill_null(pc.add(pc.binary_length(table[ext]), _LENGTH_BYTES), 0).to_numpy().astype(np.int64)
            end = start - _MAGIC_BYTES + chunk.data_page_offset + chunk.total_compressed_size
            places[ext] = end - np.cumsum(sizes[::-1])[::-1] + _LENGTH_BYTES
    return places
