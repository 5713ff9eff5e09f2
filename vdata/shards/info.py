"""What a shard folder holds, in a few lines, from rows and index alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from vdata.shards.classes import read_classes
from vdata.shards.dataset_json import DATASET_JSON, read_dataset_json
from vdata.shards.index import Index, open_index
from vdata.shards.index_header import INDEX
from vdata.shards.layout import committed_shards
from vdata.shards.mirror import copies_of, splits_of
from vdata.shards.remote import Folder, RemoteFolder, folder_of
from vdata.shards.schema import COLUMNS
from vdata.shards.where import Where, select

__all__ = ["describe", "describe_folder", "shard_folders"]

_ERRORS = "errors.parquet"


def describe(path: str | Path, where: Where | None = None) -> list[dict[str, Any]]:
    """What describe_folder says of the folder that was named, by path or URL, or of each of the splits that it holds.

    Raises:
        ShardError: it holds no shards.
        ConfigError: as describe_folder, or a URL that cannot be used.
    """
    folder = folder_of(path)
    folders: Sequence[Folder] = _remote_folders(folder) if isinstance(folder, RemoteFolder) else shard_folders(folder)
    return [describe_folder(one, where) for one in folders]


def shard_folders(path: Path) -> list[Path]:
    """The folder itself where it holds shards, else its sub-folders that do, as the splits of a dataset.

    Raises:
        ShardError: neither does.
    """
    if path.is_dir() and not committed_shards(path):
        below = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and committed_shards(folder)]
        if below:
            return below
    open_index(path)
    return [path]


def describe_folder(folder: Folder, where: Where | None = None) -> dict[str, Any]:
    """Plain values by name: state, clips, videos, frames, hours, coded sizes, bytes by member, columns, failures by reason.

    With `where`, of the clips that it chooses; `left_out` and `without_value` count the others. Failures are always the folder's.

    Raises:
        ShardError: the folder holds no finished shard.
        ConfigError: `where` is no filter, or names a column that the rows do not have.
    """
    index = open_index(folder)
    with copies_of(folder, (DATASET_JSON, _ERRORS)) as place:
        content, failures = read_dataset_json(place), _failures(place)
    selection = select(index, where) if where is not None else None
    chosen = np.arange(len(index)) if selection is None else np.flatnonzero(selection.chosen)
    labels, num_frames = index.label[chosen], index.num_frames[chosen]
    # Rows without an MP4, as documents, have no size.
    coded = chosen[num_frames > 0]
    sides = zip(index.width[coded].tolist(), index.height[coded].tolist(), strict=True)
    return {
        "folder": str(folder),
        "dataset": content.dataset if content else "",
        "split": content.split if content else "",
        "state": content.state if content else "unknown",
        "clips": len(chosen),
        **({"left_out": len(index) - len(chosen), "without_value": selection.num_null} if selection else {}),
        "videos": len(np.unique(index.video[chosen])),
        "labels": len(np.unique(labels[labels >= 0])),
        "classes": {kind: sum(map(bool, names)) for kind, names in read_classes(folder).items()},
        "frames": int(num_frames.sum()),
        "hours": round(float(np.sum(num_frames / np.maximum(index.fps[chosen], 1e-9))) / 3600, 4),
        "shards": len(np.unique(index.shard[chosen])),
        "megabytes": _megabytes(index, chosen),
        "coded_sizes": dict(Counter(f"{width}x{height}" for width, height in sides).most_common(6)),
        "columns": _ranges(index, chosen),
        "not_built": failures,
    }


def _remote_folders(folder: RemoteFolder) -> list[RemoteFolder]:
    """The folder itself where it has an index, else those below that do; itself if there are none, for its error."""
    splits = [] if INDEX in folder.entries() else splits_of(folder)
    return [RemoteFolder(f"{folder.url}/{name}") for name in splits] or [folder]


def _megabytes(index: Index, chosen: npt.NDArray[np.int64]) -> dict[str, float]:
    """Size of each kind of member over these clips."""
    ends = index.fragment_start[chosen + 1]
    # An MP4 ends where its last fragment does. Sums over all fragments took 3 GB for ten million clips.
    last = ends[ends > index.fragment_start[chosen]] - 1
    sizes = {"mp4": int(index.fragment_offset[last].sum() + index.fragment_size[last].sum())}
    sizes |= {ext: int(places.size[chosen].sum()) for ext, places in index.members.items()}
    return {ext: round(size / 1e6, 3) for ext, size in sizes.items()}


def _ranges(index: Index, chosen: npt.NDArray[np.int64]) -> dict[str, dict[str, float]]:
    """What a filter's threshold is chosen by: least, median and most of the columns that dataset and extractors declare."""
    common = {column.name for column in COLUMNS}
    ranges = {}
    for name in sorted(set(index.scalars) - common):
        values = index.scalars[name].arrow().take(chosen).drop_null().to_numpy(zero_copy_only=False).astype(np.float64)
        quantiles = [float(f"{value:.6g}") for value in np.quantile(values, [0, 0.5, 1])] if len(values) else []
        ranges[name] = dict(zip(("min", "median", "max"), quantiles, strict=False)) | {"null": len(chosen) - len(values)}
    return ranges


def _failures(folder: Path) -> dict[str, int]:
    path = folder / _ERRORS
    return dict(Counter(pq.read_table(path, columns=["reason"])["reason"].to_pylist()).most_common()) if path.exists() else {}
