"""Reading: the bytes of 16 frames at stride 4 of random clips, from tars and from Parquet shards, with every file kept open.

The two `fragments` variants are what the loader does: the init and the fragments that the window needs, by positioned reads.
The `pyarrow` variants read the whole clip as any reader of Parquet does, which means its row group: with the 16 clips of a
group as vdata writes them, and with one.

Seen on two busy cores with the files in the page cache, 75 clips of up to 10 s at 256 pixels: the loader reads 127 kB a clip from
either format, 70 microseconds of CPU each. Whole cells through pyarrow are 1,990 kB a clip in groups of 16 and 223 kB in
groups of one, 0.5 and 0.25 ms. The Parquet shards are 1.5 % smaller than tars with their row files and idx: those hold each row
twice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pipelines.clips import open_clips
from pipelines.read import Reader
from vdata.bench import Bench, Skip, Variant
from vdata.shards import ShardWriter, open_shards
from vdata.shards.cells import CellWriter, RowGroups
from vdata.shards.layout import committed_shards, shard_name
from vdata.shards.rows import read_schema
from vdata.shards.schema import with_cells, without_cells

UNIT = "clips/s"
FRAMES, STRIDE = 16, 4


def variants(bench: Bench) -> Sequence[Variant | Skip]:
    """The shards' clips written as tars and as Parquet, and read back."""
    tar, parquet = (_copied(bench.shards, bench.scratch / form, parquet=form == "parquet") for form in ("tar", "parquet"))
    count = 500 if bench.quick else 3000
    single = _single_groups(parquet, bench.scratch / "single")
    _check(tar, parquet, single)
    return [
        Variant("tar, fragments", _fragments(tar, count)),
        Variant("parquet, fragments", _fragments(parquet, count)),
        Variant("parquet, pyarrow", _whole(parquet, count // 10)),
        Variant("parquet, pyarrow, groups of 1 clip", _whole(single, count // 10)),
    ]


def _fragments(folder: Path, count: int) -> Callable[[], float]:
    clips = open_clips(folder)
    reader, rng = Reader(clips), np.random.default_rng(0)
    span = np.arange(FRAMES) * STRIDE

    def run() -> float:
        for clip in rng.integers(len(clips), size=count).tolist():
            last = int(clips.num_frames[clip]) - 1
            reader.read(clip, np.minimum(rng.integers(max(1, last + 1 - span[-1])) + span, last))
        return float(count)

    return run


def _whole(folder: Path, count: int) -> Callable[[], float]:
    clips, cell = open_clips(folder), _cells(folder)
    first = np.searchsorted(clips.shard, np.arange(int(clips.shard.max()) + 1))
    rng = np.random.default_rng(0)

    def run() -> float:
        for clip in rng.integers(len(clips), size=count).tolist():
            shard = int(clips.shard[clip])
            cell(shard, clip - int(first[shard]))
        return float(count)

    return run


def _cells(folder: Path) -> Callable[[int, int], bytes]:
    """A function from shard and row to the MP4."""

    @lru_cache
    def opened(shard: int) -> tuple[pq.ParquetFile, list[int]]:
        file = pq.ParquetFile(folder / f"{shard_name(shard)}.parquet")
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        return file, np.cumsum([0, *sizes]).tolist()

    def cell(shard: int, row: int) -> bytes:
        file, first = opened(shard)
        group = bisect_right(first, row) - 1
        column = file.read_row_group(group, columns=["mp4"], use_threads=False)["mp4"]
        content: bytes = column[row - first[group]].as_py()
        return content

    return cell


def _copied(source: Path, folder: Path, *, parquet: bool) -> Path:
    """The clips alone, shard by shard, in one of the formats."""
    shards = open_shards(source)
    for shard in committed_shards(source):
        schema = without_cells(read_schema(source, shard))
        writer = ShardWriter(folder, shard, with_cells(schema, ["mp4"]) if parquet else schema)
        for number in np.flatnonzero(shards.index.shard == shard).tolist():
            sample = shards[number]
            row = {name: value for name, value in sample.row.items() if name not in ("key", "members")}
            writer.add(sample.key, row, {"mp4": sample["mp4"]})
        writer.commit()
    return folder


def _single_groups(source: Path, folder: Path) -> Path:
    """The Parquet shards with one clip in a row group."""
    folder.mkdir()
    shards = open_shards(source)
    for shard in committed_shards(source):
        writer = CellWriter(folder / f"{shard_name(shard)}.parquet", read_schema(source, shard), RowGroups(clips=1))
        for number in np.flatnonzero(shards.index.shard == shard).tolist():
            writer.add(shards[number].row, {"mp4": shards[number]["mp4"]})
        writer.close()
    return folder


def _check(tar: Path, parquet: Path, single: Path) -> None:
    """Every way of reading gives the same bytes."""
    readers = [Reader(open_clips(folder)) for folder in (tar, parquet)]
    for number, samples in enumerate(zip(open_shards(tar), open_shards(parquet), open_shards(single), strict=True)):
        mp4s = {sample["mp4"] for sample in samples}
        whole = np.arange(samples[0].row["num_frames"])
        for encoded in (reader.read(number, whole) for reader in readers):
            mp4s.add(encoded.init + b"".join(encoded.fragments))
        if len(mp4s) != 1:
            raise ValueError(f"clip '{samples[0].key}' is not the same in tar and Parquet")
