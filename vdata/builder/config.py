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

__all__ = ["BuildConfig", "PlanConfig", "RunConfig", "resolve"]


@dataclass(frozen=True, slots=True)
class PlanConfig:
    """How videos are dealt into shards: `--set plan.KEY=VALUE`."""

    shard_mb: float = 64.0
    """Source megabytes that fill a shard, the unit of work that a crash can cost; small datasets get smaller shards."""
    seed: int = 0
    """Of the shuffle that spreads classes over the shards."""
    limit: int = 0
    """Videos of each split, the first after the shuffle; 0 is all."""

    def __post_init__(self) -> None:
        """Checks every number."""
        check(self.shard_mb > 0, "plan.shard_mb", self.shard_mb, "must be positive")
        check(self.limit >= 0, "plan.limit", self.limit, "must not be negative")


@dataclass(frozen=True, slots=True)
class BuildConfig:
    """All that decides the bytes of the shards. Saved in dataset.json; a resumed build must have the same."""

    dataset: str
    extract: tuple[str, ...] = ("keyframes", "motion")
    clip: ClipConfig = field(default_factory=ClipConfig)
    limit: LimitConfig = field(default_factory=LimitConfig)
    plan: PlanConfig = field(default_factory=PlanConfig)
    own: Mapping[str, Any] = field(default_factory=dict)
    """The dataset's and the extractors' own Configs, by their names."""

    def to_mapping(self) -> dict[str, Any]:
        """Plain values, a section each; what resolve() takes back."""
        sections = {name: to_mapping(config) for name, config in self.own.items()}
        fixed = {"clip": self.clip, "limit": self.limit, "plan": self.plan}
        return {
            "dataset": self.dataset,
            "extract": list(self.extract),
            **{name: to_mapping(config) for name, config in fixed.items()},
            **sections,
        }


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How a build runs; the shards are the same whatever stands here."""

    workers: int = 0
    """Tasks at a time; 0 is one for every core that this process may use."""
    address: str = ""
    """A Ray cluster to join, as `auto` or `ray://host:10001`; empty starts a Ray of its own on this machine."""

    def __post_init__(self) -> None:
        """Checks the number of workers."""
        check(self.workers >= 0, "--workers", self.workers, "must not be negative")

    @property
    def num_workers(self) -> int:
        """`workers` with 0 resolved."""
        return self.workers or len(os.sched_getaffinity(0))


def resolve(dataset: str, extract: tuple[str, ...] | None = None, settings: Mapping[str, Any] | None = None) -> BuildConfig:
    """The whole config of a build: the dataset's suggestions, with the user's settings laid on top.

    Args:
        dataset: Name in DATASETS.
        extract: Names in EXTRACTORS; None is the default set.
        settings: Nested settings, a section each: `clip`, `limit`, `plan`, and the names of the dataset and the extractors.

    Raises:
        UnknownNameError: no such dataset, extractor or section.
        ConfigError: an unknown key, or a value that breaks its rule.
    """
    names = BuildConfig(dataset).extract if extract is None else extract
    check(len(set(names)) == len(names), "--extract", names, "must not name an extractor twice")
    own_classes = {dataset: DATASETS[dataset].Config, **{name: EXTRACTORS[name].Config for name in names}}
    merged = merge(DATASETS[dataset].build_settings, settings or {})
    classes: dict[str, type] = {"clip": ClipConfig, "limit": LimitConfig, "plan": PlanConfig, **own_classes}
    for section in merged:
        if section not in classes:
            raise UnknownNameError("settings section", section, classes)
    configs: dict[str, Any] = {name: from_mapping(cls, merged.get(name, {}), f"{name}.") for name, cls in classes.items()}
    own = {name: configs[name] for name in own_classes}
    return BuildConfig(dataset, names, configs["clip"], configs["limit"], configs["plan"], own)
