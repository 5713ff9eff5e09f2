"""What became of videos and clips, counted where it happens, so that sums can be held against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

__all__ = ["Tally"]


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one video, one shard or many; `a + b` adds them."""

    videos: int = 0
    built: int = 0
    partial: int = 0
    failed: int = 0
    clips_planned: int = 0
    """Clips that left the encoder."""
    clips_written: int = 0
    clips_failed: int = 0
    clips_removed: int = 0
    """Clips that were taken out for good, by `vdata remove`."""
    tails_dropped: int = 0
    frames: int = 0
    bytes: int = 0
    """Of the clips' members."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Failures of videos and clips by reason."""
    parts: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """What became of each part of a film that several shards share, by video_index: it is one video, and counted by `settled`."""

    def __add__(self, other: Tally) -> Tally:
        """The sums of both."""
        numbers = {name: getattr(self, name) + getattr(other, name) for name in _NUMBERS}
        reasons = Counter(self.reasons) + Counter(other.reasons)
        films = self.parts.keys() | other.parts.keys()
        parts = {film: (*self.parts.get(film, ()), *other.parts.get(film, ())) for film in films}
        return Tally.of(numbers, reasons, parts)

    def settled(self) -> Tally:
        """The same with every film counted as one video: built if all its parts are, failed if no part gave a clip."""
        films = Counter(_outcome(outcomes) for outcomes in self.parts.values())
        sums = {name: getattr(self, name) + films[name] for name in ("built", "partial", "failed")}
        return replace(self, **sums, parts={})

    def to_mapping(self) -> dict[str, Any]:
        """Plain values, for a row file's metadata."""
        parts = {str(film): list(outcomes) for film, outcomes in self.parts.items()}
        return {name: getattr(self, name) for name in _NUMBERS} | {"reasons": dict(self.reasons), "parts": parts}

    @classmethod
    def of(
        cls, numbers: Mapping[str, int], reasons: Mapping[str, int], parts: Mapping[int, tuple[str, ...]] | None = None
    ) -> Self:
        """A tally of the counts that are named; the others are 0."""
        return cls(**{name: numbers.get(name, 0) for name in _NUMBERS}, reasons=dict(reasons), parts=parts or {})

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """The tally that to_mapping made these values of."""
        parts = {int(film): tuple(outcomes) for film, outcomes in values.get("parts", {}).items()}
        return cls.of(values, values.get("reasons", {}), parts)


_NUMBERS = tuple(f.name for f in fields(Tally) if f.name not in ("reasons", "parts"))


def _outcome(parts: tuple[str, ...]) -> str:
    kinds = set(parts)
    return kinds.pop() if len(kinds) == 1 else "partial"
