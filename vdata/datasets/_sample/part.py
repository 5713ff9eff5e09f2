"""The command that writes every n-th video of the dataset, with its truth: `python -m vdata.datasets._sample.part`.

It is a command so that `collection` can start several.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2

from vdata.datasets._sample import film, render, truth
from vdata.datasets._sample.world import FPS, Plan, draw

__all__ = ["write"]


def write(root: Path, plan: Plan) -> None:
    """Nothing; writes one video and its truth."""
    samples = plan.sound.samples(FPS) if plan.sound else None
    film.write(root / plan.source, render.frames(plan), plan.size, FPS, samples)
    truth.save(root / "truth" / f"{plan.video_id}.npz", truth.of(plan))


def _main(root: str, seed: str, scale: str, part: str, parts: str) -> None:
    # There is a process for every CPU already.
    cv2.setNumThreads(1)
    for plan in draw(int(seed), scale)[int(part) :: int(parts)]:
        write(Path(root), plan)


if __name__ == "__main__":
    _main(*sys.argv[1:])
