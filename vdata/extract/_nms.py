"""Non-maximum suppression: of boxes that overlap, the one with the best score."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Overlap", "overlaps", "suppress"]

Overlap = Literal["union", "smaller"]
"""What the intersection of two boxes is divided by: their union (IoU), or the smaller of the two."""


def suppress(
    corners: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
    threshold: float,
    classes: npt.NDArray[np.int32] | None = None,
    by: Overlap = "union",
    most: int | None = None,
) -> npt.NDArray[np.intp]:
    """Indices of the boxes that stay, the best score first; of equal scores the first stays first.

    A box goes when it overlaps a better one that stays by more than `threshold`; one that overlaps by just as much stays.

    Args:
        corners: (N, 4): x0, y0, x1, y1.
        scores: (N,).
        threshold: in [0, 1].
        classes: (N,); where given, boxes of different classes leave one another alone.
        by: what an intersection is divided by.
        most: how many may stay, the best; None is all.

    Source: the greedy rule of Felzenszwalb et al., Object Detection with Discriminatively Trained Part Based Models, section 6.2,
    as ONNX's operator NonMaxSuppression has it.
    """
    waiting = np.argsort(-scores, kind="stable")
    kept: list[np.intp] = []
    while waiting.size and len(kept) != most:
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        stays = ~(overlaps(corners[best], corners[waiting], by) > threshold)
        if classes is not None:
            stays |= classes[waiting] != classes[best]
        waiting = waiting[stays]
    return np.array(kept, np.intp)


def overlaps(box: npt.NDArray[np.float32], others: npt.NDArray[np.float32], by: Overlap = "union") -> npt.NDArray[np.float32]:
    """Of one box (4,) with each of `others` (N, 4), in [0, 1], (N,); 0 where neither has an area."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    own, other = (box[2:] - box[:2]).prod(), (others[:, 2:] - others[:, :2]).prod(axis=1)
    whole = own + other - shared if by == "union" else np.minimum(own, other)
    found: npt.NDArray[np.float32] = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    return found
