"""The two places for a shard's members: a tar with its index beside the row file, or cells of the row file itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from vdata.shards.cells import CellWriter
from vdata.shards.idx import write_idx
from vdata.shards.layout import IDX, ROWS, TAR, shard_name, shard_path
from vdata.shards.rows import write_rows
from vdata.shards.schema import cell_names, member_entry
from vdata.shards.tar import TarMember, TarWriter

__all__ = ["CellStore", "Store", "TarStore", "open_store"]

Counts = Mapping[str, object] | None


class Store(Protocol):
    """The files of a shard that hold its samples, under their final names in a folder of work."""

    def add(self, row: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
        """Appends a sample: every column but `members`, which is filled in here, and its members by extension.

        Raises:
            SchemaMismatchError: a member that the store has no place for.
        """

    def finish(self, counts: Counts) -> tuple[str, ...]:
        """Ends the files, and returns their suffixes; the row file, which holds `counts`, is the last."""

    def abandon(self) -> None:
        """Lets go of the files as they are."""


def open_store(work: Path, shard: int, schema: pa.Schema, sidecars: Mapping[str, str] | None = None) -> Store:
    """An empty store: cells for a schema that has them, else a tar; `sidecars` as ShardWriter takes them."""
    return CellStore(work, shard, schema) if cell_names(schema) else TarStore(work, shard, schema, sidecars or {})


class TarStore:
    """A WebDataset tar, DALI's index of it, and the rows, which are written at the end.

    Without a sample there is no tar and no idx: neither DALI nor its index tool accepts an empty archive.
    """

    def __init__(self, work: Path, shard: int, schema: pa.Schema, sidecars: Mapping[str, str]) -> None:
        """Starts the tar."""
        self._work, self._shard, self._schema, self._sidecars = work, shard, schema, sidecars
        self._tars = {TAR: TarWriter(shard_path(work, shard, TAR))}
        self._members: list[TarMember] = []
        self._rows: list[dict[str, Any]] = []

    def add(self, row: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
        """Appends a sample, with a member `json` behind its own: the row without `members`, so that a tar alone is enough.

        One that is given stays as it is: a sample that moves to another tar keeps its bytes.
        """
        text = json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        contents = {**members, "json": members.get("json", text.encode())}
        placed = [self._place(row["key"], ext, content) for ext, content in contents.items()]
        self._rows.append({**row, "members": placed})

    def finish(self, counts: Counts) -> tuple[str, ...]:
        """Ends the tars, and writes idx and rows."""
        for tar in self._tars.values():
            tar.close()
        write_rows(self._path(ROWS), pa.Table.from_pylist(self._rows, schema=self._schema), counts)
        if not self._rows:
            return (ROWS,)
        write_idx(self._path(IDX), self._members)
        return (*self._tars, IDX, ROWS)

    def abandon(self) -> None:
        """Lets go of the tars."""
        for tar in self._tars.values():
            tar.abandon()

    def _place(self, key: str, ext: str, content: bytes) -> dict[str, Any]:
        suffix = self._sidecars.get(ext, TAR)
        if suffix not in self._tars:
            self._tars[suffix] = TarWriter(self._path(suffix))
        member = self._tars[suffix].add(f"{key}.{ext}", content)
        if suffix == TAR:
            self._members.append(member)
        return member_entry(ext, shard_name(self._shard) + suffix, member.offset, content)

    def _path(self, suffix: str) -> Path:
        return shard_path(self._work, self._shard, suffix)


class CellStore:
    """A row file that holds the members too. There is no `json` member: the row is there."""

    def __init__(self, work: Path, shard: int, schema: pa.Schema) -> None:
        """Starts the row file."""
        self._file = CellWriter(shard_path(work, shard, ROWS), schema)

    def add(self, row: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
        """Appends a sample."""
        self._file.add(row, members)

    def finish(self, counts: Counts) -> tuple[str, ...]:
        """Ends the row file."""
        self._file.close(counts)
        return (ROWS,)

    def abandon(self) -> None:
        """Lets go of the row file."""
        self._file.abandon()
