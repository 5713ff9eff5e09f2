"""The table of tricks, which `_scripts`, `_lies` and `_entries` fill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from _videos import video

__all__ = ["HUGE", "MOST", "TRICKS", "Bait", "add", "entry", "plain", "stills", "write"]

HUGE = 2**31
MOST = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Bait:
    """What a file tries to make its reader touch."""

    canary: Path
    """A sound video outside the root that nobody may open."""
    url: str
    """Of a server that nobody may call."""


Trick = Callable[[Path, Bait], None]
TRICKS: dict[str, Trick] = {}
"""Each makes one entry, or a few, whose names begin with the path it is given."""


def add(name: str, extension: str, make: Callable[[Bait], bytes]) -> None:
    TRICKS[name] = lambda path, bait: write(path, extension, make(bait))


def write(path: Path, extension: str, data: bytes) -> None:
    path.with_name(path.name + extension).write_bytes(data)


def entry(name: str) -> Callable[[Trick], Trick]:
    def enter(trick: Trick) -> Trick:
        TRICKS[name] = trick
        return trick

    return enter


@cache
def plain() -> bytes:
    """An MP4 with its index at the end, which `edit` needs."""
    return video(".mp4")


@cache
def stills() -> bytes:
    """A MOV of PNG pictures."""
    return video(".mov", num_frames=3)
