"""Settings of a build: what changes the shards (BuildConfig), and what only changes how they come about (RunConfig)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vdata.config import check, from_mapping, merge, to_mapping
from vdata.datasets import DATASETS
from vdata.errors import UnknownNameError
from vdata.extract import EXTRACTORS
from vdata.media.config import ClipConfig, LimitConfig
from vdata.shards.schema import FORMATS, Format

__all__ = ["BuildConfig", "PlanConfig", "RunConfig", "resolve"]

SECONDS_CUT_A_SECOND = 8
"""Seconds of film that a core cuts in a second: 300 frames/s of 1080p at 256 pixels, with some to spare."""


@dataclass(frozen=True, slots=True)
class PlanConfig:
    """How videos are dealt into shards: `--set plan.KEY=VALUE`."""

    shard_mb: float = 64.0
    """Source megabytes that fill a shard, the unit of work that a crash can cost; small datasets get smaller shards."""
    seed: int = 0
    """Of the shuffle that spreads classes over the shards."""
    limit: int = 0
    """Videos of each split, the first after the shuffle; 0 is all."""
    task_minutes: float = 10.0
    """A film that would keep one core busy for longer is cut by several tasks, into several shards."""

    def __post_init__(self) -> None:
        """Checks every number."""
        check(self.shard_mb > 0, "plan.shard_mb", self.shard_mb, "must be positive")
        check(self.limit >= 0, "plan.limit", self.limit, "must not be negative")
        check(self.task_minutes > 0, "plan.task_minutes", self.task_minutes, "must be positive")

    @property
    def part_seconds(self) -> float:
        """Seconds of film that a core cuts in `task_minutes`."""
        return self.task_minutes * 60 * SECONDS_CUT_A_SECOND


@dataclass(frozen=True, slots=True)
class BuildConfig:
    """All that decides the bytes of the shards. Saved in dataset.json; a resumed build must have the same."""

    dataset: str
    extract: tuple[str, ...] = ("keyframes", "motion")
    format: Format = "tar"
    """Where members go: a tar a shard (WebDataset), or `parquet`: one file a shard, members as binary columns."""
    clip: ClipConfig = field(default_factory=ClipConfig)
    limit: LimitConfig = field(default_factory=LimitConfig)
    plan: PlanConfig = field(default_factory=PlanConfig)
    own: Mapping[str, Any] = field(default_factory=dict)
    """The dataset's and the extractors' own Configs, by their names."""

    def __post_init__(self) -> None:
        """Checks the format."""
        check(self.format in FORMATS, "format", self.format, f"must be one of {', '.join(FORMATS)}")

    def to_mapping(self) -> dict[str, Any]:
        """Plain values, a section each; what resolve() takes back."""
        sections = {name: to_mapping(config) for name, config in self.own.items()}
        fixed = {"clip": self.clip, "limit": self.limit, "plan": self.plan}
        return {
            # First: the extractor `dataset`, which has no settings, must not take the place of the dataset's name.
            **sections,
            "dataset": self.dataset,
            "extract": list(self.extract),
            "format": self.format,
            **{name: to_mapping(config) for name, config in fixed.items()},
        }


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How a build runs; the shards are the same whatever stands here."""

    workers: int = 0
    """Tasks at a time; 0 is one for every core that this process may use."""
    address: str = ""
    """A Ray cluster to join, as `auto` or `host:6379`; empty starts a Ray of its own on this machine."""
    max_failed: float = 1.0
    """The share of videos that may fail before the build stops, looked at after the first 100 and at the end."""
    append: bool = False
    """Whether videos that are new below the root are planned into new shards; otherwise they stop the build."""
    retry_failed: bool = False
    """Whether shards that hold a failure which another try may mend (time, memory, disk) are built anew."""

    def __post_init__(self) -> None:
        """Checks the numbers."""
        check(self.workers >= 0, "--workers", self.workers, "must not be negative")
        check(0 <= self.max_failed <= 1, "--max-failed", self.max_failed, "must be a share in [0, 1]")

    @property
    def num_workers(self) -> int:
        """`workers` with 0 resolved."""
        return self.workers or len(os.sched_getaffinity(0))


def resolve(dataset: str, extract: tuple[str, ...] | None = None, settings: Mapping[str, Any] | None = None) -> BuildConfig:
    """The whole config of a build: the dataset's suggestions, with the user's settings laid on top.

    Args:
        dataset: Name in DATASETS.
        extract: Names in EXTRACTORS; None is the default set. Those that store what the dataset itself says are added.
        settings: Nested settings, a section each: `clip`, `limit`, `plan`, and the names of the dataset and the extractors;
            and the one word `format`.

    Raises:
        UnknownNameError: no such dataset, extractor or section.
        ConfigError: an unknown key, or a value that breaks its rule.
    """
    names = BuildConfig(dataset).extract if extract is None else extract
    names += tuple(name for name in DATASETS[dataset].extract if name not in names)
    check(len(set(names)) == len(names), "--extract", names, "must not name an extractor twice")
    own_classes = {dataset: DATASETS[dataset].Config, **{name: EXTRACTORS[name].Config for name in names}}
    merged = merge(DATASETS[dataset].build_settings, settings or {})
    form = merged.pop("format", BuildConfig(dataset).format)
    classes: dict[str, type] = {"clip": ClipConfig, "limit": LimitConfig, "plan": PlanConfig, **own_classes}
    for section in merged:
        if section not in classes:
            raise UnknownNameError("settings section", section, classes)
    configs: dict[str, Any] = {name: from_mapping(cls, merged.get(name, {}), f"{name}.") for name, cls in classes.items()}
    own = {name: configs[name] for name in own_classes}
    return BuildConfig(dataset, names, form, configs["clip"], configs["limit"], configs["plan"], own)
