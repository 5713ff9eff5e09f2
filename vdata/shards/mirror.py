"""The small files of remote shards, copied into the cache: the index when it is opened, row files when they are asked for.

The index is taken as it lies there. One that is absent or stale is an error that says so: to make it anew means to read every
row file, which is for whoever can also write it back.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vdata.errors import CorruptShardError, ShardError
from vdata.shards.cache import cache_root, entry, telling_full_disk
from vdata.shards.index_arrays import digest_of
from vdata.shards.index_header import HEADER, INDEX, array_names, parse_header
from vdata.shards.layout import replacing, shard_of, sync_file
from vdata.shards.remote import Folder, RemoteFolder
from vdata.shards.rows import write_rows
from vdata.shards.schema import without_cells

__all__ = ["copies_of", "fetch_index", "fetch_rows", "splits_of"]

_AT_A_TIME = 16
"""Files fetched at once."""
_WAY_OUT = "run `vdata index` where the shards can be written, and copy the whole of `index/` with them"

_log = logging.getLogger(__name__)


def fetch_index(folder: RemoteFolder) -> tuple[Path, dict[str, Any]]:
    """A folder of this machine that holds a copy of `index/`, and the index's header. Each content is fetched once.

    Raises:
        ShardError: there is no index, it was made from other row files, or the folder cannot be read.
        ConfigError: the cache cannot be used.
    """
    listed = folder.entries()
    content = _header_bytes(folder, listed)
    header = parse_header(content)
    if header is None:
        raise ShardError(f"the index of '{folder}' is of another version of vdata: {_WAY_OUT}")
    _check_rows(folder, listed, header)
    name = "-".join(hashlib.sha256(part).hexdigest()[:16] for part in (folder.url.encode(), content))
    return entry(name, lambda work: _copy_index(folder, work, content, header)), header


def fetch_rows(folder: RemoteFolder, copy: Path, header: Mapping[str, Any], shards: Iterable[int]) -> None:
    """Puts the row files of these shards beside the index in `copy`, those that are not there yet, without members' cells.

    Raises:
        CorruptShardError: one is gone, or another than the index was made from.
        ShardError: one cannot be read.
    """
    sizes = {shard_of(name): (name, size) for name, size, _ in header["rows"]}
    due = [sizes[shard] for shard in shards if not (copy / sizes[shard][0]).exists()]
    with_cells = set(header["files"])
    copy.mkdir(parents=True, exist_ok=True)
    with telling_full_disk(), ThreadPoolExecutor(_AT_A_TIME) as pool:
        list(pool.map(lambda row_file: _fetch_row_file(folder, copy, *row_file, cells=row_file[0] in with_cells), due))


@contextmanager
def copies_of(folder: Folder, names: Iterable[str]) -> Iterator[Path]:
    """A folder of this machine with these small files of `folder`, those that are there, while the block runs."""
    if isinstance(folder, Path):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="vdata-") as place:
        for name in names:
            content = folder.read_bytes(name)
            if content is not None:
                (Path(place) / name).write_bytes(content)
        yield Path(place)


def splits_of(folder: RemoteFolder) -> list[str]:
    """The folders below that have an index, by name."""
    below = [name for name, size in sorted(folder.entries().items()) if size is None]
    return [name for name in below if folder.read_bytes(f"{name}/{INDEX}/{HEADER}") is not None]


def _header_bytes(folder: RemoteFolder, listed: Mapping[str, int | None]) -> bytes:
    content = folder.read_bytes(f"{INDEX}/{HEADER}") if listed else None
    if content is not None:
        return content
    if any(shard_of(name) is not None for name in listed):
        raise ShardError(f"'{folder}' has shards but no index: {_WAY_OUT}")
    if splits := splits_of(folder):
        raise ShardError(f"'{folder}' holds no shards but the splits {', '.join(splits)}: open one, as '{folder}/{splits[0]}'")
    raise ShardError(f"there are no shards in '{folder}': see that the address is right, AWS_ENDPOINT_URL too")


def _check_rows(folder: RemoteFolder, listed: Mapping[str, int | None], header: Mapping[str, Any]) -> None:
    """Holds names and sizes of the row files against the header's; their times there are the upload's."""
    found = {name: size for name, size in listed.items() if shard_of(name) is not None}
    known = {name: size for name, size, _ in header["rows"]}
    if found != known:
        name = min(name for name in found.keys() | known.keys() if found.get(name) != known.get(name))
        there, indexed = (f"has {sizes[name]} bytes" if name in sizes else "is absent" for sizes in (found, known))
        raise ShardError(f"the index of '{folder}' is stale: {name} {there}, and {indexed} in the index; {_WAY_OUT}")


def _copy_index(folder: RemoteFolder, work: Path, content: bytes, header: Mapping[str, Any]) -> None:
    """Fills the folder `work`, and makes sure that all is of one index."""
    _log.warning("the index of %s, %d clips, is fetched into %s", folder, header["num_clips"], cache_root())
    (work / INDEX).mkdir()
    copies = [work / INDEX / f"{name}.npy" for name in array_names(header)]
    try:
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            list(pool.map(lambda copy: folder.fetch(f"{INDEX}/{copy.name}", copy), copies))
        arrays = {copy.stem: np.load(copy, mmap_mode="r" if header["num_clips"] else None) for copy in copies}
        whole = digest_of(arrays) == header["digest"]
    except (FileNotFoundError, ValueError, EOFError):
        whole = False
    # Read again: someone may have copied a newer one there meanwhile.
    if not whole or folder.read_bytes(f"{INDEX}/{HEADER}") != content:
        raise ShardError(f"the files of '{folder}/{INDEX}' do not belong together, or change just now: {_WAY_OUT}")
    (work / INDEX / HEADER).write_bytes(content)
    for copy in (*copies, work / INDEX / HEADER):
        sync_file(copy)


def _fetch_row_file(folder: RemoteFolder, copy: Path, name: str, size: int, *, cells: bool) -> None:
    try:
        with replacing(copy / name) as place:
            if cells:
                found = folder.use(name, lambda file: _copy_without_members(file, place))
            else:
                folder.fetch(name, place)
                found = place.stat().st_size
            if found != size:
                raise CorruptShardError(f"'{folder / name}' has {found} bytes, and {size} in the index: {_WAY_OUT}")
    except (ValueError, pa.ArrowNotImplementedError) as error:
        raise CorruptShardError(f"'{folder / name}' cannot be read: {error}") from error
    except FileNotFoundError as error:
        raise CorruptShardError(f"'{folder / name}' is not there, and the index names it: {_WAY_OUT}") from error


def _copy_without_members(file: Any, place: Path) -> int:  # noqa: ANN401 - fsspec has no types
    """The file's size. Members' cells are most of it, and are read where they lie."""
    with pq.ParquetFile(file, pre_buffer=True, page_checksum_verification=True) as rows:
        write_rows(place, rows.read(columns=without_cells(rows.schema_arrow).names))
    return int(file.seek(0, 2))
