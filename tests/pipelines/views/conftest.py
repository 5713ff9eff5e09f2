"""Samples and members without shards: runs of clips of known lengths, and the bytes that readers ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pipelines.philox import NUM_UNIFORMS
from pipelines.samples import Samples, known_of
from pipelines.units import Runs
from vdata.errors import SchemaMismatchError
from vdata.views import View


class ListedClips:
    """An index of clips of given lengths, as far as readers ask for it."""

    def __init__(self, num_frames: Sequence[int], fps: float, columns: Mapping[str, Sequence]) -> None:
        count = len(num_frames)
        self.num_frames, self.fps = np.array(num_frames, np.int32), np.full(count, fps)
        self.picture, self.gop = np.tile(np.array([0, 0, 96, 64], np.int32), (count, 1)), np.full(count, 12, np.int32)
        self.width, self.height = np.full(count, 112, np.int32), np.full(count, 80, np.int32)
        self._columns = columns

    def key(self, clip: int) -> str:
        return f"clip-{clip}"

    def column(self, name: str) -> np.ndarray:
        return np.array(self._columns[name])


@dataclass
class ListedMembers:
    """Members by clip and extension, and a record of what was read."""

    stored: Mapping[tuple[int, str], bytes]
    asked: list[tuple[int, str, str]]

    def read(self, clip: int, ext: str, field: str) -> bytes | None:
        self.asked.append((clip, ext, field))
        if not any(known == ext for _, known in self.stored):
            raise SchemaMismatchError(f"no member '{ext}'")
        return self.stored.get((clip, ext))

    def parsed(self, clip: int, ext: str, field: str, parse: Callable[[bytes], Any]) -> Any:
        member = self.read(clip, ext, field)
        return None if member is None else parse(member)


@pytest.fixture(scope="session")
def make_members() -> Callable[[Mapping[tuple[int, str], bytes]], ListedMembers]:
    """A function from {(clip, extension): bytes} to members."""
    return lambda stored: ListedMembers(stored, [])


@pytest.fixture(scope="session")
def make_samples() -> Callable[..., Samples]:
    """A function from the lengths of clips, a list a sample, to samples whose runs are these clips, with views drawn."""

    def make(runs: Sequence[Sequence[int]], views: Sequence[View], *, fps: float = 25.0, seed: int = 0, **columns) -> Samples:
        lengths = [length for run in runs for length in run]
        rng = np.random.default_rng(seed)
        stop = np.cumsum([len(run) for run in runs])
        start = stop - [len(run) for run in runs]
        taken = Runs(np.arange(len(lengths)), np.cumsum([0, *lengths]), start, stop)
        u = {view.name: rng.random((len(runs), NUM_UNIFORMS)) for view in views}
        clips = ListedClips(lengths, fps, columns)
        return known_of(clips, taken, views, u, rng.random((len(runs), NUM_UNIFORMS)))

    return make
