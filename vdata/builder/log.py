"""The story of a build as lines of a log, by Python's own logging: logger `vdata.build`."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from vdata.builder.plan import Plan
from vdata.builder.tally import Tally
from vdata.builder.task import Order
from vdata.shards.layout import shard_name

__all__ = ["LOG_FILE", "BuildLog", "log_file"]

LOG_FILE = "build.log"
_LOGGER = logging.getLogger("vdata.build")


class BuildLog:
    """Writes what a build tells; a Watch."""

    def __init__(self, title: str) -> None:
        """Takes the first line, as the command that was typed."""
        self._title = title

    def on_plan(self, plans: Mapping[str, Plan], orders: Sequence[Order]) -> None:
        """The title, then a line a split."""
        _LOGGER.info("%s", self._title)
        for split, plan in plans.items():
            due = sum(order.folder.name == split or not split for order in orders)
            name = f"{split}: " if split else ""
            skipped = f"{len(plan.skipped)} entries skipped"
            _LOGGER.info("%s%d videos, %s, %d shards, %d to build", name, plan.num_videos, skipped, plan.num_shards, due)

    def on_shard(self, order: Order, tally: Tally) -> None:
        """One line a commit, with the failures by reason."""
        level = logging.WARNING if tally.reasons else logging.INFO
        counts = f"{tally.videos} videos, {tally.clips_written} clips, {tally.frames} frames, {tally.bytes} bytes"
        reasons = ", ".join(f"{reason} {count}" for reason, count in tally.reasons.items())
        _LOGGER.log(level, "%s: %s%s", _name(order), counts, f"; failures: {reasons}" if reasons else "")

    def on_retry(self, order: Order, why: str) -> None:
        """One line."""
        _LOGGER.warning("%s: %s", _name(order), why)


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """While the block runs, what `vdata.build` logs is appended to a file, and at the end how the block ended.

    The file is made by the first line: a command that is refused leaves nothing behind.
    """
    handler = _Quiet(path, encoding="utf-8", errors="backslashreplace", delay=True)
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    before = _LOGGER.level
    _LOGGER.setLevel(logging.INFO)
    _LOGGER.addHandler(handler)
    try:
        yield
        _LOGGER.info("done")
    except BaseException as error:
        if path.exists():
            _LOGGER.error("ended by %s: %s", type(error).__name__, error)  # noqa: TRY400 - a traceback is for the terminal
        raise
    finally:
        _LOGGER.removeHandler(handler)
        _LOGGER.setLevel(before)
        handler.close()


class _Quiet(logging.FileHandler):
    """A log that cannot be written, as on a full disk, ends no build and prints no traceback."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Nothing."""
        del record

    def close(self) -> None:
        """Closes the file; what a full disk did not take is lost."""
        try:
            super().close()
        except OSError:
            self.stream = None


def _name(order: Order) -> str:
    return f"{order.folder.name}/{shard_name(order.shard)}"
