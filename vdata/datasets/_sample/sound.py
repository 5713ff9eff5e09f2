"""The tracks: six timbres whose loudness follows the sprite's phase, and the click that falls on the flash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vdata.datasets._sample.trajectories import Trajectory

__all__ = ["SAMPLE_RATE", "TIMBRES", "Sound"]

SAMPLE_RATE = 24_000

TIMBRES = ("tone", "chirp", "noise", "clicks", "chord", "am")
"""In the order of MOTIONS: a motion's own timbre has its index."""

_CLICK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Sound:
    """A track of one video."""

    timbre: int
    trajectory: Trajectory
    seconds: float
    """Length; shorter than the video in some."""
    click_seconds: float
    """When the flash is."""
    seed: int
    """Of the noise."""

    def samples(self, fps: int) -> NDArray[np.int16]:
        """The track, int16 (S,) at SAMPLE_RATE. Loudest once in each turn of the sprite."""
        time = np.arange(round(self.seconds * SAMPLE_RATE)) / SAMPLE_RATE
        phase = 2 * np.pi * self.trajectory.turns(time, fps)
        loudness = 0.1 + 0.9 * (0.5 + 0.5 * np.sin(phase)) ** 2
        track = 0.4 * loudness * self._wave(time)
        since = time - self.click_seconds
        near = (since >= 0) & (since < _CLICK_SECONDS)
        track[near] = 0.9 * np.sign(np.sin(2 * np.pi * 2000 * since[near])) * (1 - since[near] / _CLICK_SECONDS)
        return np.rint(track * 32767).astype(np.int16)

    def _wave(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """The timbre at full loudness, in [-1, 1]."""
        turn = 2 * np.pi * time
        waves: dict[str, Callable[[], NDArray[np.float64]]] = {
            "tone": lambda: np.sin(440 * turn),
            # The pitch swings between 400 and 1600 Hz, five times a second.
            "chirp": lambda: np.sin(1000 * turn + 120 * np.sin(5 * turn)),
            "noise": lambda: np.random.default_rng(self.seed).uniform(-1, 1, size=time.size),
            "clicks": lambda: np.sign(np.sin(1500 * turn)) * (time * 25 % 1 < 0.05),  # noqa: PLR2004 - a click's share
            "chord": lambda: np.sin(np.outer((262, 330, 392), turn)).mean(axis=0),
            "am": lambda: np.sin(700 * turn) * (0.5 + 0.5 * np.sin(40 * turn)),
        }
        return waves[TIMBRES[self.timbre]]()
