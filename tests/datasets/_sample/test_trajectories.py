from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from scipy import stats

from vdata.datasets._sample.trajectories import _RATES, MOTIONS, RADIUS_PIXELS, Camera, Trajectory
from vdata.datasets._sample.world import _trajectory

SIZE = (96, 96)
STEP = 1 / 32


def drawn(motion: str, period: float = 32.0, seed: int = 0) -> Trajectory:
    return _trajectory(np.random.default_rng(seed), motion, SIZE, period)


MOVING = {"still": "", "horizontal": "x", "vertical": "y", "circle": "xy", "shake": "xy", "pulse": "r"}


@pytest.mark.parametrize("motion", MOTIONS)
def test_only_the_class_s_own_coordinates_change(motion):
    extent = np.ptp(drawn(motion)(100), axis=0)
    assert {name for name, length in zip("xyr", extent, strict=True) if length > 0} == set(MOVING[motion])


def test_a_circle_is_round_and_takes_one_period():
    path = drawn("circle")
    places = path(200)
    radii = np.hypot(*(places[:, :2] - path.centre).T)
    np.testing.assert_allclose(radii, path.amplitude, atol=STEP)
    angle = np.unwrap(np.arctan2(*(places[:, :2] - path.centre).T))
    assert abs(angle[-1] - angle[0]) == pytest.approx(2 * np.pi * 199 / path.period, abs=0.01)


def test_the_speed_is_that_of_the_formula():
    path = drawn("horizontal")
    time = np.arange(1, 100) - 0.5
    expected = path.amplitude * 2 * np.pi / path.period * np.cos(2 * np.pi * (path.phases[0] + time / path.period))
    np.testing.assert_allclose(np.diff(path(100)[:, 0]), expected, atol=STEP + 0.01)


@pytest.mark.parametrize("motion", MOTIONS)
def test_time_reversal_and_flip_stay_in_the_class(motion):
    # sin is odd about any half turn: a reversed or flipped wave is the same wave from another phase, and every phase is drawn.
    path, last = drawn(motion, seed=3), 99
    backwards = [0.5 - phase - rate * last / path.period for phase, rate in zip(path.phases, _RATES[motion], strict=True)]
    reversed_path = dataclasses.replace(path, phases=tuple(backwards))
    np.testing.assert_allclose(reversed_path(100), path(100)[::-1], atol=STEP)
    flipped = dataclasses.replace(
        path, centre=(SIZE[0] - path.centre[0], path.centre[1]), phases=(path.phases[0] + 0.5, *path.phases[1:])
    )
    expected = path(100)
    expected[:, 0] = SIZE[0] - expected[:, 0]
    np.testing.assert_allclose(flipped(100), expected, atol=STEP)
    if motion == "circle":
        # The two phases of a circle differ by a quarter turn either way: both maps keep that.
        for phases in (reversed_path.phases, flipped.phases):
            assert (phases[1] - phases[0]) % 1 in (pytest.approx(0.25), pytest.approx(0.75))


def test_one_frame_has_the_same_places_and_sizes_in_every_class_and_speed():
    rng = np.random.default_rng(5)
    kinds = list(itertools.product(MOTIONS, (48.0, 24.0)))
    values = {kind: np.array([_trajectory(rng, kind[0], SIZE, kind[1])(38)[37] for _ in range(500)]) for kind in kinds}
    for kind, coordinate in itertools.product(kinds[1:], range(3)):
        test = stats.ks_2samp(values[kinds[0]][:, coordinate], values[kind][:, coordinate])
        assert test.pvalue > 0.001, (kind, coordinate)


@pytest.mark.parametrize("motion", MOTIONS)
def test_sprites_stay_inside_the_picture_and_the_stated_sizes(motion):
    for seed in range(50):
        x, y, radius = drawn(motion, seed=seed)(100).T
        assert radius.min() >= RADIUS_PIXELS[0]
        assert radius.max() <= RADIUS_PIXELS[1]
        assert min(x - radius) >= 0
        assert max(x + radius) <= SIZE[0]
        assert min(y - radius) >= 0
        assert max(y + radius) <= SIZE[1]


def test_the_sound_s_phase_is_the_sprite_s():
    path = drawn("vertical")
    turns = path.turns(np.arange(100) / 25, 25)
    expected = path.centre[1] + path.amplitude * np.sin(2 * np.pi * turns)
    np.testing.assert_allclose(path(100)[:, 1], expected, atol=STEP)


def test_a_pan_moves_every_point_by_the_velocity():
    views = Camera("pan", (80.0, 80.0), velocity=(1.3, -0.4))(100, SIZE)
    np.testing.assert_allclose(np.diff(views[:, :, 2], axis=0), np.tile([1.3, -0.4], (99, 1)), atol=STEP)
    assert (views[:, :, :2] == np.eye(2)).all()


def test_a_zoom_grows_from_the_middle_of_the_picture():
    views = Camera("zoom", (70.0, 90.0), zoom=0.004)(101, SIZE)
    assert views[50, 0, 0] == 1
    assert views[100, 1, 1] / views[0, 1, 1] == pytest.approx(np.exp(0.4), abs=1e-4)
    np.testing.assert_allclose(views @ np.array([70.0, 90.0, 1.0]), np.full((101, 2), 48.0), atol=STEP)
