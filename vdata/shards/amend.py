"""A field for a shard that stands already: a tar beside the clips' own, and the row file written anew.

The clips' tar is not touched, nor read more than the caller asks. In a Parquet shard the members are cells of the row file, so
that one is written whole. Either way the new files wait complete in `.ready` before the first of them takes its place (see
vdata.shards.replace): a crash at any moment leaves the shard with the field or without it.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from vdata.errors import CorruptShardError, SchemaMismatchError
from vdata.records import Column, Failure
from vdata.shards.layout import ERRORS, ROWS, TAR, TEMPORARY, shard_name, shard_path, sync_file
from vdata.shards.read import Sample
from vdata.shards.replace import replace_shard
from vdata.shards.rows import added_metadata, read_added, read_counts, read_rows, read_schema, write_rows
from vdata.shards.schema import cell_names, error_schema, member_entry, with_cells, without_cells
from vdata.shards.sums import SUMS, read_sums, write_sums
from vdata.shards.tar import TarWriter
from vdata.shards.write import ShardWriter

__all__ = ["FieldWriter", "add_stage", "sound_member"]


def sound_member(sample: Sample, ext: str) -> bytes:
    """A member's bytes, which are those that were stored.

    Raises:
        CorruptShardError: they are not. What is copied unchecked would be written anew with the hash of its damage.
    """
    content = sample[ext]
    (digest,) = (member["sha256"] for member in sample.row["members"] if member["name"] == ext)
    if hashlib.sha256(content).hexdigest() != digest:
        raise CorruptShardError(f"'{sample.key}.{ext}' is damaged: mend it with `vdata verify --repair` before a field is added")
    return content


def add_stage(name: str) -> str:
    """The stage of errors.parquet under which failures of an added field stand."""
    return f"add {name}"


class FieldWriter:
    """Collects one field of the clips of one shard; nothing of it is seen before `commit`.

    A field of that name that was added before is replaced. Its columns and members keep their places among the others.
    """

    def __init__(
        self, folder: Path, shard: int, name: str, exts: Sequence[str], columns: Sequence[Column], note: Mapping[str, Any]
    ) -> None:
        """Opens a committed shard.

        Args:
            folder: of the shard.
            shard: its number.
            name: of the field, as after `vdata add`; the tar is clips-N.NAME.tar.
            exts: of the members that the clips may get.
            columns: that the rows get.
            note: what the members depend on beside the clips: it is kept with the rows, see read_added.

        Raises:
            CorruptShardError: the row file or the checksum file is damaged, or not there.
            SchemaMismatchError: the shard has a member of one of those extensions that was not added under `name`.
        """
        self._folder, self._shard, self._name = folder, shard, name
        self._rows = read_rows(folder, shard)
        before = read_added(folder, shard)
        self._before: dict[str, Any] = before.get(name, {"exts": [], "columns": []})
        # A column that was built with the shard may be declared again, with the same values: keyframes, of which JPEGs are added.
        built = [*set(self._rows.schema.names) - set(self._before["columns"])]
        self._shared = {column.name for column in columns if column.name in built}
        self._exts, self._columns = list(exts), [column for column in columns if column.name not in self._shared]
        self._note = {**note, "exts": self._exts, "columns": [column.name for column in self._columns]}
        self._was_added = name in before
        self._added = {**before, name: self._note}
        self._check_free()
        (folder / TEMPORARY).mkdir(exist_ok=True)
        self._work = Path(tempfile.mkdtemp(prefix=f"{shard_name(shard)}.{name}.", dir=folder / TEMPORARY))
        self._tar: TarWriter | None = None
        self._members: dict[str, dict[str, bytes]] = {}
        self._entries: dict[str, list[dict[str, Any]]] = {}
        self._values: dict[str, Mapping[str, Any]] = {}
        self._failures: list[Failure] = []
        self._schema = read_schema(folder, shard)
        # Now, not after hours of work.
        self._sums = _sums_of(folder, shard)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The shard's rows in order, as plain values."""
        rows: list[dict[str, Any]] = self._rows.to_pylist()
        return rows

    @property
    def in_cells(self) -> bool:
        """Whether the members are cells of the row file."""
        return bool(cell_names(self._schema))

    def add(self, key: str, members: Mapping[str, bytes], columns: Mapping[str, Any]) -> None:
        """The field of one clip; clips that are not named get no member, and nulls.

        Raises:
            SchemaMismatchError: a member or a column that was not declared.
        """
        own = {name: value for name, value in columns.items() if name not in self._shared}
        for kind, names, known in (("member", members, self._exts), ("column", own, self._note["columns"])):
            for name in names:
                if name not in known:
                    raise SchemaMismatchError(f"clip '{key}': {self._name} declares no {kind} '{name}', only {', '.join(known)}")
        self._check_shared(key, columns)
        self._values[key] = own
        if self.in_cells:
            self._members[key] = dict(members)
        else:
            self._entries[key] = [self._place(key, ext, content) for ext, content in members.items()]

    def keep(self, source: Path, row: Mapping[str, Any]) -> None:
        """The field of one clip as a row in `source` has it, whose settings are those of this writer.

        Raises:
            CorruptShardError: a member is damaged.
        """
        sample = Sample(source, row)
        members = {ext: sound_member(sample, ext) for ext in self._exts if ext in sample}
        self.add(row["key"], members, {column: row[column] for column in self._note["columns"]})

    def fail(self, failure: Failure) -> None:
        """Records a clip whose field could not be made; the shard's name is filled in here."""
        self._failures.append(failure)

    def commit(self, guard: AbstractContextManager[None] | None = None) -> None:
        """Puts the field into place; `guard` is entered around the renames, as in ShardWriter.commit."""
        made = self._rewritten() if self.in_cells else self._beside()
        with guard or nullcontext():
            replace_shard(self._folder, self._shard, made)
        shutil.rmtree(self._work, ignore_errors=True)

    def abort(self) -> None:
        """Throws the unfinished field away. After `commit`, or twice, it does nothing."""
        if self._tar:
            self._tar.abandon()
        shutil.rmtree(self._work, ignore_errors=True)

    @classmethod
    def copying(cls, source: Path, folder: Path, shard: int, name: str) -> Self:
        """A writer that holds a field of the shard of that number in another folder, with its failures, for the same clips.

        Raises:
            CorruptShardError: the other shard's rows or members cannot be read.
        """
        rows, note = read_rows(source, shard), read_added(source, shard)[name]
        columns = [Column(column, rows.schema.field(column).type, "") for column in note["columns"]]
        writer = cls(folder, shard, name, note["exts"], columns, note)
        # A clip may have been taken out for good since.
        keys = {row["key"] for row in writer.rows}
        for row in rows.to_pylist():
            if name in row["fields"] and row["key"] in keys:
                writer.keep(source, row)
        for failure in read_rows(source, shard, suffix=ERRORS).to_pylist():
            if failure["stage"] == add_stage(name):
                writer.fail(Failure(**failure))
        return writer

    def _check_free(self) -> None:
        stored = {member["name"] for members in self._rows["members"].to_pylist() for member in members}
        for ext in self._exts:
            if ext in stored and ext not in self._before["exts"]:
                raise SchemaMismatchError(
                    f"{shard_name(self._shard)} in '{self._folder}' has '{ext}' already, not from `vdata add {self._name}`: "
                    "what was built with the shards stays as it is; build anew for other settings"
                )

    def _check_shared(self, key: str, columns: Mapping[str, Any]) -> None:
        for name in self._shared:
            if self._old[key][name] != columns.get(name):
                raise SchemaMismatchError(
                    f"clip '{key}' was built with another value of '{name}' than {self._name} gives now: build anew"
                )

    @cached_property
    def _old(self) -> dict[str, dict[str, Any]]:
        """The rows as they were, by key."""
        return {row["key"]: row for row in self.rows}

    def _place(self, key: str, ext: str, content: bytes) -> dict[str, Any]:
        suffix = f".{self._name}{TAR}"
        if self._tar is None:
            self._tar = TarWriter(shard_path(self._work, self._shard, suffix))
        member = self._tar.add(f"{key}.{ext}", content)
        return member_entry(ext, shard_name(self._shard) + suffix, member.offset, content)

    def _beside(self) -> Path:
        """The tar of the field, rows, errors and sums; the shard's other files stay."""
        if self._tar:
            self._tar.close()
        write_rows(self._made(ROWS), self._table(), self._counts())
        write_rows(self._made(ERRORS), self._errors())
        # The tar of a field that is replaced goes, even where no clip has the new one.
        kept = {name: digest for name, digest in self._sums.items() if name != f"{shard_name(self._shard)}.{self._name}{TAR}"}
        made = {path.name: path for path in self._work.iterdir()}
        write_sums(self._made(SUMS), made, {name: digest for name, digest in kept.items() if name not in made})
        for path in self._work.iterdir():
            sync_file(path)
        return self._work

    def _rewritten(self) -> Path:
        """The whole shard, every cell copied."""
        place = self._work / "whole"
        exts = [*dict.fromkeys([*self._kept_cells(), *self._exts])]
        writer = ShardWriter(place, self._shard, with_cells(self._new_schema(), exts))
        try:
            for row, old in zip(self._table().to_pylist(), self.rows, strict=True):
                sample = Sample(self._folder, old)
                new = self._members.get(row["key"], {})
                kept = [ext for ext in exts if ext in new or (ext in sample and ext not in self._before["exts"])]
                own = {name: value for name, value in row.items() if name not in ("key", "members")}
                writer.add(row["key"], own, {ext: new[ext] if ext in new else sound_member(sample, ext) for ext in kept})
            for failure in self._errors().to_pylist():
                writer.fail(Failure(**failure))
            writer.commit(self._counts())
        finally:
            writer.abort()
        shutil.rmtree(place / TEMPORARY, ignore_errors=True)
        return place

    def _kept_cells(self) -> list[str]:
        return [ext for ext in cell_names(self._schema) if ext not in self._before["exts"] or ext in self._exts]

    def _new_schema(self) -> pa.Schema:
        """The schema of the rows without cells: a column of the field in its old place, or at the end."""
        schema = without_cells(self._schema)
        for name in self._before["columns"]:
            if name not in self._note["columns"]:
                schema = schema.remove(schema.get_field_index(name))
        for column in self._columns:
            field, place = pa.field(column.name, column.type), schema.get_field_index(column.name)
            schema = schema.append(field) if place < 0 else schema.set(place, field)
        return schema.with_metadata({**(schema.metadata or {}), **added_metadata(self._added)})

    def _table(self) -> pa.Table:
        """The rows with the field's columns, `members` and `fields`."""
        rows = self.rows
        own = self._note["columns"]
        for row in rows:
            found = self._values.get(row["key"])
            row.update({name: found.get(name) if found else None for name in own})
            row["members"] = self._joined(row["members"], self._entries.get(row["key"], []))
            row["fields"] = self._fields(row["fields"], present=found is not None)
        return pa.Table.from_pylist(rows, schema=self._new_schema())

    def _joined(self, members: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The entries of a row's members: a new one in the place of the old one of its name."""
        left = {entry["name"]: entry for entry in new}
        joined = [left.pop(member["name"], member) for member in members if self._stays(member["name"], left)]
        return [*joined, *left.values()]

    def _stays(self, ext: str, new: Mapping[str, Any]) -> bool:
        return ext not in self._before["exts"] or ext in new

    def _fields(self, fields: Sequence[str], *, present: bool) -> list[str]:
        if present:
            return [*dict.fromkeys([*fields, self._name])]
        # One that was built under the same name, in another form, stays.
        return [field for field in fields if field != self._name or not self._was_added]

    def _errors(self) -> pa.Table:
        old = read_rows(self._folder, self._shard, suffix=ERRORS).to_pylist()
        kept = [row for row in old if row["stage"] != add_stage(self._name)]
        new = [{**asdict(failure), "shard": shard_name(self._shard)} for failure in self._failures]
        return pa.Table.from_pylist([*kept, *new], schema=error_schema())

    def _counts(self) -> dict[str, Any]:
        """The builder's sums, with the members' bytes as they are now."""
        counts = read_counts(self._folder, self._shard)
        before = [member["size"] for row in self.rows for member in row["members"] if member["name"] in self._before["exts"]]
        sizes = [entry["size"] for entries in self._entries.values() for entry in entries]
        sizes += [len(content) for members in self._members.values() for content in members.values()]
        return {**counts, "bytes": counts.get("bytes", 0) + sum(sizes) - sum(before)} if counts else {}

    def _made(self, suffix: str) -> Path:
        return shard_path(self._work, self._shard, suffix)


def _sums_of(folder: Path, shard: int) -> dict[str, str]:
    try:
        return read_sums(shard_path(folder, shard, SUMS))
    except FileNotFoundError as error:
        raise CorruptShardError(f"{shard_name(shard)}{SUMS} is not in '{folder}': run `vdata verify --repair` first") from error
