"""What a shard folder holds, in a few lines, from rows and index alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from vdata.shards.dataset_json import read_dataset_json
from vdata.shards.index import Index, open_index
from vdata.shards.layout import committed_shards

__all__ = ["describe_folder", "shard_folders"]


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


def describe_folder(folder: Path) -> dict[str, Any]:
    """Plain values by name: state, clips, videos, frames, hours, coded sizes, bytes by member, failures by reason.

    Raises:
        ShardError: the folder holds no finished shard.
    """
    index = open_index(folder)
    content = read_dataset_json(folder)
    seconds = float(np.sum(index.num_frames / np.maximum(index.fps, 1e-9)))
    sizes = Counter(f"{width}x{height}" for width, height in zip(index.width.tolist(), index.height.tolist(), strict=True))
    return {
        "folder": str(folder),
        "dataset": content.dataset if content else "",
        "split": content.split if content else "",
        "state": content.state if content else "unknown",
        "clips": len(index),
        "videos": len(np.unique(index.video)),
        "labels": len(np.unique(index.label[index.label >= 0])),
        "frames": int(index.num_frames.sum()),
        "hours": round(seconds / 3600, 4),
        "shards": len(np.unique(index.shard)),
        "megabytes": _megabytes(index),
        "coded_sizes": dict(sizes.most_common(6)),
        "not_built": _failures(folder),
    }


def _megabytes(index: Index) -> dict[str, float]:
    """Size of each kind of member over all clips."""
    sizes = {"mp4": int(index.init_size.sum()) + int(index.fragment_size.sum())}
    sizes |= {ext: int(places.size.sum()) for ext, places in index.members.items()}
    return {ext: round(size / 1e6, 3) for ext, size in sizes.items()}


def _failures(folder: Path) -> dict[str, int]:
    path = folder / "errors.parquet"
    return dict(Counter(pq.read_table(path, columns=["reason"])["reason"].to_pylist()).most_common()) if path.exists() else {}
