"""What a shard folder remembers of its build, so that another run continues the same one or refuses."""

from __future__ import annotations

import fcntl
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av

from vdata.builder.config import BuildConfig
from vdata.builder.report import SplitReport
from vdata.errors import ConfigError
from vdata.media.ffmpeg import version as ffmpeg_version
from vdata.shards.dataset_json import DatasetJson, read_dataset_json, write_dataset_json

__all__ = ["check_same_build", "close_build", "open_build", "sole_build", "tool_versions"]

_MAY_DIFFER = ("limit", "python")
"""What another run may change: limits decide which videos fail, not what bytes the others give."""


def tool_versions() -> dict[str, str]:
    """Versions of what decides the bytes of a shard."""
    libav = ".".join(str(part) for part in av.library_versions["libavcodec"])
    packages = {name: version(name) for name in ("vdata", "av", "numpy", "pyarrow")}
    return {"ffmpeg": ffmpeg_version(), "libavcodec": libav, "python": platform.python_version(), **packages}


@contextmanager
def sole_build(folder: Path) -> Iterator[None]:
    """Holds the folder, made if need be, for one build; the lock ends with the process, however that ends.

    Raises:
        ConfigError: another build holds it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out ('{folder}') cannot be made: {error.strerror}") from error
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ConfigError(f"'{folder}' is being built by another process: wait for it, or give another --out") from error
    finally:
        os.close(descriptor)


def open_build(folder: Path, config: BuildConfig, split: str) -> None:
    """Notes in dataset.json that a build is under way; the sums of an earlier end are no longer true."""
    content = DatasetJson(config.dataset, split, "building", config.to_mapping(), tool_versions())
    write_dataset_json(folder, content)


def close_build(folder: Path, report: SplitReport) -> None:
    """Notes in dataset.json that the build is complete, with its sums."""
    content = read_dataset_json(folder)
    if content is None:
        raise ConfigError(f"'{folder}' has lost its dataset.json while it was built; build it again")
    write_dataset_json(folder, replace(content, state="complete", counts=report.counts()))


def check_same_build(folder: Path, config: BuildConfig) -> None:
    """Nothing, or the refusal of an output that was begun with other settings or other tools.

    Raises:
        ConfigError: names each key that differs, the value there and the value now.
    """
    content = read_dataset_json(folder) if folder.is_dir() else None
    if content is None:
        return
    differences = [*_differences(content.config, config.to_mapping()), *_differences(content.tools, tool_versions(), "tools.")]
    if differences:
        raise ConfigError(f"'{folder}' was begun with {'; '.join(differences)}: give the same, or another --out")


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Words such as "clip.gop 12, not 16" for every value that differs, table by table."""
    for key in sorted((old.keys() | new.keys()) - set(_MAY_DIFFER)):
        before, now = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            yield from _differences(before, now, f"{prefix}{key}.")
        elif before != now:
            yield f"{prefix}{key} {before!r}, not {now!r}"
