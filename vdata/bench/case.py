"""What a case file gives to the runner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Bench", "Skip", "Timed", "Variant"]


@dataclass(frozen=True, slots=True)
class Bench:
    """What a case may know: which shards, how long, on what."""

    shards: Path
    """One shard folder."""
    scratch: Path
    """An empty folder for the case's own files, removed afterwards."""
    quick: bool = False
    """Whether a rough figure in seconds is wanted, in place of a good one in minutes."""
    peers: bool = False
    """Whether other packages are measured too, where they are installed."""
    device: str = "cpu"

    @property
    def repeats(self) -> int:
        """Timed rounds of every variant."""
        return 3 if self.quick else 7


@dataclass(frozen=True, slots=True)
class Timed:
    """Work that was timed by whoever did it, where a part of a run does not count."""

    work: float
    seconds: float
    detail: Mapping[str, float] = field(default_factory=dict)
    """What else it found, by name; the figure has the medians."""
    cpu_seconds: float | None = None
    """CPU time of the work, where it was done by processes that go on; by default what this process and its children took."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to do the case's work."""

    name: str
    run: Callable[[], float | Timed]
    """Does the work once and returns how much of it, in the case's unit without "/s"."""
    prepare: Callable[[], object] = lambda: None
    """Called before every `run`, untimed."""
    base: str | tuple[str, ...] = ""
    """Names of the variants that it is held against; empty for the case's first."""


@dataclass(frozen=True, slots=True)
class Skip:
    """A variant that cannot run here, named with the reason."""

    name: str
    reason: str
