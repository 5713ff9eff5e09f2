"""Augmentation parameters: against the same thing done one sample and one step at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pipelines.draw import centre_boxes, colour, crop_boxes, draw
from pipelines.sampler import uniforms
from vdata.views import Augment, Clip

LUMA = (0.299, 0.587, 0.114)


def slow_box(augment: Augment, width: float, height: float, u: list[float]) -> list[float]:
    for attempt in range(10):
        low, high = augment.area
        area = width * height * (low + (high - low) * u[2 * attempt])
        low, high = math.log(augment.aspect[0]), math.log(augment.aspect[1])
        aspect = math.exp(low + (high - low) * u[2 * attempt + 1])
        w, h = math.sqrt(area * aspect), math.sqrt(area / aspect)
        if w <= width and h <= height:
            x, y = (width - w) * u[20], (height - h) * u[21]
            return [x, y, x + w, y + h]
    w, h = width, height
    if width / height < augment.aspect[0]:
        h = width / augment.aspect[0]
    elif width / height > augment.aspect[1]:
        w = height * augment.aspect[1]
    return [(width - w) / 2, (height - h) / 2, (width + w) / 2, (height + h) / 2]


@pytest.mark.parametrize(("width", "height"), [(340, 256), (256, 340), (400, 20), (20, 400), (64, 64)])
def test_crops_against_a_slow_loop(width, height):
    augment = Augment(area=(0.3, 1.0), aspect=(0.5, 2.0))
    u = uniforms(0, 0, 0, 200, view=0)[:, :22]
    boxes = crop_boxes(augment, np.full(200, float(width)), np.full(200, float(height)), u)
    expected = [slow_box(augment, width, height, row) for row in u.tolist()]
    assert np.allclose(boxes, expected, atol=1e-9)
    assert boxes.min() >= 0
    assert boxes[:, 2].max() <= width + 1e-9
    assert boxes[:, 3].max() <= height + 1e-9


def test_the_centre_crop_is_the_middle_of_the_short_side():
    boxes = centre_boxes(np.array([340.0, 256.0]), np.array([256.0, 340.0]))
    assert boxes.tolist() == [[58, 16, 282, 240], [16, 58, 240, 282]]


def slow_colour(augment: Augment, rgb: np.ndarray, u: list[float]) -> np.ndarray:
    """One colour in [0, 255] through SimCLR's steps in the order of the last four numbers."""

    def factor(strength: float, number: float) -> float:
        low, high = max(0.0, 1 - strength), 1 + strength
        return low + (high - low) * number

    def gray(rgb: np.ndarray) -> float:
        return sum(weight * value for weight, value in zip(LUMA, rgb, strict=True))

    def hue(rgb: np.ndarray) -> np.ndarray:
        # In colour differences: turning (B - Y, R - Y) scaled to YIQ's axes turns the hue and leaves the luma alone.
        i = 0.5959 * rgb[0] - 0.2746 * rgb[1] - 0.3213 * rgb[2]
        q = 0.2115 * rgb[0] - 0.5227 * rgb[1] + 0.3112 * rgb[2]
        angle = 2 * math.pi * (2 * u[5] - 1) * augment.hue
        i, q = i * math.cos(angle) - q * math.sin(angle), i * math.sin(angle) + q * math.cos(angle)
        y = gray(rgb)
        return np.array([y + 0.956 * i + 0.619 * q, y - 0.272 * i - 0.647 * q, y - 1.106 * i + 1.703 * q])

    steps = [
        lambda rgb: rgb * factor(augment.brightness, u[2]),
        lambda rgb: (rgb - 127.5) * factor(augment.contrast, u[3]) + 127.5,
        lambda rgb: gray(rgb) + (rgb - gray(rgb)) * factor(augment.saturation, u[4]),
        hue,
    ]
    if u[0] < augment.jitter:
        for step in sorted(range(4), key=lambda step: u[6 + step]):
            rgb = steps[step](rgb)
    return np.full(3, gray(rgb)) if u[1] < augment.gray else rgb


