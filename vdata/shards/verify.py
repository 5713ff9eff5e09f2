"""Whether a shard folder holds what it promises: every member against its hash, every file against the others."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vdata.errors import CorruptShardError, MediaError, SchemaMismatchError
from vdata.media.structure import STRUCTURES
from vdata.media.vectors import read_motion
from vdata.shards.dataset_json import DATASET_JSON, count_problems, read_dataset_json
from vdata.shards.idx import idx_text
from vdata.shards.index import is_fresh, open_index
from vdata.shards.index_arrays import digest_of
from vdata.shards.layout import IDX, TAR, require_shards, shard_name, shard_path
from vdata.shards.read import Sample
from vdata.shards.rows import read_rows
from vdata.shards.tar import TarMember, read_members

__all__ = ["Damage", "VerifyReport", "verify"]

Row = Mapping[str, Any]


class Damage(NamedTuple):
    """One thing that is not as promised."""

    shard: str
    """As `clips-000000`; empty where it concerns the folder."""
    key: str
    """The sample; empty where it concerns the whole shard."""
    what: str

    def __str__(self) -> str:
        """One line."""
        return " ".join(part for part in (self.shard, self.key) if part) + f": {self.what}"


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was looked at, and what was found."""

    shards: int
    clips: int
    damaged: tuple[Damage, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damaged


def verify(folder: Path, *, decode: bool = False) -> VerifyReport:
    """What is damaged in a shard folder, after every member was read and held against rows, idx, hashes and counts.

    Args:
        folder: one shard folder.
        decode: also decode every clip: as many frames as the row says, of the types that its structure says.

    Raises:
        ShardError: the folder holds no finished shard.
        SchemaMismatchError: the shards are of another format version, or their rows of another structure.
    """
    damaged: list[Damage] = []
    shards = require_shards(folder)
    num_clips = 0
    for shard in shards:
        try:
            rows = read_rows(folder, shard).to_pylist()
        except CorruptShardError as error:
            damaged.append(Damage(shard_name(shard), "", str(error)))
            continue
        num_clips += len(rows)
        damaged += _tar_damage(folder, shard, rows)
        for row in rows:
            damaged += [Damage(shard_name(shard), row["key"], what) for what in _sample_damage(folder, row, decode=decode)]
    damaged += [Damage("", "", what) for what in _folder_damage(folder, num_clips)]
    return VerifyReport(len(shards), num_clips, tuple(damaged))


def _tar_damage(folder: Path, shard: int, rows: Sequence[Row]) -> Iterator[Damage]:
    """The tars' own lists of members, and the idx, against the rows."""
    name = shard_name(shard)
    for file, promised in _promised(shard, rows).items():
        try:
            found = read_members(folder / file)
        except (tarfile.TarError, OSError) as error:
            yield Damage(name, "", f"{file} cannot be read: {error}")
            continue
        for member in sorted(set(promised) ^ set(found), key=lambda member: member.offset):
            where = "in the rows, not in the tar" if member in promised else "in the tar, not in the rows"
            yield Damage(name, member.name.partition(".")[0], f"{file}: {member.name} at {member.offset} is {where}")
        if file == name + TAR and not _idx_agrees(shard_path(folder, shard, IDX), promised):
            yield Damage(name, "", f"{name}{IDX} is absent or does not list the members of {file}")


def _promised(shard: int, rows: Sequence[Row]) -> dict[str, list[TarMember]]:
    """The members that the rows name, by tar, in the tar's order. A shard without rows has no tar."""
    promised: dict[str, list[TarMember]] = {shard_name(shard) + TAR: []} if rows else {}
    for row in rows:
        for member in row["members"]:
            place = TarMember(f"{row['key']}.{member['name']}", member["offset"], member["size"])
            promised.setdefault(member["file"], []).append(place)
    return {file: sorted(members, key=lambda member: member.offset) for file, members in promised.items()}


def _idx_agrees(path: Path, promised: Sequence[TarMember]) -> bool:
    return path.exists() and path.read_bytes() == idx_text(promised).encode()


def _sample_damage(folder: Path, row: Row, *, decode: bool) -> Iterator[str]:
    """One sample's members against their hashes, its json against the row, its pictures against its structure."""
    sample = Sample(folder, row)
    whole = True
    for member in row["members"]:
        try:
            data = sample[member["name"]]
        except CorruptShardError as error:
            whole = False
            yield str(error)
            continue
        if hashlib.sha256(data).hexdigest() != member["sha256"]:
            whole = False
            yield f"{member['name']} in {member['file']} differs from its sha256"
    if not whole:
        return
    if "json" in sample and not _json_agrees(sample["json"], row):
        yield "its json member differs from its row"
    if "mp4" in sample:
        yield from _mp4_damage(sample["mp4"], row, decode=decode)


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
    for structure in STRUCTURES.values():
        if structure.name == row["structure"]:
            return structure.types(row["num_frames"], row["gop"])
    known = ", ".join(structure.name for structure in STRUCTURES.values())
    raise SchemaMismatchError(f"row '{row['key']}' has structure '{row['structure']}'; this vdata knows {known}")


def _folder_damage(folder: Path, num_clips: int) -> Iterator[str]:
    """dataset.json against its own sums and the rows, and the index against the row files."""
    try:
        content = read_dataset_json(folder)
    except CorruptShardError as error:
        yield str(error)
        return
    if content is None:
        yield f"{DATASET_JSON} is absent"
    elif content.state != "complete":
        yield f"{DATASET_JSON} says that the build is not complete: run `vdata build` again"
    else:
        yield from (f"{DATASET_JSON}: {problem}" for problem in count_problems(content.counts))
        if content.counts.get("clips_written") != num_clips:
            yield f"{DATASET_JSON} counts {content.counts.get('clips_written')} clips written, the rows hold {num_clips}"
    if not is_fresh(folder):
        yield "the index is absent or older than the rows: make it with `vdata index`"
        return
    index = open_index(folder)
    if digest_of(vars(index)) != index.digest:
        yield "the index's arrays are not those it was made with: make it anew with `vdata index`"
    numbers, times = np.unique(index.index, return_counts=True)
    yield from (
        f"the clip of index {number} is there {count} times" for number, count in zip(numbers, times, strict=True) if count > 1
    )
