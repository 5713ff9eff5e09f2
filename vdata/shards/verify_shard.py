"""One shard against its own promises: files against their hashes, the tar byte for byte, samples, pictures.

Apart from the folder's checks because this is what runs in parallel, a shard in a process, one sample in memory at a time.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from vdata.errors import CorruptShardError, MediaError, SchemaMismatchError
from vdata.media.structure import structure_named
from vdata.media.vectors import read_motion
from vdata.shards.idx import idx_text
from vdata.shards.layout import ERRORS, IDX, ROWS, TAR, shard_name
from vdata.shards.read import Sample
from vdata.shards.rows import read_rows
from vdata.shards.schema import COLUMNS
from vdata.shards.sums import SUMS, file_sha256, read_sums
from vdata.shards.tar import TarMember, header_of

__all__ = ["Damage", "ShardCheck", "check_shard"]

Row = Mapping[str, Any]


class Damage(NamedTuple):
    """One thing that is not as promised."""

    shard: str
    """As `clips-000000`; empty where it concerns the folder."""
    key: str
    """The sample; empty where it concerns the whole shard."""
    file: str
    """The damaged file, by its name in the folder."""
    what: str

    def __str__(self) -> str:
        """One line."""
        return " ".join(part for part in (self.shard, self.key) if part) + f": {self.what}" if self.shard else self.what


@dataclass(frozen=True, slots=True)
class ShardCheck:
    """What was found in one shard, and what the folder's own checks need of it."""

    shard: int
    damaged: tuple[Damage, ...]
    keys: pa.Array
    """Of its rows, text; in Arrow, for a folder may have ten million."""
    indices: pa.Array
    """Of its rows, int64."""
    readable: bool
    """Whether the row file is as it was written, so that an index can be made of it."""


def check_shard(folder: Path, shard: int, *, decode: bool = False) -> ShardCheck:
    """What is damaged in one shard, after every byte of its files was read.

    Raises:
        SchemaMismatchError: the shard is of another format version, or its rows of another structure.
    """
    return _Check(folder, shard, decode=decode).run()