def test_colour_matrices_against_the_steps_one_by_one():
    augment = Augment()
    u = uniforms(1, 0, 0, 300, view=0)[:, :10]
    matrix, offset = colour(augment, u)
    rgb = np.array([200.0, 90.0, 30.0])
    expected = [slow_colour(augment, rgb, row) for row in u.tolist()]
    # The published inverse of YIQ has three digits, ours is exact.
    assert np.allclose(matrix @ rgb + offset, expected, atol=1.5)
    orders = {tuple(np.argsort(row[6:])) for row in u}
    assert len(orders) == 24


def test_what_no_step_may_change():
    u = uniforms(2, 0, 0, 50, view=0)[:, :10]
    only_hue = Augment(jitter=1, brightness=0, contrast=0, saturation=0, hue=0.5, gray=0)
    matrix, offset = colour(only_hue, u)
    assert np.allclose(np.array(LUMA) @ matrix, LUMA, atol=1e-9)
    for augment in (only_hue, Augment(jitter=1, brightness=0, contrast=0, gray=0)):
        matrix, offset = colour(augment, u)
        assert np.allclose(matrix @ np.full(3, 77.0) + offset, 77.0)
    matrix, offset = colour(Augment(jitter=0, gray=0), u)
    assert np.array_equal(matrix, np.tile(np.eye(3), (50, 1, 1)))
    assert not offset.any()


def test_probabilities_are_kept_and_the_draws_are_independent():
    view = Clip(size=112, augment=Augment(flip=0.5, blur=0.3, gray=0.2, jitter=0.0))
    picture = np.tile([0, 0, 340, 256], (4000, 1))
    frames = np.zeros((4000, 16), np.int64)
    drawn = draw(view, frames, picture, uniforms(4, 0, 0, 4000, view=0))
    gray = drawn.matrix[:, 0, 0] < 0.5
    for happened, probability in ((drawn.flip, 0.5), (drawn.blur, 0.3), (gray, 0.2)):
        assert stats.binomtest(int(happened.sum()), 4000, probability).pvalue > 0.01
    both = np.histogram2d(drawn.flip, drawn.blur, 2)[0]
    assert stats.chi2_contingency(both).pvalue > 0.01
    assert stats.kstest(drawn.sigma, stats.uniform(0.1, 1.9).cdf).pvalue > 0.01
    area = np.prod(drawn.box[:, 2:] - drawn.box[:, :2], axis=1) / (340 * 256)
    assert area.min() >= 0.3 - 1e-5
    # Large crops of a wide picture fit less often, so the area leans to the small side; it must still reach both ends.
    assert area.min() < 0.31
    assert area.max() > 0.9


def test_a_view_without_augmentation_draws_nothing():
    u = uniforms(0, 0, 0, 3, view=0)
    picture = np.array([[0, 0, 340, 256], [0, 0, 256, 256], [0, 0, 192, 320]])
    frames = np.arange(6).reshape(3, 2)
    whole = draw(Clip(size=None), frames, picture, u)
    assert whole.box.tolist() == [[0, 0, 340, 256], [0, 0, 256, 256], [0, 0, 192, 320]]
    assert not whole.flip.any()
    assert not whole.blur.any()
    assert np.array_equal(whole.frames, frames)


def test_put_overwrites_one_row_of_everything():
    view = Clip(size=112, augment=Augment())
    picture = np.tile([0, 0, 340, 256], (4, 1))
    many = draw(view, np.zeros((4, 16), np.int64), picture, uniforms(0, 0, 0, 4, view=0))
    one = draw(view, np.ones((1, 16), np.int64), picture[:1], uniforms(7, 0, 0, 1, view=0))
    kept = many.box[[0, 1, 3]].copy()
    many.put(2, one)
    assert np.array_equal(many.box[2], one.box[0])
    assert np.array_equal(many.frames[2], one.frames[0])
    assert np.array_equal(many.matrix[2], one.matrix[0])
    assert np.array_equal(many.box[[0, 1, 3]], kept)
