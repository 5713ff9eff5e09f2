"""Where a view's windows lie in time: named samplers and their arguments, as text that TOML can hold.

What each of them does stands in pipelines/windows.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

from vdata.config import check

__all__ = ["SAMPLERS", "Pad", "Phase", "Start", "Windowed", "check_window", "parse_start"]

Pad = Literal["none", "edge", "loop"]
"""What a clip shorter than the span does: it is left out, repeats its last frame, or starts again."""
Phase = Literal["any", "stride"]
"""Where a window may start: anywhere, or on multiples of its stride alone, which in layered clips costs half the packets."""

SAMPLERS = {
    "uniform": "",
    "centre": "",
    "centre_clamped": "",
    "uniform_k": "COUNT",
    "cvrl_gap": "NAME",
    "same": "NAME",
    "consecutive_after": "NAME:FRAMES",
    "disjoint_from": "NAME:SECONDS",
}
"""Samplers and what follows their name, divided by colons."""


@dataclass(frozen=True, slots=True)
class Start:
    """A temporal sampler with its arguments."""

    sampler: str
    """A name of SAMPLERS."""
    of: str = ""
    """The view that it looks at; empty for one that looks at none."""
    number: float = 0.0
    """Windows, frames or seconds, as the sampler means it."""


class Windowed(Protocol):
    """What is asked of a view that takes windows of frames."""

    @property
    def name(self) -> str:
        """The batch key."""

    @property
    def frames(self) -> int:
        """Frames of one window."""

    @property
    def stride(self) -> int:
        """Frames from one taken frame to the next."""

    @property
    def start(self) -> str:
        """The sampler."""

    @property
    def pad(self) -> Pad:
        """Past the end."""

    @property
    def phase(self) -> Phase:
        """Which starts are allowed."""

    @property
    def speeds(self) -> tuple[int, ...]:
        """Factors on the stride, one of which is drawn."""

    @property
    def speed_unlike(self) -> str:
        """The view whose drawn speed is not taken."""


def parse_start(text: str, key: str) -> Start:
    """The sampler that "name", "name:VIEW", "name:NUMBER" or "name:VIEW:NUMBER" names.

    Raises:
        ConfigError: an unknown name, or arguments that are not its own; `key` is the setting's.
    """
    name, *given = text.split(":")
    forms = ", ".join(f"{known}:{arguments}".rstrip(":") for known, arguments in SAMPLERS.items())
    rule = f"must be one of {forms}"
    check(name in SAMPLERS, key, text, rule)
    wanted = SAMPLERS[name].split(":") if SAMPLERS[name] else []
    check(len(given) == len(wanted) and all(given), key, text, rule)
    values = dict(zip(wanted, given, strict=True))
    return Start(
        name, values.pop("NAME", ""), _number(next(iter(values.values()), "0"), key, text, whole="SECONDS" not in values)
    )


def check_window(view: Windowed) -> None:
    """Nothing, if the view's numbers can make a window.

    Raises:
        ConfigError: one that breaks its rule.
    """
    key = f"views.{view.name}"
    check(isinstance(view.start, str), f"{key}.start", view.start, "must be text, as 'uniform'")
    for name in ("frames", "stride"):
        check(isinstance(getattr(view, name), int), f"{key}.{name}", getattr(view, name), "must be a whole number")
    check(isinstance(view.speeds, tuple), f"{key}.speeds", view.speeds, "must be a tuple of whole numbers, as (1, 2)")
    check(view.frames >= 1, f"{key}.frames", view.frames, "must be at least 1")
    check(view.stride >= 1, f"{key}.stride", view.stride, "must be at least 1")
    check(view.pad in ("none", "edge", "loop"), f"{key}.pad", view.pad, "must be none, edge or loop")
    check(view.phase in ("any", "stride"), f"{key}.phase", view.phase, "must be any or stride")
    check(bool(view.speeds) and min(view.speeds) >= 1, f"{key}.speeds", view.speeds, "must be whole numbers of 1 or more")
    start = parse_start(view.start, f"{key}.start")
    if start.sampler == "centre_clamped":
        check(view.pad == "edge", f"{key}.pad", view.pad, "must be edge with start centre_clamped, which reaches over both ends")
    if start.sampler == "uniform_k":
        check(start.number >= 1, f"{key}.start", view.start, "must ask for at least 1 window")


def _number(text: str, key: str, start: str, *, whole: bool) -> float:
    try:
        number = float(int(text)) if whole else float(text)
    except ValueError:
        number = -1.0
    check(0 <= number < math.inf, key, start, f"must end in a {'whole ' if whole else ''}number of 0 or more")
    return number
