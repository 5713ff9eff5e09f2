"""Files of every plain and not so plain kind, written by ffmpeg."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from vdata.media.config import LimitConfig
from vdata.media.container import Described, read_container
from vdata.media.ffmpeg import binary
from vdata.media.probe import describe
from vdata.media.source import open_source


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    """A function that writes two seconds of a test picture, and sound if asked, with ffmpeg's own options."""

    def make(name: str, *options: str, size: str = "160x96", sound: bool = False, rate: str = "25") -> Path:
        path = tmp_path / name
        source = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration=2"]
        source += ["-f", "lavfi", "-i", "sine=duration=2"] if sound else []
        subprocess.run([binary(), "-v", "error", "-y", *source, *options, str(path)], check=True)
        return path

    return make


def both(path: Path) -> tuple[Described | None, Described]:
    """What is read here, and what ffmpeg says."""
    with open_source(path.parent, path.name) as file:
        return read_container(file), describe(file, LimitConfig())


def facts(found: Described) -> dict[str, object]:
    """All that a container says, in a form that compares."""
    names = ("codec", "picture", "is_turned", "tick", "audio_codecs")
    return {name: getattr(found, name) for name in names} | {"times": sorted(found.times.tolist())}


@pytest.fixture
def assert_same() -> Callable[[Path], None]:
    """A check that a file is read here, and as ffmpeg reads it."""

    def check(path: Path) -> None:
        ours, theirs = both(path)
        assert ours is not None, path.name
        assert facts(ours) == facts(theirs), path.name

    return check
