from __future__ import annotations

import dataclasses
from functools import cache

import cv2
import numpy as np
import pytest

from vdata.datasets._sample import render, truth, world
from vdata.datasets._sample.sprites import SHAPES, Sprite


@cache
def plans() -> list[world.Plan]:
    return [plan for plan in world.draw(0, "tiny") if not plan.edge]


def frames(plan: world.Plan) -> np.ndarray:
    return np.stack(list(render.frames(plan))).astype(np.float32)


def plain(plan: world.Plan, **changes) -> world.Plan:
    """The plan without distractors, change of light and flash, short."""
    return dataclasses.replace(plan, distractors=(), lighting=(0.0, 0.0), flash_frame=-1, num_frames=8, **changes)


@pytest.mark.parametrize("shape", range(len(SHAPES)))
@pytest.mark.parametrize("motion", ["circle", "shake", "pulse"])
def test_the_sprite_is_where_the_truth_says(shape, motion, monkeypatch):
    monkeypatch.setattr(render, "_NOISE_SIGMA", 0.0)
    plan = next(plan for plan in plans() if plan.trajectory.motion == motion)
    bright, dim = (plain(plan, sprite=Sprite(0, shape, (gain,) * 3)) for gain in (1.0, 0.5))
    # Two pictures that differ in the sprite's gain alone differ exactly where the sprite is.
    touched = np.abs(frames(bright) - frames(dim)).max(axis=-1) > 4
    known = truth.of(bright)
    for t in range(bright.num_frames):
        mask = known.mask(t)
        assert (touched[t] & mask).sum() / (touched[t] | mask).sum() > 0.8
        ys, xs = np.nonzero(touched[t])
        np.testing.assert_allclose([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], known.boxes[t], atol=1.6)
        centre = (xs.mean() + 0.5, ys.mean() + 0.5)
        np.testing.assert_allclose(centre, known.path[t, :2], atol=0.5)


@pytest.mark.parametrize("kind", ["pan", "zoom"])
def test_the_background_moves_by_the_true_flow(kind, monkeypatch):
    monkeypatch.setattr(render, "_NOISE_SIGMA", 0.0)
    # grass: rich in detail, so that a wrong flow is far off.
    plan = next(plan for plan in plans() if plan.camera.kind == kind and (kind == "zoom" or np.hypot(*plan.camera.velocity) > 1))
    plan = plain(plan, scene=world.SCENES.index("grass"), tile=0)
    known, pictures = truth.of(plan), frames(plan)

    def error(flow):
        moved = flow.copy()
        moved[:, 2] += flow[:, :2] @ np.array([0.5, 0.5]) - 0.5
        # Over three frames, so that a slow zoom counts.
        away = np.ones(pictures.shape[1:3], bool)
        for t in (4, 7):
            x0, y0, x1, y1 = known.boxes[t].round().astype(int)
            away[max(y0 - 5, 0) : y1 + 5, max(x0 - 5, 0) : x1 + 5] = False
        away[:6], away[-6:], away[:, :6], away[:, -6:] = False, False, False, False
        found = cv2.warpAffine(pictures[4], moved, plan.size, flags=cv2.INTER_CUBIC)
        return np.abs(found - pictures[7])[away].mean()

    def chained(matrices):
        whole = np.eye(3)
        for matrix in matrices:
            whole = np.vstack([matrix, [0, 0, 1]]) @ whole
        return whole[:2]

    flow = chained(known.flow(t) for t in (5, 6, 7))
    backwards = np.linalg.inv(np.vstack([flow, [0, 0, 1]]))[:2]
    assert error(flow) < 0.6 * error(np.eye(3)[:2])
    assert error(flow) < 0.5 * error(backwards)


def test_a_sprite_may_touch_the_picture_s_edges():
    image = Sprite(0, 0, (1.0, 1.0, 1.0)).image()
    for x, y in ((8.0, 8.0), (88.0, 88.0)):
        picture = np.zeros((96, 96, 3), np.float32)
        render._paste(picture, image, x, y, 8.0)
        assert (picture.max(axis=-1) > 0).sum() == pytest.approx(16 * 16, abs=2)


def test_the_flash_is_one_frame():
    plan = plans()[0]
    means = frames(plan).mean(axis=(1, 2, 3))
    assert np.argmax(means) == plan.flash_frame
    neighbours = means[[plan.flash_frame - 1, plan.flash_frame + 1]]
    assert means[plan.flash_frame] > neighbours.max() + 50
    assert abs(np.diff(neighbours)) < 10


def test_the_noise_has_the_stated_sigma(monkeypatch):
    plan = plain(next(plan for plan in plans() if world.SCENES[plan.scene] == "gravel"))
    noisy = frames(plan)
    monkeypatch.setattr(render, "_NOISE_SIGMA", 0.0)
    clean = frames(plan)
    middling = (clean > 20) & (clean < 235)
    assert (noisy - clean)[middling].std() == pytest.approx(3.0, abs=0.1)


def test_a_constant_video_is_one_grey():
    plan = next(plan for plan in world.draw(0, "tiny") if plan.edge == "constant")
    assert len({frame.tobytes() for frame in render.frames(plan)}) == 1
    assert truth.of(plan).path[:, 2].max() == 0
    assert not truth.of(plan).mask(0).any()


def test_light_drifts_slowly():
    plan = dataclasses.replace(plans()[1], lighting=(0.15, 0.0), flash_frame=-1)
    means = frames(plan).mean(axis=(1, 2, 3))
    assert means.max() / means.min() > 1.1
    assert np.abs(np.diff(means)).max() < 3
