"""What a build would find at a root, split by split, without building anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vdata.datasets import DATASETS, list_videos, splits_of
from vdata.errors import ConfigError
from vdata.media.url import Root
from vdata.records import Skipped, Video, printable

__all__ = ["SplitSurvey", "survey"]

_NUM_EXAMPLES = 3
_NO_LOSS = frozenset({"junk", "listed_twice", "linked_twice", "not_media"})
"""Reasons for which nothing is skipped that anybody would want."""


@dataclass(frozen=True, slots=True)
class SplitSurvey:
    """One split as a listing finds it."""

    videos: int = 0
    """How many would be built."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """How many would not, by reason."""
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of each reason the first few, as "SOURCE: MESSAGE"."""
    problem: str = ""
    """Why the split cannot be listed at all; empty where it can."""
    published: int = 0
    """How many its owners publish; 0 where nobody says."""

    @property
    def is_whole(self) -> bool:
        """Whether all that is listed would be built, but for what is no loss, and no fewer than are published."""
        return not self.problem and _NO_LOSS.issuperset(self.skipped) and self.videos >= self.published

    def to_mapping(self) -> dict[str, Any]:
        """Plain values."""
        names = ("videos", "skipped", "examples", "problem", "published")
        return {name: getattr(self, name) for name in names} | {"is_whole": self.is_whole}


def survey(name: str, root: Root, config: object) -> dict[str, SplitSurvey]:
    """What the dataset of that name would find below `root`, by split; one without splits has the key "".

    Args:
        name: in DATASETS.
        root: the folder, or its URL.
        config: the dataset's own Config.

    Raises:
        ConfigError: the root is not laid out as expected; what is wrong with one split alone is its `problem`.
    """
    dataset = DATASETS[name](config)
    if isinstance(root, Path):
        dataset.prepare(root)
    published = dataset.about.num_videos
    splits = splits_of(dataset, root) or ("",)
    # What has no list is told too, where a dataset has lists at all.
    splits += tuple(split for split in dataset.splits if split not in splits and splits != ("",))
    return {split: _surveyed(list_videos(name, dataset, root, split), published.get(split, 0)) for split in splits}


def _surveyed(entries: Iterable[Video | Skipped], published: int) -> SplitSurvey:
    videos, reasons, examples = 0, Counter[str](), dict[str, tuple[str, ...]]()
    try:
        for entry in entries:
            if isinstance(entry, Video):
                videos += 1
                continue
            reasons[entry.reason] += 1
            shown = examples.get(entry.reason, ())
            if len(shown) < _NUM_EXAMPLES:
                examples[entry.reason] = (*shown, printable(f"{entry.source}: {entry.message}"))
    except ConfigError as error:
        return SplitSurvey(problem=printable(str(error)), published=published)
    return SplitSurvey(videos, dict(reasons.most_common()), examples, published=published)
