"""Augmentation parameters: against the same thing done one sample and one step at a time."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from pipelines.draw import PictureDraw, centre_boxes, colour, crop_boxes, draw, random_boxes, sides_of, spatial, three_boxes
from pipelines.philox import NUM_UNIFORMS, uniforms
from pipelines.windows import Window
from vdata.views import Augment, Clip, Keyframe, Motion

LUMA = (0.299, 0.587, 0.114)
NOTHING = {"flip": 0.0, "jitter": 0.0, "gray": 0.0, "blur": 0.0}


def numbers(count: int, seed: int = 0) -> np.ndarray:
    return uniforms(seed, 0, np.arange(count), view=0)


def window_of(count: int, frames: int = 2) -> Window:
    shape = count, frames
    return Window(np.zeros(shape, np.int64), np.ones(shape, bool), np.ones(count, np.int64), np.zeros(count, bool))


def drawn(view: Clip | Keyframe, count: int, size: tuple[int, int] = (340, 256), seed: int = 0) -> PictureDraw:
    return draw(view, window_of(count), np.tile([0, 0, *size], (count, 1)), numbers(count, seed))


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
    u = numbers(200)[:, :22]
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
    u = numbers(300, 1)[:, :10]
    matrix, offset = colour(augment, u)
    rgb = np.array([200.0, 90.0, 30.0])
    expected = [slow_colour(augment, rgb, row) for row in u.tolist()]
    # The published inverse of YIQ has three digits, ours is exact.
    assert np.allclose(matrix @ rgb + offset, expected, atol=1.5)
    orders = {tuple(np.argsort(row[6:])) for row in u}
    assert len(orders) == 24


def test_what_no_step_may_change():
    u = numbers(50, 2)[:, :10]
    only_hue = Augment(jitter=1, brightness=0, contrast=0, saturation=0, hue=0.5, gray=0)
    matrix, offset = colour(only_hue, u)
    assert np.allclose(np.array(LUMA) @ matrix, LUMA, atol=1e-9)
    for augment in (only_hue, Augment(jitter=1, brightness=0, contrast=0, gray=0)):
        matrix, offset = colour(augment, u)
        assert np.allclose(matrix @ np.full(3, 77.0) + offset, 77.0)
    matrix, offset = colour(Augment(jitter=0, gray=0), u)
    assert np.array_equal(matrix, np.tile(np.eye(3), (50, 1, 1)))
    assert not offset.any()


# -------------------------------------------------------------------------------------------------------------------- boxes


def slow_even(box: list[float], width: int, height: int) -> list[int]:
    """The nearest box with even corners (of two, the one at a multiple of four), inside the picture, 8 pixels wide if that is."""

    def even(value: float) -> int:
        near = sorted(range(0, 2 * (max(width, height) // 2) + 2, 2), key=lambda corner: (abs(corner - value), corner % 4))
        return near[0]

    corners = []
    for low, high, side in ((box[0], box[2], width), (box[1], box[3], height)):
        first = max(0, min(even(low), side - 8))
        corners.append((first, min(max(even(high), first + 8), side)))
    return [corners[0][0], corners[1][0], corners[0][1], corners[1][1]]


@pytest.mark.parametrize(("width", "height"), [(340, 256), (256, 340), (400, 20), (64, 2), (2, 2)])
def test_drawn_boxes_are_the_slow_ones_on_even_pixels(width, height):
    view = Clip(size=32, augment=Augment(area=(0.001, 1.0)))
    u = numbers(200, 3)
    boxes, _ = spatial(view, np.tile([8, 6, width, height], (200, 1)), u)
    assert (boxes.shape, boxes.dtype) == ((200, 1, 4), np.float32)
    exact = crop_boxes(view.augment, np.full(200, float(width)), np.full(200, float(height)), u[:, 8:30])
    assert boxes[:, 0].tolist() == [slow_even(box, width, height) for box in exact.tolist()]
    assert not (boxes % 2).any()
    assert boxes.min() >= 0
    assert (boxes[..., 2] <= width).all()
    assert (boxes[..., 3] <= height).all()
    assert (boxes[..., 2:] > boxes[..., :2]).all()


def test_a_box_of_no_size_still_shows_eight_pixels():
    view = Clip(size=32, augment=Augment(area=(1e-6, 1e-6), aspect=(1.0, 1.0)))
    boxes, _ = spatial(view, np.tile([0, 0, 64, 48], (500, 1)), numbers(500))
    assert (boxes[:, 0, 2:] - boxes[:, 0, :2] == 8).all()
    assert boxes[:, 0, 2].max() == 64


def slow_random_box(
    width: int, height: int, resize: tuple[int, int], size: tuple[int, int], u: tuple[float, float]
) -> list[float]:
    """Scale the picture, take a window of `size` anywhere in it, and map its corners back."""
    if resize[0]:
        new_height, new_width = resize
    elif width <= height:
        new_width, new_height = resize[1], height * resize[1] / width
    else:
        new_height, new_width = resize[1], width * resize[1] / height
    x, y = u[0] * (new_width - size[1]), u[1] * (new_height - size[0])
    back_x, back_y = width / new_width, height / new_height
    return [x * back_x, y * back_y, (x + size[1]) * back_x, (y + size[0]) * back_y]


@pytest.mark.parametrize(
    ("resize", "size"), [((128, 171), (112, 112)), ((0, 128), (112, 112)), ((0, 64), (64, 32)), ((80, 60), (80, 60))]
)
@pytest.mark.parametrize(("width", "height"), [(340, 256), (256, 340), (320, 240)])
def test_random_boxes_against_a_slow_loop(resize, size, width, height):
    u = numbers(100, 4)[:, 8:30]
    boxes = random_boxes(resize, size, np.full(100, float(width)), np.full(100, float(height)), u)
    expected = [slow_random_box(width, height, resize, size, (row[-2], row[-1])) for row in u.tolist()]
    assert np.allclose(boxes, expected, atol=1e-9)


def test_dualvar_s_crop_is_uniform_over_the_picture():
    """METHODS 2b: resize to 128x171, then a random crop of 112."""
    view = Clip(size=112, augment=Augment(crop="random", resize=(128, 171), **NOTHING))
    boxes = drawn(view, 100_000, (342, 256)).box[:, 0]
    sides = boxes[:, 2:] - boxes[:, :2]
    # 112 of 171 columns of 342, 112 of 128 rows of 256: 224 pixels each, whose corners fall on even ones.
    assert set(np.unique(sides[:, 0])) <= {222, 224, 226}
    assert set(np.unique(sides[:, 1])) <= {222, 224, 226}
    for low, room in ((boxes[:, 0], 118), (boxes[:, 1], 32)):
        counts = np.bincount((low / 2).astype(int), minlength=room // 2 + 1)
        inner = counts[1:-1]  # the two ends round to half as many
        assert stats.chisquare(inner).pvalue > 0.01
        assert counts[0] == pytest.approx(inner.mean() / 2, rel=0.15)


def test_the_centre_of_a_size_that_is_no_square():
    boxes = centre_boxes(np.array([340.0, 256.0, 100.0]), np.array([256.0, 340.0, 400.0]), (256, 128))
    # Twice as tall as wide; the largest such in the picture, 0.875 of it.
    assert boxes[0].tolist() == [114, 16, 226, 240]
    for (width, height), (x0, y0, x1, y1) in zip(((256, 340), (100, 400)), boxes[1:].tolist(), strict=True):
        assert (y1 - y0) == pytest.approx(2 * (x1 - x0))
        assert max((x1 - x0) / width, (y1 - y0) / height) == pytest.approx(0.875)
        assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((width / 2, height / 2))


def test_three_squares_at_the_start_the_middle_and_the_end():
    boxes = three_boxes(np.array([340.0, 256.0, 100.0]), np.array([256.0, 300.0, 100.0]))
    assert boxes.tolist() == [
        [[0, 0, 256, 256], [42, 0, 298, 256], [84, 0, 340, 256]],
        [[0, 0, 256, 256], [0, 22, 256, 278], [0, 44, 256, 300]],
        [[0, 0, 100, 100]] * 3,
    ]
    found = drawn(Clip(size=64, crops="three"), 2)
    assert found.box.shape == (2, 3, 4)
    assert found.box[0].tolist() == [[0, 0, 256, 256], [42, 0, 298, 256], [84, 0, 340, 256]]


def test_crops_of_motion_are_drawn_alike():
    augment = Augment(**NOTHING | {"flip": 0.5})
    picture, u = np.tile([0, 0, 340, 256], (50, 1)), numbers(50)
    clip, motion = (spatial(view, picture, u) for view in (Clip(augment=augment), Motion(augment=augment)))
    assert np.array_equal(clip[0], motion[0])
    assert np.array_equal(clip[1], motion[1])


def test_sides_of_a_size():
    assert [sides_of(size) for size in (112, (64, 32), None)] == [(112, 112), (64, 32), (0, 0)]


# ------------------------------------------------------------------------------------------------------------ probabilities

EVERYTHING = Augment(flip=0.5, jitter=0.8, gray=0.2, blur=0.3, solarize=0.2, rotate=30.0)


def happened(found: PictureDraw) -> dict[str, np.ndarray]:
    """Which samples drew which operation, from the numbers that the graph gets."""
    # Grayscale makes the three rows the same; without it jitter moves the matrix away from one.
    gray = np.isclose(found.matrix[:, 0], found.matrix[:, 1]).all(axis=1)
    jitter = ~np.isclose(found.matrix, np.eye(3)).all(axis=(1, 2)) & ~np.isclose(
        found.matrix, np.tile(LUMA, (3, 1)), atol=1e-6
    ).all(axis=(1, 2))
    return {"flip": found.flip, "blur": found.blur, "solarize": found.solarize, "gray": gray, "jitter": jitter}


def test_probabilities_are_kept_and_the_draws_are_independent():
    count = 20_000
    found = drawn(Clip(size=112, augment=EVERYTHING), count)
    drew = happened(found)
    for name, was in drew.items():
        assert stats.binomtest(int(was.sum()), count, getattr(EVERYTHING, name)).pvalue > 0.01, name
    values = {
        "sigma": found.sigma,
        "angle": found.angle,
        "x": found.box[:, 0, 0],
        "width": found.box[:, 0, 2] - found.box[:, 0, 0],
    }
    halves = drew | {name: value > np.median(value) for name, value in values.items()}
    for one, other in itertools.combinations(halves, 2):
        if {one, other} != {"x", "width"}:  # a wide box has little room
            table = np.histogram2d(halves[one], halves[other], 2)[0]
            assert stats.chi2_contingency(table).pvalue > 0.001, (one, other)
    assert stats.kstest(found.sigma, stats.uniform(0.1, 1.9).cdf).pvalue > 0.01
    assert stats.kstest(found.angle, stats.uniform(-30, 60).cdf).pvalue > 0.01
    area = np.prod(found.box[:, 0, 2:] - found.box[:, 0, :2], axis=1) / (340 * 256)
    # Large crops of a wide picture fit less often, so the area leans to the small side; it must still reach both ends.
    assert 0.28 < area.min() < 0.31
    assert area.max() > 0.9


def test_the_two_views_of_a_sample_and_two_samples_draw_for_themselves():
    first, second = drawn(Clip(augment=EVERYTHING), 5000, seed=1), drawn(Clip(augment=EVERYTHING), 5000, seed=2)
    for one, other in ((first.sigma, second.sigma), (first.sigma[1:], first.sigma[:-1])):
        assert abs(stats.spearmanr(one, other).statistic) < 0.06


def test_a_plain_sample_is_cropped_and_flipped_only():
    """METHODS 2b: 0.2 of a view's clips are plain; of the others 0.8 are jittered, so 0.64 in all; blur 0.5 becomes 0.4."""
    augment = Augment(flip=0.5, jitter=0.8, gray=0.3, blur=0.5, solarize=0.5, plain=0.2)
    count = 20_000
    drew = happened(drawn(Clip(augment=augment), count))
    for name, probability in {"jitter": 0.64, "blur": 0.4, "solarize": 0.4, "gray": 0.24, "flip": 0.5}.items():
        assert stats.binomtest(int(drew[name].sum()), count, probability).pvalue > 0.01, name
    # They are missing together: as often as nothing at all happens, beyond what chance alone gives, a sample was plain.
    none = ~(drew["jitter"] | drew["blur"] | drew["solarize"] | drew["gray"])
    assert stats.binomtest(int(none.sum()), count, 0.2 + 0.8 * 0.2 * 0.5 * 0.5 * 0.7).pvalue > 0.01
    always = Augment(jitter=1.0, gray=1.0, blur=1.0, solarize=1.0, plain=1.0)
    found = drawn(Clip(augment=always), 100)
    assert np.array_equal(found.matrix, np.tile(np.eye(3, dtype=np.float32), (100, 1, 1)))
    assert not any(values.any() for values in (found.offset, found.blur, found.solarize))
    assert found.flip.any()