class _Check:
    """The checks of one shard, in order; what they find is collected in `damaged`."""

    def __init__(self, folder: Path, shard: int, *, decode: bool) -> None:
        self._folder, self._shard, self._name, self._decode = folder, shard, shard_name(shard), decode
        self._damaged: list[Damage] = []
        self._sums = self._read_sums()

    def run(self) -> ShardCheck:
        readable = self._as_written(self._name + ROWS)
        self._as_written(self._name + ERRORS)
        self._strangers()
        rows = self._rows(trusted=readable)
        if rows is None:
            # The row file cannot say where samples lie; whether the other files are whole can still be told.
            for file in sorted(self._sums.keys() - {self._name + ROWS, self._name + ERRORS}):
                self._as_written(file)
            return self._result([], readable=False)
        self._tars(rows)
        for row in rows:
            for file, what in _sample_damage(self._folder, row, decode=self._decode):
                self._add(file, what, row["key"])
        return self._result(rows, readable=readable)

    def _result(self, rows: Sequence[Row], *, readable: bool) -> ShardCheck:
        keys = pa.array([row["key"] for row in rows], pa.string())
        indices = pa.array([row["index"] for row in rows], pa.int64())
        return ShardCheck(self._shard, tuple(self._damaged), keys, indices, readable)

    def _add(self, file: str, what: str, key: str = "") -> None:
        self._damaged.append(Damage(self._name, key, file, what))

    def _read_sums(self) -> dict[str, str]:
        name = self._name + SUMS
        try:
            return read_sums(self._folder / name)
        except FileNotFoundError:
            self._add(name, f"{name} is absent: `--repair` makes it from files that are whole by the rows")
        except CorruptShardError as error:
            self._add(name, f"{error}: `--repair` makes it from files that are whole by the rows")
        return {}

    def _as_written(self, file: str) -> bool:
        """Whether a whole file has its hash; without a checksum file, whether it is there."""
        path = self._folder / file
        if not path.exists():
            self._add(file, f"{file} is absent")
            return False
        if file not in self._sums or file_sha256(path) == self._sums[file]:
            return True
        self._add(file, f"{file} differs from its hash in {self._name}{SUMS}")
        return False

    def _strangers(self) -> None:
        """Files under the shard's name that its checksum file does not have."""
        known = {*self._sums, self._name + SUMS, self._name + ROWS, self._name + ERRORS}
        if self._sums:
            for path in sorted(self._folder.glob(f"{self._name}.*")):
                if path.name not in known:
                    self._add(path.name, f"{path.name} is not of this shard: {self._name}{SUMS} does not have it")

    def _rows(self, *, trusted: bool) -> list[dict[str, Any]] | None:
        """The rows; None where they cannot be read, or not be relied on to say where samples lie in a tar."""
        if not trusted and self._name + TAR in self._sums:
            return None
        rows: list[dict[str, Any]] = []
        problem = ""
        try:
            table = read_rows(self._folder, self._shard)
            kinds = dict(zip(table.schema.names, table.schema.types, strict=True))
            other = [column.name for column in COLUMNS if kinds.get(column.name) != column.type]
            problem = f"{self._name}{ROWS} has no column '{other[0]}' of the format's type" if other else ""
            rows = table.to_pylist()
        except (CorruptShardError, UnicodeDecodeError, OverflowError) as error:
            problem = str(error)
        except SchemaMismatchError as error:
            if trusted:
                raise
            problem = str(error)
        if problem:
            self._add(self._name + ROWS, problem)
        return None if problem else rows

    def _tars(self, rows: Sequence[Row]) -> None:
        """The tars byte by byte but for the members' contents, and the idx, against the rows."""
        for file, promised in _promised(self._name, rows).items():
            try:
                for key, what in _tar_damage(self._folder / file, promised):
                    self._add(file, f"{file}: {what}", key)
            except FileNotFoundError:
                self._add(file, f"{file} is absent")
            if file == self._name + TAR:
                self._idx(promised)

    def _idx(self, promised: Sequence[TarMember]) -> None:
        name = self._name + IDX
        path = self._folder / name
        if not path.exists() or path.read_bytes() != idx_text(promised).encode():
            self._add(name, f"{name} is absent or does not list the members of {self._name}{TAR}: `--repair` makes it anew")


def _promised(name: str, rows: Sequence[Row]) -> dict[str, list[TarMember]]:
    """The members that the rows name, by tar, in the tar's order. Members in cells of a row file are in no tar."""
    promised: dict[str, list[TarMember]] = {}
    for row in rows:
        for member in row["members"]:
            if member["file"] != name + ROWS:
                place = TarMember(f"{row['key']}.{member['name']}", member["offset"], member["size"])
                promised.setdefault(member["file"], []).append(place)
    return {file: sorted(members, key=lambda member: member.offset) for file, members in promised.items()}


