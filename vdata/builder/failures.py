"""How many videos may fail, and which failures another try may mend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow.compute as pc

from vdata.builder.tally import Tally
from vdata.builder.task import Order
from vdata.errors import BuildFailedError
from vdata.shards.amend import add_stage
from vdata.shards.layout import ERRORS, committed_shards
from vdata.shards.rows import read_counts, read_rows

__all__ = ["FailureWatch", "retryable_shards"]

FEWEST_VIDEOS = 100
"""Before so many are done a share says little, and one broken video at the start would stop a build."""
_NUM_EXAMPLES = 3


class FailureWatch:
    """Stops a build whose share of failed videos is over `max_failed`. What earlier runs built counts too."""

    def __init__(self, folders: Sequence[Path], orders: Iterable[Order], max_failed: float) -> None:
        """Starts from the shards that stand already."""
        self._folders, self._max_failed = folders, max_failed
        due = {(order.folder, order.shard) for order in orders}
        # Where all may fail nobody asks, and tens of thousands of row files stay closed.
        done = [(folder, shard) for folder in folders for shard in committed_shards(folder)] if max_failed < 1 else []
        standing = [read_counts(folder, shard) for folder, shard in done if (folder.absolute(), shard) not in due]
        self._tally = sum(map(Tally.from_mapping, standing), Tally())

    def check(self, done: Tally) -> None:
        """Adds a shard.

        Raises:
            BuildFailedError: there are 100 videos, and more of them failed than may.
        """
        self._tally += done
        if self._tally.videos >= FEWEST_VIDEOS:
            self.check_end()

    def check_end(self) -> None:
        """Looks at the share however few videos there are.

        Raises:
            BuildFailedError: more failed than may; the message counts the reasons and shows three.
        """
        tally = self._tally.settled()
        if tally.failed <= self._max_failed * tally.videos:
            return
        share = f"{tally.failed} of {tally.videos} videos failed, more than --max-failed {self._max_failed:g} allows"
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(tally.reasons.items(), key=lambda item: -item[1]))
        raise BuildFailedError(f"{share}: {reasons}; such as {'; '.join(self._examples())}. What is finished stays")

    def _examples(self) -> list[str]:
        """The first failures of whole videos, as "'a.mp4' (no_frames: ...)"."""
        found: list[str] = []
        for folder in self._folders:
            for shard in committed_shards(folder):
                rows = read_rows(folder, shard, ["source", "key", "reason", "message"], suffix=ERRORS).to_pylist()
                found += [f"'{row['source']}' ({row['reason']}: {row['message']})" for row in rows if row["key"] is None]
                if len(found) >= _NUM_EXAMPLES:
                    return found[:_NUM_EXAMPLES]
        return found


def retryable_shards(folder: Path) -> list[int]:
    """The committed shards with a failure that another build may mend; what `vdata add` met is for its own --retry-failed."""
    return [shard for shard in committed_shards(folder) if _is_retryable(folder, shard)]


def _is_retryable(folder: Path, shard: int) -> bool:
    rows = read_rows(folder, shard, ["stage", "retryable"], suffix=ERRORS)
    own = pc.invert(pc.starts_with(rows["stage"], add_stage("")))
    return bool(pc.any(pc.and_(rows["retryable"], own)).as_py())