def test_a_number_moves_one_thing_alone():
    """Every random number of a row belongs to one operation: changing it changes that one, and no other."""
    view = Clip(augment=EVERYTHING)
    u = numbers(1, 5)
    picture = np.array([[0, 0, 340, 256]])
    base = draw(view, window_of(1), picture, u)
    moved: dict[int, set[str]] = {}
    for place in range(NUM_UNIFORMS):
        changed = set()
        for value in (0.001, 0.999):
            other = u.copy()
            other[0, place] = value
            found = draw(view, window_of(1), picture, other)
            fields = ("box", "flip", "matrix", "offset", "blur", "sigma", "solarize", "angle")
            changed |= {name for name in fields if not np.array_equal(getattr(found, name), getattr(base, name))}
        moved[place] = changed - {"offset"} if "matrix" in changed else changed
    assert all(len(changed) <= 1 for changed in moved.values())
    used = {
        name: [place for place, changed in moved.items() if name in changed]
        for name in ("flip", "blur", "sigma", "solarize", "angle")
    }
    assert all(len(places) == 1 for places in used.values())
    # The numbers of the windows come first, and are not touched.
    assert not any(moved[place] for place in range(8))


def test_a_view_without_augmentation_draws_nothing():
    u = numbers(3)
    picture = np.array([[0, 0, 340, 256], [0, 0, 256, 256], [0, 0, 192, 320]])
    window = Window(np.arange(6).reshape(3, 2), np.ones((3, 2), bool), np.full(3, 2), np.array([True, False, True]))
    whole = draw(Clip(size=None), window, picture, u)
    assert whole.box.tolist() == [[[0, 0, 340, 256]], [[0, 0, 256, 256]], [[0, 0, 192, 320]]]
    assert not any(values.any() for values in (whole.flip, whole.blur, whole.solarize, whole.angle))
    assert np.array_equal(whole.matrix, np.tile(np.eye(3), (3, 1, 1)))
    for name in ("frames", "inside", "speed", "backwards"):
        assert getattr(whole, name) is getattr(window, name)
    centred = draw(Clip(size=64), window, picture, u)
    assert centred.box[:, 0].tolist() == [[58, 16, 282, 240], [16, 16, 240, 240], [12, 76, 180, 244]]


def test_a_probability_of_one_always_happens_and_of_zero_never():
    always = drawn(Clip(augment=Augment(flip=1.0, blur=1.0, solarize=1.0, gray=1.0, jitter=1.0)), 2000)
    assert all(was.all() for name, was in happened(always).items() if name != "jitter")
    never = drawn(Clip(augment=Augment(**NOTHING)), 2000)
    assert not any(was.any() for was in happened(never).values())
    assert not never.angle.any()