def _tar_damage(path: Path, promised: Sequence[TarMember]) -> Iterator[tuple[str, str]]:
    """Key and words for every byte outside the members' contents that TarWriter would not have put there."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        end = 0
        for member in promised:
            header, place = header_of(member.name, member.size), member.offset
            start, key = place - len(header), member.name.partition(".")[0]
            if start != end:
                yield _unnamed(descriptor, end, start)
            if os.pread(descriptor, len(header), start) != header:
                yield key, f"the header of {member.name} (bytes {start}-{place - 1}) is not as written"
            end = place + member.size
            padding = -member.size % tarfile.BLOCKSIZE
            if os.pread(descriptor, padding, end) != bytes(padding):
                yield key, f"the padding behind {member.name} (bytes {end}-{end + padding - 1}) is not zero"
            end += padding
        yield from _end_damage(descriptor, end)
    finally:
        os.close(descriptor)


def _unnamed(descriptor: int, start: int, end: int) -> tuple[str, str]:
    """Key and words for bytes where the rows name nothing, or name two members at once."""
    if start > end:
        return "", f"two rows name the bytes {end}-{start - 1}"
    try:
        name = tarfile.TarInfo.frombuf(os.pread(descriptor, tarfile.BLOCKSIZE, start), "utf-8", "replace").name
    except tarfile.TarError:
        return "", f"the bytes {start}-{end - 1} are of no member that the rows name"
    return name.partition(".")[0], f"{name} at {start} is in the tar, not in the rows"


def _end_damage(descriptor: int, end: int) -> Iterator[tuple[str, str]]:
    """What is wrong behind the last member: two empty blocks, then up to a whole record."""
    whole = end + 2 * tarfile.BLOCKSIZE
    whole += -whole % tarfile.RECORDSIZE
    size = os.fstat(descriptor).st_size
    if size != whole:
        yield "", f"it has {size} bytes, its rows give {whole}"
    found = os.pread(descriptor, whole - end, end)
    if found.strip(b"\0"):
        yield "", f"the end of the archive (bytes {end}-{end + len(found) - 1}) is not zero"


def _sample_damage(folder: Path, row: Row, *, decode: bool) -> Iterator[tuple[str, str]]:
    """File and words: a sample's members against their hashes, its json against the row, its pictures against its structure."""
    sample = Sample(folder, row)
    found = [(member["file"], what) for member in row["members"] for what in _member_damage(folder, sample, member)]
    yield from found
    if found or not row["members"]:
        return
    file = row["members"][0]["file"]
    if "json" in sample and not _json_agrees(sample["json"], row):
        yield file, "its json member differs from its row"
    if "mp4" in sample:
        yield from ((file, what) for what in _mp4_damage(sample["mp4"], row, decode=decode))


def _member_damage(folder: Path, sample: Sample, member: Row) -> Iterator[str]:
    """One member's place against the file's size, and its bytes against their hash."""
    name, file, end = member["name"], member["file"], member["offset"] + member["size"]
    path = folder / file
    if not path.exists():
        yield f"{name} is lost: {file} is absent"
    elif not 0 <= member["offset"] <= end <= (size := path.stat().st_size):
        # Asked before any byte is read: a damaged size must not ask for a terabyte of memory.
        yield f"{name} is cut short: it should end at byte {end}, {file} has {size}"
    elif hashlib.sha256(sample[name]).hexdigest() != member["sha256"]:
        yield f"{name} in {file} differs from its sha256"


def _json_agrees(content: bytes, row: Row) -> bool:
    """Whether the json member, written at the build, agrees with the row; `vdata add` may have changed `fields` since."""
    written = json.loads(content)
    return all(row.get(name) == value for name, value in written.items() if name != "fields")


def _mp4_damage(mp4: bytes, row: Row, *, decode: bool) -> Iterator[str]:
    """The fragment table against the MP4's length, and the pictures against what the row says of them."""
    end = row["init_size"]
    for number, fragment in enumerate(row["fragments"]):
        if fragment["offset"] != end:
            yield f"fragment {number} starts at byte {fragment['offset']}, the one before ends at {end}"
        end = fragment["offset"] + fragment["size"]
    if end != len(mp4):
        yield f"its fragments end at byte {end} of an MP4 of {len(mp4)}"
    if not decode:
        return
    try:
        found = read_motion(mp4).types
    except MediaError as error:
        yield str(error)
        return
    wanted = _wanted_types(row)
    if len(found) != len(wanted):
        yield f"{len(found)} frames decode, its row says {len(wanted)}"
    elif found != wanted:
        first = next(i for i, (a, b) in enumerate(zip(found, wanted, strict=True)) if a != b)
        yield f"frame {first} is of type {found[first]}, its structure '{row['structure']}' says {wanted[first]}"


def _wanted_types(row: Row) -> str:
    """The picture types that the row's structure promises.

    Raises:
        SchemaMismatchError: no structure has that name.
    """
    return structure_named(row["structure"]).types(row["num_frames"], row["gop"])
