"""Files of a shard that follow from its other files, made anew: no sample has to be built again for them."""

from __future__ import annotations

import tempfile
from collections.abc import Set as AbstractSet
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vdata.errors import CorruptShardError
from vdata.shards.idx import write_idx
from vdata.shards.layout import ERRORS, IDX, ROWS, TAR, TEMPORARY, replacing, shard_files, shard_name, shard_path
from vdata.shards.rows import read_rows, write_rows
from vdata.shards.sums import SUMS, file_sha256, read_sums, write_sums
from vdata.shards.tar import TarMember

__all__ = ["mend_derived"]


def mend_derived(folder: Path, shard: int, damaged: AbstractSet[str]) -> bool:
    """Whether the damaged files of a shard, all of them, could be made anew from files that are whole; else nothing is changed.

    The idx and the checksum file follow from rows and tar, the shard's errors from the folder's errors.parquet. A file that the
    shard does not own is deleted.
    """
    name = shard_name(shard)
    strays = {file for file in damaged if _is_stray(folder, shard, file)}
    if damaged - strays - {name + IDX, name + ERRORS, name + SUMS}:
        return False
    if name + ERRORS in damaged and not _mend_errors(folder, shard):
        return False
    if name + IDX in damaged:
        _mend_idx(folder, shard)
    for file in strays:
        (folder / file).unlink()
    if name + SUMS in damaged:
        files = {path.name: path for number, _, path in shard_files(folder) if number == shard and path.name != name + SUMS}
        with replacing(folder / (name + SUMS)) as path:
            write_sums(path, files)
    return True


def _is_stray(folder: Path, shard: int, file: str) -> bool:
    """Whether the shard's checksum file is whole and does not have the file."""
    try:
        sums = read_sums(shard_path(folder, shard, SUMS))
    except (FileNotFoundError, CorruptShardError):
        return False
    return file not in {*sums, shard_name(shard) + SUMS} and shard_path(folder, shard, ROWS).exists()


def _mend_idx(folder: Path, shard: int) -> None:
    name = shard_name(shard)
    rows = read_rows(folder, shard, ["key", "members"]).to_pylist()
    members = [
        TarMember(f"{row['key']}.{member['name']}", member["offset"], member["size"])
        for row in rows
        for member in row["members"]
        if member["file"] == name + TAR
    ]
    with replacing(folder / (name + IDX)) as path:
        write_idx(path, sorted(members, key=lambda member: member.offset))


def _mend_errors(folder: Path, shard: int) -> bool:
    """Cuts the shard's part out of errors.parquet; false where its old bytes do not come of it."""
    place = shard_path(folder, shard, ERRORS)
    try:
        wanted = read_sums(shard_path(folder, shard, SUMS))[place.name]
        whole = pq.read_table(folder / "errors.parquet", page_checksum_verification=True)
        part = whole.filter(pc.equal(whole["shard"], shard_name(shard)))
    except (FileNotFoundError, CorruptShardError, pa.ArrowInvalid, OSError, KeyError):
        return False
    (folder / TEMPORARY).mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder / TEMPORARY) as work:
        made = Path(work) / place.name
        write_rows(made, pa.Table.from_pylist(part.to_pylist(), schema=part.schema))
        if file_sha256(made) != wanted:
            return False
        made.replace(place)
    return True
