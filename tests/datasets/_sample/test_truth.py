from __future__ import annotations

import numpy as np

from vdata.datasets._sample import truth, world


def test_load_returns_what_was_saved(tmp_path):
    (tmp_path / "truth").mkdir()
    for plan in world.draw(0, "tiny")[:3]:
        known = truth.of(plan)
        truth.save(tmp_path / "truth" / f"{plan.video_id}.npz", known)
        loaded = truth.load(tmp_path, plan.video_id)
        for name, value in vars(known).items():
            np.testing.assert_array_equal(getattr(loaded, name), value)
            assert getattr(loaded, name).dtype == value.dtype


def test_velocity_adds_up_to_the_way():
    known = truth.of(world.draw(0, "tiny")[0])
    np.testing.assert_allclose(known.velocity[0], 0)
    np.testing.assert_allclose(known.velocity.cumsum(axis=0), known.path[:, :2] - known.path[0, :2])


def test_a_box_holds_its_mask_tightly():
    for plan in world.draw(0, "tiny")[:6]:
        known = truth.of(plan)
        ys, xs = np.nonzero(known.mask(50))
        np.testing.assert_allclose([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], known.boxes[50], atol=1.01)


def test_flow_of_the_first_frame_is_rest():
    known = truth.of(world.draw(0, "tiny")[0])
    np.testing.assert_allclose(known.flow(0), np.eye(3)[:2], atol=1e-12)
