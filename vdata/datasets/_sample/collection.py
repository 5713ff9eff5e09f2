"""The dataset's folder: videos, truth and table, made once and known to be whole by its marker.

    train/000123.mp4 ...      the videos
    truth/train-000123.npz    what `truth.load` reads
    videos.parquet            one row a video
    sample.json               the marker: which settings made the folder

The marker first says that the folder is being made, and so whose it is; that it is whole, it says last.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vdata.config import check
from vdata.datasets._sample import part
from vdata.datasets._sample.scenes import SCENES, SPLITS
from vdata.datasets._sample.trajectories import MOTIONS
from vdata.datasets._sample.world import Plan, draw

__all__ = ["SCHEMA", "make", "rows"]

_GENERATOR = 1
"""Counts up whenever the same seed gives other videos, so that an old folder is made anew."""

_MARKER = "sample.json"
_CONTENTS = (*SPLITS, "truth", "videos.parquet")

SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),
        ("source", pa.string()),
        ("split", pa.string()),
        ("label", pa.int32()),
        ("labels", pa.list_(pa.int32())),
        ("label_name", pa.string()),
        ("num_frames", pa.int32()),
        ("scene", pa.int32()),
        ("sprite", pa.int32()),
        ("shape", pa.int32()),
        ("speed", pa.int32()),
        ("timbre", pa.int32()),
        ("flash_seconds", pa.float64()),
        ("camera", pa.string()),
        ("tags", pa.string()),
        ("edge", pa.string()),
    ]
)
"""Columns of videos.parquet."""


def make(root: Path, seed: int, scale: str, workers: int | None = None) -> None:
    """Nothing; afterwards the folder holds exactly the videos of these settings, whatever the number of workers.

    `workers` is a number of processes; None is one for each CPU of this one, at most 8.

    Raises:
        ConfigError: files of these names lie there that this function did not make.
    """
    root.mkdir(parents=True, exist_ok=True)
    wanted = {"generator": _GENERATOR, "seed": seed, "scale": scale, "whole": True}
    with _locked(root) as lock:
        made = _marker(root)
        if made == wanted:
            return
        foreign = [name for name in _CONTENTS if made is None and (root / name).exists()]
        rule = f"holds {', '.join(foreign)}, which the sample dataset did not make: name another folder or an empty one"
        check(not foreign, "--root", str(root), rule)
        _mark(root, {**wanted, "whole": False})
        _clear(root)
        _write(root, seed, scale, workers or min(len(os.sched_getaffinity(0)), 8), lock)
        _mark(root, wanted)


def rows(root: Path, split: str) -> list[dict[str, Any]]:
    """The rows of the split's videos, as SCHEMA names them.

    Raises:
        ConfigError: the folder is not made, or not wholly.
    """
    whole = (_marker(root) or {}).get("whole", False)
    check(whole, "--root", str(root), "holds no finished sample dataset: prepare(root) makes it")
    found: list[dict[str, Any]] = pq.read_table(root / "videos.parquet", filters=[("split", "=", split)]).to_pylist()
    return found


def _write(root: Path, seed: int, scale: str, workers: int, lock: int) -> None:
    """Nothing; fills the folder: one process a part, since the many small steps of a frame keep threads waiting for each other.

    Plain commands and not multiprocessing, which would run a script again that lacks a `__main__` guard. They inherit the
    lock: if this process is killed, the next one waits for them to end before it clears the folder.
    """
    for name in (*SPLITS, "truth"):
        (root / name).mkdir()
    commands = [[sys.executable, "-m", part.__name__, str(root), str(seed), scale, str(i), str(workers)] for i in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda command: subprocess.run(command, check=True, pass_fds=(lock,)), commands))
    pq.write_table(pa.Table.from_pylist([_row(plan) for plan in draw(seed, scale)], SCHEMA), root / "videos.parquet")


def _row(plan: Plan) -> dict[str, Any]:
    """The video's row. An edge video has no label; a constant one has no scene and no sprite either."""
    seen = plan.edge != "constant"
    return {
        "video_id": plan.video_id,
        "source": plan.source,
        "split": plan.split,
        "label": -1 if plan.edge else plan.motion,
        "labels": [] if plan.edge else [plan.scene, len(SCENES) + plan.sprite.texture],
        "label_name": "" if plan.edge else MOTIONS[plan.motion],
        "num_frames": plan.num_frames,
        "scene": plan.scene if seen else -1,
        "sprite": plan.sprite.texture if seen else -1,
        "shape": plan.sprite.shape if seen else -1,
        "speed": plan.speed if seen else -1,
        "timbre": plan.sound.timbre if plan.sound else -1,
        "flash_seconds": plan.flash_seconds,
        "camera": plan.camera.kind if seen else "none",
        "tags": "" if plan.edge else " ".join(plan.tags),
        "edge": plan.edge,
    }


def _marker(root: Path) -> dict[str, Any] | None:
    """The settings that made the folder, or None where no marker lies."""
    path = root / _MARKER
    settings: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    return settings


def _mark(root: Path, settings: dict[str, Any]) -> None:
    temporary = root / f".{_MARKER}"
    temporary.write_text(json.dumps(settings), encoding="utf-8")
    temporary.replace(root / _MARKER)


def _clear(root: Path) -> None:
    for name in _CONTENTS:
        path = root / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def _locked(root: Path) -> Iterator[int]:
    """The lock's file descriptor. Of two builds that start at once, the second waits and finds the videos made."""
    with (root / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()
