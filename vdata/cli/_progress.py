"""What a build prints while it runs: a bar on a terminal, a line now and then in a pipe."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from vdata.builder.plan import Plan
    from vdata.builder.task import Order, Tally

__all__ = ["BuildProgress"]

SECONDS_BETWEEN_LINES = 10.0


class BuildProgress:
    """Counts videos as shards are committed; its two methods are what `build` calls."""

    def __init__(self, *, quiet: bool) -> None:
        """Prints to stderr; `quiet` prints nothing."""
        self._console = Console(stderr=True, quiet=quiet)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=self._console, disable=not self._console.is_terminal or quiet)
        self._task = self._bar.add_task("videos", total=None, rate="")
        self._videos = self._failed = self._clips = self._frames = self._total = 0
        self._start = self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        """Starts the bar."""
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends the bar."""
        self._bar.stop()

    def on_plan(self, plans: dict[str, Plan], orders: list[Order]) -> None:
        """Says what is to be done, and what an earlier run has done."""
        videos, shards = (sum(counts) for counts in zip(*((len(p.videos), p.num_shards) for p in plans.values()), strict=True))
        self._total = sum(len(order.videos) for order in orders)
        finished = f", {shards - len(orders)} of them finished by an earlier run" if len(orders) < shards else ""
        self._console.print(f"{videos} videos in {shards} shards{finished}", highlight=False)
        self._bar.update(self._task, total=self._total)
        self._start = time.monotonic()

    def on_shard(self, order: Order, tally: Tally) -> None:
        """Counts one commit."""
        del order
        self._videos += tally.videos
        self._failed += tally.failed
        self._clips += tally.clips_written
        self._frames += tally.frames
        self._bar.update(self._task, completed=self._videos, rate=self._rates())
        if not self._console.is_terminal and time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._console.print(f"{self._videos}/{self._total} videos, {self._rates()}", highlight=False)

    def _rates(self) -> str:
        seconds = max(time.monotonic() - self._start, 1e-9)
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{self._clips / seconds:.1f} clips/s, {self._frames / seconds:.0f} frames/s{failed}"
