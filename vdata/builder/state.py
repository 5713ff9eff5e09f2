"""What a shard folder remembers of its build, so that another run continues the same one or refuses."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av

from vdata.builder.config import BuildConfig, resolve
from vdata.builder.report import SplitReport
from vdata.errors import ConfigError
from vdata.extract import EXTRACTORS
from vdata.media.ffmpeg import version as ffmpeg_version
from vdata.media.url import Root
from vdata.shards.dataset_json import DatasetJson, read_dataset_json, write_dataset_json
from vdata.shards.sums import FOLDER_SUMS

__all__ = ["check_same_build", "close_build", "config_of", "note_added", "open_build", "reopen_build", "tool_versions"]

_MAY_DIFFER = ("limit.", "tools.python", "detector.model", "tracklets.boxes.model")
"""What another run may change: limits decide which videos fail, not what bytes the others give; a model is told by its sha256."""


def tool_versions(extract: Sequence[str] = ()) -> dict[str, str]:
    """Versions of what decides the bytes of a shard, with the packages of these extractors."""
    libav = ".".join(str(part) for part in av.library_versions["libavcodec"])
    own = [package for name in extract for package in EXTRACTORS[name].packages]
    packages = {name: version(name) for name in ("vdata", "av", "numpy", "pyarrow", *own)}
    return {"ffmpeg": ffmpeg_version(), "libavcodec": libav, "python": platform.python_version(), **packages}


def open_build(folder: Path, config: BuildConfig, root: Root, split: str) -> None:
    """Notes in dataset.json that a build is under way; the sums of an earlier end are no longer true."""
    before = read_dataset_json(folder)
    tools, place = tool_versions(config.extract), str(root.absolute())
    added = before.added if before else {}
    content = DatasetJson(config.dataset, split, "building", config.to_mapping(), tools, root=place, added=added)
    (folder / FOLDER_SUMS).unlink(missing_ok=True)
    write_dataset_json(folder, content)


def reopen_build(folder: Path, content: DatasetJson) -> None:
    """Notes in dataset.json that a finished folder is being changed: settings, tools and root stay those it was built with."""
    (folder / FOLDER_SUMS).unlink(missing_ok=True)
    write_dataset_json(folder, replace(content, state="building"))


def note_added(folder: Path, content: DatasetJson, name: str, note: Mapping[str, Any]) -> None:
    """Notes in dataset.json that a field is being added, and with what."""
    reopen_build(folder, replace(content, added={**content.added, name: note}))


def config_of(content: DatasetJson) -> BuildConfig:
    """The config that a folder was built with, from its dataset.json.

    Raises:
        ConfigError: this vdata does not know a setting or a name in it.
    """
    settings = dict(content.config)
    dataset, extract = settings.pop("dataset"), settings.pop("extract")
    return resolve(dataset, tuple(extract), settings)


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
    differences = [
        *_differences(content.config, config.to_mapping()),
        *_differences(content.tools, tool_versions(config.extract), "tools."),
    ]
    if differences:
        raise ConfigError(f"'{folder}' was begun with {'; '.join(differences)}: give the same, or another --out")


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Words such as "clip.gop 12, not 16" for every value that differs, table by table."""
    for key in sorted(old.keys() | new.keys()):
        before, now, name = old.get(key), new.get(key), f"{prefix}{key}"
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            yield from _differences(before, now, f"{name}.")
        elif before != now and not name.startswith(_MAY_DIFFER):
            yield f"{name} {before!r}, not {now!r}"
