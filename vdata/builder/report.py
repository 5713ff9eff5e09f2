"""What a build did, as sums that must agree with each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vdata.builder.plan import Plan
from vdata.builder.tally import Tally
from vdata.shards.dataset_json import count_problems, read_dataset_json
from vdata.shards.layout import ERRORS, committed_shards
from vdata.shards.rows import read_added, read_counts, read_rows

__all__ = ["BuildReport", "SplitReport", "report_split"]


@dataclass(frozen=True, slots=True)
class SplitReport:
    """The sums of one shard folder, over all runs that built it."""

    folder: Path
    videos_listed: int
    videos_skipped: int
    """Listed, but not planned: no video by its name, or missing."""
    tally: Tally
    num_shards: int
    reasons: dict[str, int] = field(default_factory=dict)
    """Rows of errors.parquet by reason."""
    lacking: dict[str, int] = field(default_factory=dict)
    """Shards without a field that `vdata add` gave to others, by field: they came later, or it was interrupted."""

    @property
    def reconciles(self) -> bool:
        """Whether every video and every clip is accounted for exactly once."""
        return not count_problems(self.counts())

    def sums(self) -> tuple[str, str]:
        """The two sums as people read them."""
        tally = self.tally
        removed = f" + {tally.clips_removed} removed" if tally.clips_removed else ""
        videos = f"{tally.built} built + {tally.partial} partial + {self.videos_skipped} skipped + {tally.failed} failed"
        return (
            f"{self.videos_listed} videos listed = {videos}",
            f"{tally.clips_planned} clips planned = {tally.clips_written} written + {tally.clips_failed} failed{removed}",
        )

    def counts(self) -> dict[str, Any]:
        """Plain values, under the names that dataset.json and --json use."""
        tally = self.tally
        return {
            "videos_listed": self.videos_listed,
            "videos_built": tally.built,
            "videos_partial": tally.partial,
            "videos_skipped": self.videos_skipped,
            "videos_failed": tally.failed,
            "clips_planned": tally.clips_planned,
            "clips_written": tally.clips_written,
            "clips_failed": tally.clips_failed,
            "clips_removed": tally.clips_removed,
            "tails_dropped": tally.tails_dropped,
            "frames": tally.frames,
            "bytes": tally.bytes,
            "shards": self.num_shards,
            "reasons": self.reasons,
            **({"lacking": self.lacking} if self.lacking else {}),
        }


@dataclass(frozen=True, slots=True)
class BuildReport:
    """The reports of all splits that one command built."""

    splits: dict[str, SplitReport]
    """By split name; one entry named "" for a dataset without splits."""
    tally: Tally
    """What this run built; the splits' sums are those of all runs."""
    seconds: float
    """Wall time of this run, listing included."""
    seconds_building: float
    """The part of it with tasks on Ray."""
    seconds_ray: float = 0.0
    """The part that Ray took to start and to stop."""

    @property
    def reconciles(self) -> bool:
        """Whether all splits do."""
        return all(split.reconciles for split in self.splits.values())

    def to_mapping(self) -> dict[str, Any]:
        """Plain values, for --json."""
        splits = {
            name: {"folder": str(split.folder), **split.counts(), "reconciles": split.reconciles}
            for name, split in self.splits.items()
        }
        seconds = {"seconds": self.seconds, "seconds_building": self.seconds_building, "seconds_ray": self.seconds_ray}
        times = {name: round(value, 3) for name, value in seconds.items()}
        return {"splits": splits, "reconciles": self.reconciles, **times}


def report_split(folder: Path, plan: Plan) -> SplitReport:
    """The sums of a shard folder as its committed files give them, held against its plan."""
    shards = committed_shards(folder)
    tally = sum((Tally.from_mapping(read_counts(folder, shard)) for shard in shards), Tally()).settled()
    reasons = Counter(item.reason for item in plan.skipped)
    for shard in shards:
        reasons.update(read_rows(folder, shard, ["reason"], suffix=ERRORS)["reason"].to_pylist())
    return SplitReport(
        folder=folder,
        videos_listed=plan.num_videos + len(plan.skipped),
        videos_skipped=len(plan.skipped),
        tally=tally,
        num_shards=len(shards),
        reasons=dict(reasons.most_common()),
        lacking=_lacking(folder, shards),
    )


def _lacking(folder: Path, shards: Sequence[int]) -> dict[str, int]:
    content = read_dataset_json(folder)
    if content is None or not content.added:
        return {}
    found = Counter(name for shard in shards for name in read_added(folder, shard))
    return {name: len(shards) - found[name] for name in content.added if found[name] < len(shards)}
