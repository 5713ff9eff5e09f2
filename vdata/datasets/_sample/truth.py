"""What is known of every frame: stored beside the videos as `truth/<video_id>.npz`, read by tests and methods.

It is apart from the columns of the rows, which hold one value a video. No training batch sees it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vdata.datasets._sample.sprites import inside
from vdata.datasets._sample.world import Plan

__all__ = ["Truth", "load", "of", "save"]


@dataclass(frozen=True)
class Truth:
    """The exact geometry of a video, in continuous pixels of its picture: pixel i covers [i, i + 1)."""

    size: NDArray[np.int32]
    """Width and height, (2,)."""
    shape: NDArray[np.int32]
    """Index in SHAPES of the main sprite, ()."""
    path: NDArray[np.float64]
    """x, y and radius of the main sprite, (T, 3). Radius 0 where nothing is seen: the constant videos."""
    camera: NDArray[np.float64]
    """The affine matrix from the scene's tile to the picture, (T, 2, 3)."""
    distractors: NDArray[np.float64]
    """x, y and radius of the sprites that stay, (D, 3)."""
    distractor_sprites: NDArray[np.int32]
    """Their textures, indices in SPRITES, (D,)."""

    @property
    def boxes(self) -> NDArray[np.float64]:
        """x0, y0, x1, y1 of the main sprite, (T, 4)."""
        centre, radius = self.path[:, :2], self.path[:, 2:]
        return np.concatenate([centre - radius, centre + radius], axis=1)

    @property
    def velocity(self) -> NDArray[np.float64]:
        """How far the main sprite's centre moved since the frame before, (T, 2), pixels; 0 in frame 0."""
        return np.diff(self.path[:, :2], axis=0, prepend=self.path[:1, :2])

    def flow(self, frame: int) -> NDArray[np.float64]:
        """The affine matrix (2, 3) that takes a point of the background in the frame before to its place in `frame`."""
        rows = [np.vstack([self.camera[t], [0, 0, 1]]) for t in (max(frame - 1, 0), frame)]
        return np.asarray((rows[1] @ np.linalg.inv(rows[0]))[:2], np.float64)

    def mask(self, frame: int) -> NDArray[np.bool_]:
        """Which pixels' centres the main sprite covers, (H, W)."""
        centre_x, centre_y, radius = self.path[frame]
        if not radius:
            return np.zeros((self.size[1], self.size[0]), np.bool_)
        x, y = np.meshgrid(np.arange(self.size[0]) + 0.5, np.arange(self.size[1]) + 0.5)
        return inside(int(self.shape), (x - centre_x) / radius, (y - centre_y) / radius)


def of(plan: Plan) -> Truth:
    """The truth of a plan."""
    path = plan.trajectory(plan.num_frames)
    if plan.edge == "constant":
        path[:, 2] = 0
    return Truth(
        size=np.array(plan.size, np.int32),
        shape=np.array(plan.sprite.shape, np.int32),
        path=path,
        camera=plan.camera(plan.num_frames, plan.size),
        distractors=np.array([(item.x, item.y, item.radius) for item in plan.distractors], np.float64).reshape(-1, 3),
        distractor_sprites=np.array([item.sprite.texture for item in plan.distractors], np.int32),
    )


def save(path: Path, truth: Truth) -> None:
    """Nothing; writes the file that `load` reads."""
    np.savez_compressed(path, **vars(truth))


def load(root: Path, video_id: str) -> Truth:
    """The truth of a video of the sample dataset below `root`."""
    with np.load(root / "truth" / f"{video_id}.npz") as stored:
        return Truth(**stored)
