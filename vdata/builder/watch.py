"""What a build tells while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from vdata.builder.plan import Plan
from vdata.builder.tally import Tally
from vdata.builder.task import Order

__all__ = ["Watch"]


class Watch(Protocol):
    """Somebody who is told: a progress bar, a log file. Called in the process that runs the build, one call at a time."""

    def on_plan(self, plans: Mapping[str, Plan], orders: Sequence[Order]) -> None:
        """The plans by split, and the orders for what is not there yet; called once, before the first task."""

    def on_shard(self, order: Order, tally: Tally) -> None:
        """A shard was committed."""

    def on_retry(self, order: Order, why: str) -> None:
        """A shard will be built again."""
