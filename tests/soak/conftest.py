"""An undisturbed build, which every disturbed one is held against."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from _driver import Site, errors, rows, site, tars
from _videos import video

SETTINGS = (
    *("--workers", "2"),
    *("--set", "clip.short_side=96", "--set", "clip.seconds=1.0", "--set", "plan.shard_mb=0.03"),
)
"""Enlarged a little, and several shards."""
NUM_VIDEOS = 12


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What a build is when nothing happens to it."""

    root: Path
    out: Path
    """Not to be changed."""
    arguments: tuple[str, ...]
    tars: dict[str, str]
    rows: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    seconds: float
    """From start to end."""
    seconds_cutting: float
    """From the first ffmpeg of a worker to the end."""
    num_bytes: int
    """All files of its output."""

    def assert_equals(self, place: Site) -> None:
        """The output at `place` is sound and the same."""
        assert tars(place.out) == self.tars
        assert rows(place.out) == self.rows
        assert errors(place.out) == self.errors
        assert not [path for path in (place.out / ".tmp").glob("*") if path.name.startswith("clips")]
        place.verify()


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve videos of two classes, one that is cut off, and a file that is none."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(NUM_VIDEOS):
        extension = (".mp4", ".mkv", ".avi", ".webm")[number % 4]
        path = folder / "ab"[number % 2] / f"{number}{extension}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(video(extension, num_frames=60 + 20 * number, seed=number))
    whole = video(".ts", num_frames=100)
    (folder / "a" / "cut.ts").write_bytes(whole[: len(whole) // 2])
    (folder / "b" / "none.mp4").write_text("not a video")
    return folder


@pytest.fixture(scope="session")
def undisturbed(root: Path) -> Iterator[Undisturbed]:
    """The build of `root` as it should be."""
    with site(root) as place:
        start = time.monotonic()
        running = place.start(*SETTINGS)
        assert running.reach(0, cutting=True)
        cutting = time.monotonic()
        assert running.status() == 0, running.errors()
        end = time.monotonic()
        num_bytes = sum(path.stat().st_size for path in place.out.rglob("*") if path.is_file())
        found = tars(place.out)
        assert len(found) >= 6
        yield Undisturbed(
            root=root,
            out=place.out,
            arguments=SETTINGS,
            tars=found,
            rows=rows(place.out),
            errors=errors(place.out),
            seconds=end - start,
            seconds_cutting=end - cutting,
            num_bytes=num_bytes,
        )
