"""Indexes larger than any dataset at hand: made of numbers alone, or of a real folder's clips, named many times.

For measuring what grows with the number of clips. Nothing that reads shards can tell such a folder from a built one until it
asks for what is not there, as each function says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vdata.config import check
from vdata.shards.columns import is_scalar, scalar_arrays
from vdata.shards.index import Index, open_index
from vdata.shards.index_arrays import CLIP_ARRAYS, COLUMN_ARRAYS, FRAGMENT_ARRAYS, MEMBER_ARRAYS, IndexParts
from vdata.shards.index_header import HEADER, INDEX, array_names, header_of, read_header, stamp
from vdata.shards.layout import ROWS, TAR, shard_name, shard_path
from vdata.shards.schema import row_schema

__all__ = ["SyntheticConfig", "repeat_index", "write_synthetic_index"]

Arrays = dict[str, npt.NDArray[Any]]

_TYPES = {"fps": np.float64, "mp4_offset": np.int64, "video": np.int64, "index": np.int64, "fragment_start": np.int64}
"""Of the clips' and fragments' arrays that are not int32."""
_LONG_FRAGMENTS = ("fragment_offset", "fragment_size")
_MEMBER = "motion.npz"
_AT_A_TIME = 100_000
"""Clips whose arrays are in memory at once."""


@dataclass(frozen=True, slots=True)
class SyntheticConfig:
    """What the clips without bytes are like: by default those of 10 seconds, 25 frames a second, GOP 12."""

    clips_per_shard: int = 1000
    fragments: int = 21
    """Of every clip."""
    gop: int = 12
    fragment_bytes: int = 19_000
    init_bytes: int = 743

    def __post_init__(self) -> None:
        """Checks the counts."""
        for name in ("clips_per_shard", "fragments", "gop", "fragment_bytes", "init_bytes"):
            check(getattr(self, name) >= 1, f"synthetic.{name}", getattr(self, name), "must be at least 1")


def write_synthetic_index(folder: Path, num_clips: int, config: SyntheticConfig | None = None) -> Index:
    """The index of a new folder of `num_clips` clips that have no bytes: all arrays of a build with motion, at full size.

    Row files are there by name and empty, as opening asks for no more; keys and columns of text are errors, and so is reading a
    clip. Ten million clips take 6.5 GB of disk with the default settings, and memory for 100,000.
    """
    config = config or SyntheticConfig()
    num_shards = -(-num_clips // config.clips_per_shard)
    (folder / INDEX).mkdir(parents=True)
    for shard in range(num_shards):
        shard_path(folder, shard, ROWS).touch()
    arrays = _empty_arrays(folder / INDEX, num_clips, config.fragments)
    for first in range(0, num_clips, _AT_A_TIME):
        clips = np.arange(first, min(first + _AT_A_TIME, num_clips))
        for name, values in _clip_values(clips, config):
            arrays[name][clips[0] : clips[-1] + 1] = values
        fragments = slice(int(clips[0]) * config.fragments, (int(clips[-1]) + 1) * config.fragments)
        for name, pattern in _fragment_pattern(config).items():
            arrays[name][fragments] = np.tile(pattern, len(clips))
    arrays["fragment_start"][:] = np.arange(num_clips + 1) * config.fragments
    _write_header(folder, arrays, [shard_name(shard) + TAR for shard in range(num_shards)], [_MEMBER])
    return open_index(folder)


def repeat_index(folder: Path, like: Path, num_clips: int) -> Index:
    """The index of a new folder that names the clips of the folder `like`, in their order, again and again, `num_clips` in all.

    Every clip has the bytes, the members, the row and the key of the one that it repeats; video and index are numbers of its own.
    Files are symbolic links to those of `like`: a page cache holds them all, however many clips there are.
    """
    index, header = open_index(like), read_header(like / INDEX) or {}
    repeats = -(-num_clips // len(index))
    (folder / INDEX).mkdir(parents=True)
    for name in index.files:
        (folder / name).symlink_to((like / name).resolve())
    num_shards = int(index.shards[-1]) + 1
    for repeat in range(repeats):
        for shard in index.shards.tolist():
            link = shard_path(folder, repeat * num_shards + shard, ROWS)
            if not link.is_symlink():
                link.symlink_to(shard_path(like, shard, ROWS).resolve())
    own = {name: np.load(like / INDEX / f"{name}.npy") for name in array_names(header)}
    arrays = _repeated(
        own, num_clips, {"shard": num_shards, "video": int(index.video.max()) + 1, "index": int(index.index.max()) + 1}
    )
    for name, array in arrays.items():
        np.save(folder / INDEX / f"{name}.npy", array)
    _write_header(folder, arrays, index.files, header["members"])
    return open_index(folder)


def _repeated(own: Arrays, num_clips: int, steps: Mapping[str, int]) -> Arrays:
    """Each array, as often as it takes; the numbers in `steps` count on by so much each time."""
    num_own = len(own["shard"])
    start = np.concatenate([[0], np.cumsum(np.resize(np.diff(own["fragment_start"]), num_clips))]).astype(np.int64)
    arrays: Arrays = {"fragment_start": start}
    for name, array in own.items():
        if name in FRAGMENT_ARRAYS[1:]:
            arrays[name] = np.resize(array, int(start[-1]))
        elif name != "fragment_start":
            arrays[name] = np.resize(array, (num_clips, *array.shape[1:]))
    for name, step in steps.items():
        arrays[name] = (arrays[name] + np.arange(num_clips) // num_own * step).astype(own[name].dtype)
    return arrays


def _empty_arrays(place: Path, num_clips: int, fragments: int) -> Arrays:
    """Files of zeros, mapped, which take no room before they are written to."""
    scalars = scalar_arrays([row_schema().empty_table().select(_scalar_names())])
    shapes: dict[str, tuple[tuple[int, ...], Any]] = {name: ((num_clips,), array.dtype) for name, array in scalars.items()}
    shapes |= {name: ((num_clips,), _TYPES.get(name, np.int32)) for name in CLIP_ARRAYS}
    shapes["picture"] = ((num_clips, 4), np.int32)
    shapes["fragment_start"] = ((num_clips + 1,), np.int64)
    shapes["fragment_frame"] = ((num_clips * fragments,), np.int32)
    shapes |= dict.fromkeys(_LONG_FRAGMENTS, ((num_clips * fragments,), np.int64))
    shapes |= {f"{_MEMBER}.{part}": ((num_clips,), dtype) for part, dtype in MEMBER_ARRAYS.items()}
    return {
        name: np.lib.format.open_memmap(place / f"{name}.npy", "w+", dtype=dtype, shape=shape)
        for name, (shape, dtype) in shapes.items()
    }


def _scalar_names() -> list[str]:
    return [field.name for field in row_schema() if is_scalar(field) and field.name not in COLUMN_ARRAYS]


def _clip_values(clips: npt.NDArray[np.int64], config: SyntheticConfig) -> Iterator[tuple[str, Any]]:
    """What the arrays hold for these clips; the others stay 0."""
    shard, row = np.divmod(clips, config.clips_per_shard)
    clip_bytes = config.init_bytes + config.fragments * config.fragment_bytes
    yield from (("shard", shard), ("mp4_file", shard), ("mp4_offset", 512 + row * (clip_bytes + 1024)))
    yield from (("video", clips), ("index", clips), ("label", clips % 400))
    # The last fragments are of all lengths.
    yield "num_frames", config.fragments * config.gop - clips % config.gop
    yield from (("fps", 25.0), ("width", 352), ("height", 256), ("picture", (0, 0, 340, 256)))
    yield from (("init_size", config.init_bytes), ("gop", config.gop))


def _fragment_pattern(config: SyntheticConfig) -> Arrays:
    number = np.arange(config.fragments)
    return {
        "fragment_frame": number * config.gop,
        "fragment_offset": config.init_bytes + number * config.fragment_bytes,
        "fragment_size": np.full(config.fragments, config.fragment_bytes),
    }


def _write_header(folder: Path, arrays: Arrays, files: Sequence[str], exts: Sequence[str]) -> None:
    parts = IndexParts(arrays, tuple(files), tuple(exts), row_schema())
    (folder / INDEX / HEADER).write_text(json.dumps(header_of(parts, stamp(folder))), encoding="utf-8")
