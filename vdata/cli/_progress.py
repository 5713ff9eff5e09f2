"""What a build prints while it runs: a bar on a terminal, a line now and then in a pipe."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from vdata.builder.plan import Plan
    from vdata.builder.tally import Tally
    from vdata.builder.task import Order

__all__ = ["BuildProgress"]

SECONDS_BETWEEN_LINES = 10.0
_NUM_REASONS = 4


class BuildProgress:
    """Counts videos as shards are committed; a Watch of the builder."""

    def __init__(self, *, quiet: bool) -> None:
        """Prints to stderr; `quiet` prints nothing."""
        self._console = Console(stderr=True, quiet=quiet)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        # Rates come shard by shard: an estimate from the last half minute would jump.
        self._bar = Progress(
            *columns, console=self._console, disable=not self._console.is_terminal or quiet, speed_estimate_period=600
        )
        self._task = self._bar.add_task("videos", total=None, rate="")
        self._done: Tally | None = None
        self._total = 0
        self._start = self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        """Starts the bar."""
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends the bar."""
        self._bar.stop()

    def on_plan(self, plans: Mapping[str, Plan], orders: Sequence[Order]) -> None:
        """Says what is to be done, and what an earlier run has done."""
        videos, shards = (sum(counts) for counts in zip(*((p.num_videos, p.num_shards) for p in plans.values()), strict=True))
        self._total = sum(planned.part == 0 for order in orders for planned in order.videos)
        finished = f", {shards - len(orders)} of them finished by an earlier run" if len(orders) < shards else ""
        self._print(f"{videos} videos in {shards} shards{finished}")
        self._bar.update(self._task, total=self._total)
        self._start = time.monotonic()

    def on_shard(self, order: Order, tally: Tally) -> None:
        """Counts one commit."""
        del order
        self._done = tally if self._done is None else self._done + tally
        self._bar.update(self._task, completed=self._done.videos, rate=self._rates())
        if not self._console.is_terminal and time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._print(f"{self._done.videos}/{self._total} videos, {self._rates()}, {self._remaining()}")

    def on_retry(self, order: Order, why: str) -> None:
        """Says that a shard is built again."""
        self._print(f"shard {order.shard}: {why}")

    def _print(self, line: str) -> None:
        # A file's name may hold what is no text, and brackets that rich would take for a style.
        line = line.encode("utf-8", "backslashreplace").decode()
        self._console.print(escape(line), highlight=False, soft_wrap=True)

    def _remaining(self) -> str:
        """The time that the rest will take at the pace so far."""
        videos = self._done.videos if self._done else 0
        seconds = (time.monotonic() - self._start) / max(videos, 1) * (self._total - videos)
        minutes, hours = seconds / 60, seconds / 3600
        return f"about {hours:.1f} h left" if hours >= 1 else f"about {minutes:.1f} min left"

    def _rates(self) -> str:
        tally, seconds = self._done, max(time.monotonic() - self._start, 1e-9)
        if tally is None:
            return ""
        rates = f"{tally.clips_written / seconds:.1f} clips/s, {tally.frames / seconds:.0f} frames/s, {tally.bytes / 1e6:.0f} MB"
        most = sorted(tally.reasons.items(), key=lambda item: -item[1])
        reasons = ", ".join(f"{reason} {count}" for reason, count in most[:_NUM_REASONS])
        return f"{rates}; failures: {reasons}{', ...' if len(most) > _NUM_REASONS else ''}" if most else rates
