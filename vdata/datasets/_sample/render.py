"""A plan as pixels: the scene under its camera, the sprites, the light, the flash and the sensor's noise."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from vdata.datasets._sample.scenes import tiles
from vdata.datasets._sample.sprites import HALF
from vdata.datasets._sample.world import Plan

__all__ = ["frames"]

_NOISE_SIGMA = 3.0
"""Of the sensor, alike in the three channels. Grey levels."""

_GREY = 128
"""The level of the constant videos."""


def frames(plan: Plan) -> Iterator[NDArray[np.uint8]]:
    """The video's pictures, uint8 (H, W, 3), RGB."""
    if plan.edge == "constant":
        grey = np.full((plan.size[1], plan.size[0], 3), _GREY, np.uint8)
        return (grey for _ in range(plan.num_frames))
    return _frames(plan)


def _frames(plan: Plan) -> Iterator[NDArray[np.uint8]]:
    tile = tiles(plan.scene, plan.split)[plan.tile]
    noise = np.random.default_rng(plan.noise_seed)
    still = [(item.sprite.image(), item.x, item.y, item.radius) for item in plan.distractors]
    sprite = plan.sprite.image()
    depth, phase = plan.lighting
    light = 1 + depth * np.sin(2 * np.pi * (np.arange(plan.num_frames) / plan.num_frames + phase))
    path, views = plan.trajectory(plan.num_frames), plan.camera(plan.num_frames, plan.size)
    for t in range(plan.num_frames):
        picture = _resampled(tile, views[t], plan.size, cv2.BORDER_REFLECT)
        for layer in (*still, (sprite, *path[t])):
            _paste(picture, *layer)
        picture *= np.float32(light[t])
        if t == plan.flash_frame:
            picture += (np.float32(255) - picture) * np.float32(0.8)
        grain = noise.standard_normal(picture.shape[:2], np.float32) * np.float32(_NOISE_SIGMA)
        picture += grain[..., None]
        yield np.clip(np.rint(picture, out=picture), 0, 255, out=picture).astype(np.uint8)


def _paste(picture: NDArray[np.float32], image: NDArray[np.uint8], x: float, y: float, radius: float) -> None:
    """Nothing; lays a sprite's `image` over the picture, in place; all of it must lie inside."""
    left, top = int(x - radius), int(y - radius)
    size = (math.ceil(x + radius) - left, math.ceil(y + radius) - top)
    scale = radius / HALF
    matrix = np.array([[scale, 0, x - radius - left], [0, scale, y - radius - top]])
    patch = _resampled(image, matrix, size, cv2.BORDER_CONSTANT)
    below = picture[top : top + size[1], left : left + size[0]]
    below *= 1 - patch[..., 3:] / np.float32(255)
    below += patch[..., :3]


def _resampled(image: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int], border: int) -> NDArray[np.float32]:
    """The picture of `size` that the matrix (scale and shift) makes of the image, float32 (H, W, C)."""
    # Not warpAffine: its float weights differ in the last bit between processors. remap on uint8 works in integers, from
    # coordinates in steps of 1/32, and rounds others in a way that differs between processors too.
    # The coordinates count from pixel centres, half a pixel off the continuous ones.
    x = _steps((np.arange(size[0]) + 0.5 - matrix[0, 2]) / matrix[0, 0] - 0.5)
    y = _steps((np.arange(size[1]) + 0.5 - matrix[1, 2]) / matrix[1, 1] - 0.5)
    across, down = np.repeat(x[None], size[1], axis=0), np.repeat(y[:, None], size[0], axis=1)
    return np.asarray(cv2.remap(image, across, down, cv2.INTER_LINEAR, borderMode=border), np.float32)


def _steps(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return (np.rint(values * 32) / 32).astype(np.float32)
