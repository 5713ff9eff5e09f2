"""Views of the rows: what the shards say of a sample beside its media."""

from __future__ import annotations

from dataclasses import dataclass

from vdata.config import check

__all__ = ["Fact"]


@dataclass(frozen=True, slots=True)
class Fact:
    """A column of the rows, (B,): int64 for whole numbers, float32 for others, bool for truths; of the sample's first clip.

    With `classes` a list of class indices, as `labels`, becomes float32 (B, classes), 1 where the list holds the index.
    """

    name: str
    """The batch key."""
    column: str = ""
    """A column of numbers or truths, or with `classes` one of lists of whole numbers; empty is the name itself. `video` is a
    number for each video, also over several folders."""
    classes: int = 0
    """How many classes there are, of a list."""
    missing: float = -1.0
    """What stands for a null. Of a list, a null is no class."""

    def __post_init__(self) -> None:
        """Checks the classes."""
        check(self.classes >= 0, f"views.{self.name}.classes", self.classes, "must not be negative; 0 is no list")

    @property
    def source(self) -> str:
        """The column's name."""
        return self.column or self.name
