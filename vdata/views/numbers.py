"""Views of nothing but chance: numbers that a method needs for every sample, drawn like all others."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

from vdata.config import check

__all__ = ["Numbers"]

_MOST = 64


@dataclass(frozen=True, slots=True)
class Numbers:
    """Random numbers, (B, *shape), float32 in [low, high) or int64 in low .. high - 1; `order`: int64 permutations (B, high).

    So a method's own randomness (a static frame, a mixing weight, control points, an order of frames) is a function of the seed
    and the sample too, and comes again after a resume.
    """

    name: str = "numbers"
    """The batch key."""
    shape: tuple[int, ...] = ()
    """Of `float` and `integer`."""
    low: float = 0.0
    high: float = 1.0
    kind: Literal["float", "integer", "order"] = "float"

    def __post_init__(self) -> None:
        """Checks the range and the size."""
        key = f"views.{self.name}"
        check(self.kind in ("float", "integer", "order"), f"{key}.kind", self.kind, "must be float, integer or order")
        check(self.low < self.high, f"{key}.high", self.high, f"must be above low, {self.low}")
        check(all(side >= 1 for side in self.shape), f"{key}.shape", self.shape, "must hold numbers of at least 1")
        check(
            self.kind != "order" or not self.shape, f"{key}.shape", self.shape, "must be empty for order, which has high numbers"
        )
        check(self.kind != "order" or self.low == 0, f"{key}.low", self.low, "must be 0 for order")
        whole = self.low == int(self.low) and self.high == int(self.high)
        check(self.kind == "float" or whole, f"{key}.high", self.high, "must be a whole number for integers and orders")
        count = self.high if self.kind == "order" else prod(self.shape)
        many = "high" if self.kind == "order" else "shape"
        check(count <= _MOST, f"{key}.{many}", getattr(self, many), f"must ask for at most {_MOST} numbers")
