"""Every operation on pictures against NumPy and SciPy, frame by frame, by the graph with and without the CPU's shortcut."""

from __future__ import annotations

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage

from pipelines.draw import PictureDraw, draw, sides_of
from pipelines.graph import Graph, GraphConfig
from pipelines.philox import uniforms
from pipelines.views.pictures import PictureReader
from pipelines.windows import Window
from vdata.views import Augment, Clip, Keyframe

NOTHING = {"flip": 0.0, "jitter": 0.0, "gray": 0.0, "blur": 0.0}
FULL = Augment(flip=0.5, jitter=0.8, gray=0.2, blur=0.5, solarize=0.5, rotate=20.0)
FRAMES = 3


def triangle(size: int, low: float, high: float, length: int) -> np.ndarray:
    """(size, length) weights of linear resizing with antialiasing: a triangle as wide as the reduction, from its formula."""
    scale = (high - low) / size
    radius = max(scale, 1.0)
    centres = low + (np.arange(size) + 0.5) * scale
    pixels = np.arange(-length, 2 * length)
    far = np.maximum(0.0, 1.0 - np.abs(pixels + 0.5 - centres[:, None]) / radius)
    weights = np.zeros((size, length))
    # What lies outside the picture is its edge.
    np.add.at(weights.T, np.clip(pixels, 0, length - 1), far.T)
    return weights / weights.sum(axis=1, keepdims=True)


def resized(frame: np.ndarray, box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    x0, y0, x1, y1 = box.astype(float)
    rows, columns = triangle(size[0], y0, y1, frame.shape[0]), triangle(size[1], x0, x1, frame.shape[1])
    return np.stack([rows @ channel @ columns.T for channel in np.moveaxis(frame.astype(float), -1, 0)], axis=-1)


def rotated(picture: np.ndarray, degrees: float) -> np.ndarray:
    """Turned anticlockwise about the middle; the edge repeats. y points down."""
    turn = np.deg2rad(degrees)
    # Where a pixel of the result comes from, as (y, x).
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    middle = (np.array(picture.shape[:2]) - 1) / 2
    back = {"matrix": matrix, "offset": middle - matrix @ middle, "order": 1, "mode": "nearest"}
    return np.stack([ndimage.affine_transform(channel, **back) for channel in np.moveaxis(picture, -1, 0)], axis=-1)


def reference(
    view: Clip | Keyframe, frames: np.ndarray, drawn: PictureDraw, row: int, crop: int = 0, *, scaled: bool = False
) -> np.ndarray:
    """(T, H, W, 3) float: every operation in its turn, in steps of 1/255, then normalised. `scaled`: frames are crops already."""
    size, augment, pictures = sides_of(view.size), view.augment, []
    for frame in frames:
        picture = frame.astype(float) if scaled else resized(frame, drawn.box[row, crop], size)
        if augment is not None and augment.rotate:
            # Crops that come scaled have their colours already; turning is linear, so that is the same but for clipping.
            picture = rotated(picture, float(drawn.angle[row]))
        if drawn.flip[row]:
            picture = picture[:, ::-1]
        if not scaled:
            picture = np.clip(picture @ drawn.matrix[row].astype(float).T + drawn.offset[row], 0, 255)
        if drawn.blur[row]:
            kernel = size[0] // 10 | 1
            picture = cv2.GaussianBlur(picture, (kernel, kernel), float(drawn.sigma[row]), borderType=cv2.BORDER_REFLECT_101)
        if drawn.solarize[row]:
            picture = np.where(picture >= 128, 255 - picture, picture)
        pictures.append((picture / 255 - view.mean) / view.std)
    return np.stack(pictures)


def drawn_for(view: Clip | Keyframe, batch: list[np.ndarray], seed: int = 0) -> PictureDraw:
    count = len(batch)
    frames = np.tile(np.arange(len(batch[0])), (count, 1))
    window = Window(frames, np.ones(frames.shape, bool), np.ones(count, np.int64), np.zeros(count, bool))
    picture = np.array([[0, 0, frames.shape[2], frames.shape[1]] for frames in batch])
    return draw(view, window, picture, uniforms(seed, 0, np.arange(count), view=0))


def through(view: Clip | Keyframe, batch: list[np.ndarray], drawn: PictureDraw, *, scaled: bool = False) -> torch.Tensor:
    """The batch's entry, as the loader makes it from decoded pictures."""
    reader = PictureReader(view, {view.name: view}, shortcuts=("scale",) if scaled else ())
    graph = Graph([reader], GraphConfig(torch.device("cpu"), len(batch), 1, 1))
    graph.feed(dict.fromkeys(reader.shot_names, batch) | reader.feeds(drawn, [None] * len(batch)))
    return reader.batch(drawn, [None] * len(batch), graph.take()[0])[view.name]


def as_thwc(view: Clip, tensor: torch.Tensor) -> np.ndarray:
    return np.moveaxis(tensor.numpy(), [1 + view.layout.index(axis) for axis in "THWC"], [1, 2, 3, 4])


@pytest.fixture(scope="module")
def batch(make_frames) -> list[np.ndarray]:
    return [make_frames(FRAMES, size=size, seed=seed) for seed, size in enumerate([(96, 64), (64, 96), (80, 72), (64, 64)] * 2)]


@pytest.fixture(scope="module")
def crops(make_frames) -> list[np.ndarray]:
    """Pictures of 48x32 as the shortcut hands them to the graph."""
    return [make_frames(FRAMES, size=(48, 32), seed=seed) for seed in range(12)]


ONE_BY_ONE = [
    # Where the resize rounds to bytes half a step is due to that alone.
    (Augment(**NOTHING), 0.51),
    (Augment(**NOTHING | {"flip": 0.5}), 0.51),
    # Colours multiply that: up to 1.8 three times.
    (Augment(**NOTHING | {"jitter": 1.0}), 4.0),
    (Augment(**NOTHING | {"gray": 0.5}), 0.51),
    # Without the colours' floats each further node rounds once more.
    (Augment(**NOTHING | {"blur": 0.6}), 1.01),
    (Augment(**NOTHING, rotate=40.0), 1.01),
    (Augment(**NOTHING | {"flip": 0.5}, rotate=40.0), 1.01),
    (Augment(area=(0.2, 0.9), **NOTHING | {"flip": 0.5}), 0.51),
    (Augment(crop="random", resize=(0, 100), **NOTHING), 0.51),
]


def levels(view: Clip, found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Differences in steps of 1/255 of the pictures before they were normalised."""
    return np.abs(found.astype(float) - expected) * np.reshape(view.std, (1, 1, 1, 3)) * 255


@pytest.mark.parametrize(("augment", "tolerance"), [(None, 0.51), *ONE_BY_ONE])
@pytest.mark.parametrize("size", [32, (80, 64)])
def test_each_operation_against_numpy(batch, augment, tolerance, size):
    view = Clip(frames=FRAMES, stride=1, size=size, augment=augment, mean=(0.4, 0.5, 0.3), std=(0.2, 0.25, 0.5))
    drawn = drawn_for(view, batch)
    found = through(view, batch, drawn)
    assert found.dtype == torch.float32
    assert found.shape == (len(batch), 3, FRAMES, *sides_of(size))
    for row, frames in enumerate(batch):
        difference = levels(view, as_thwc(view, found)[row], reference(view, frames, drawn, row))
        assert difference.max() <= tolerance + 0.01
        assert difference.mean() <= 0.5


def test_solarisation_turns_the_bright_half_about(crops):
    view = Clip(frames=FRAMES, stride=1, size=(32, 48), augment=Augment(**NOTHING, solarize=0.5), dtype="uint8", layout="THWC")
    drawn = drawn_for(view, crops)
    assert {*drawn.solarize.tolist()} == {True, False}
    found = through(view, crops, drawn, scaled=True).numpy()
    for row, frames in enumerate(crops):
        expected = np.where(frames >= 128, 255 - frames.astype(int), frames) if drawn.solarize[row] else frames
        assert np.array_equal(found[row], expected)


def test_solarisation_comes_behind_blur_and_colours(batch):
    """A step that jumps hides small differences next to its edge: there alone may they be large."""
    view = Clip(
        frames=FRAMES,
        stride=1,
        size=40,
        augment=Augment(jitter=1.0, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1, blur=0.5, solarize=1.0),
    )
    drawn = drawn_for(view, batch)
    found = as_thwc(view, through(view, batch, drawn))
    unsolarized = replace(drawn, solarize=np.zeros_like(drawn.solarize))
    for row, frames in enumerate(batch):
        before = reference(view, frames, unsolarized, row) * 255
        difference = levels(view, found[row], reference(view, frames, drawn, row))
        assert difference[np.abs(before - 128) > 3].max() <= 2.5


def test_a_known_angle_turns_anticlockwise():
    """A bright spot right of the middle goes up by 90 degrees; all four quarters, exactly."""
    picture = np.zeros((FRAMES, 33, 33, 3), np.uint8)
    picture[:, 16, 28] = 255
    view = Clip(frames=FRAMES, stride=1, size=33, augment=Augment(**NOTHING, rotate=180.0), layout="THWC", dtype="uint8")
    for quarter, (y, x) in enumerate([(16, 28), (4, 16), (16, 4), (28, 16), (16, 28)]):
        drawn = replace(drawn_for(view, [picture]), angle=np.array([90.0 * quarter], np.float32))
        found = through(view, [picture], drawn, scaled=True).numpy()[0]
        assert found[:, y, x].min() >= 254
        assert found.astype(int).sum() <= 3 * FRAMES * 258


def test_where_a_rotation_is_bare_the_edge_repeats():
    picture = np.full((1, 32, 48, 3), 200, np.uint8)
    view = Clip(frames=1, stride=1, size=(32, 48), augment=Augment(**NOTHING, rotate=45.0), layout="THWC", dtype="uint8")
    drawn = replace(drawn_for(view, [picture]), angle=np.array([37.0], np.float32))
    assert (through(view, [picture], drawn, scaled=True) == 200).all()


@pytest.mark.parametrize("size", [8, 30, 112, 224])
def test_the_blur_s_window_is_simclr_s(size):
    """METHODS 1b: kernel = height // 10, made odd (22 -> 23 at 224); a point spreads so far and as the Gaussian does."""
    kernel = {8: 1, 30: 3, 112: 11, 224: 23}[size]
    picture = np.zeros((1, size, size, 3), np.uint8)
    picture[:, size // 2, size // 2] = 255
    view = Clip(frames=1, stride=1, size=size, augment=Augment(**NOTHING | {"blur": 1.0}, blur_sigma=(2.0, 2.0)))
    found = through(view, [picture], drawn_for(view, [picture]), scaled=True)[0, 0, 0].numpy()
    taps = np.exp(-0.5 * (np.arange(kernel) - kernel // 2) ** 2 / 2.0**2)
    row = taps / taps.sum()
    expected = np.zeros((size, size))
    reach = slice(size // 2 - kernel // 2, size // 2 + kernel // 2 + 1)
    expected[reach, reach] = np.outer(row, row)
    assert np.abs(found - expected).max() <= 0.51 / 255


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("layout", ["CTHW", "TCHW", "THWC"])
def test_types_and_layouts(crops, scaled, dtype, layout):
    normal = {} if dtype == "uint8" else {"mean": (0.4, 0.5, 0.3), "std": (0.2, 0.25, 0.5)}
    augment = Augment(area=(1.0, 1.0), aspect=(1.5, 1.5), **NOTHING | {"flip": 0.5})
    view = Clip(frames=FRAMES, stride=1, size=(32, 48), augment=augment, dtype=dtype, layout=layout, **normal)
    drawn = drawn_for(view, crops)
    found = through(view, crops, drawn, scaled=scaled)
    assert found.dtype == getattr(torch, dtype)
    sides = {"C": 3, "T": FRAMES, "H": 32, "W": 48}
    assert found.shape == (12, *(sides[axis] for axis in layout))
    # The crop is the whole picture at its own size: nothing is resampled.
    flipped = np.stack([frames[:, :, ::-1] if flip else frames for frames, flip in zip(crops, drawn.flip, strict=True)])
    if dtype == "uint8":
        assert np.array_equal(as_thwc(view, found), flipped)
    else:
        expected = (flipped / 255 - view.mean) / view.std
        assert np.abs(as_thwc(view, found) - expected).max() < (2e-6 if dtype == "float32" else 2.5e-3)


def test_bytes_are_rounded_and_clipped_and_never_wrap(batch):
    augment = Augment(jitter=1.0, brightness=0.8, contrast=0.8, saturation=0.8, hue=0.0, gray=0.0, blur=0.0, flip=0.0)
    views = [
        Clip(frames=FRAMES, stride=1, size=32, augment=augment, dtype=dtype, layout="THWC") for dtype in ("uint8", "float32")
    ]
    drawn = drawn_for(views[0], batch)
    as_bytes, as_floats = (through(view, batch, drawn) for view in views)
    assert as_bytes.min() == 0
    assert as_bytes.max() == 255
    assert (as_bytes - 255 * as_floats).abs().max() <= 0.51


@pytest.mark.parametrize("change", ["box", "flip", "matrix", "offset", "blur", "sigma", "solarize", "angle"])
def test_every_drawn_number_reaches_the_pixels(batch, change):
    augment = Augment(jitter=1.0, brightness=0.2, contrast=0.2, blur=1.0, blur_sigma=(0.8, 2.0), solarize=1.0, rotate=10.0)
    view = Clip(frames=FRAMES, stride=1, size=64, augment=augment)
    drawn, other = drawn_for(view, batch), drawn_for(view, batch)
    values = getattr(other, change)
    values[...] = ~values if values.dtype == bool else values * np.float32(0.7) + np.float32(1)
    difference = (through(view, batch, drawn) - through(view, batch, other)).abs().flatten(1).amax(dim=1)
    assert (difference > 0.5 / 255).all()


def test_one_sample_s_numbers_are_its_own(batch):
    """A batch in another order gives the same pictures in that order."""
    view = Clip(frames=FRAMES, stride=1, size=32, augment=FULL)
    drawn = drawn_for(view, batch)
    order = np.random.default_rng(0).permutation(len(batch))
    moved = replace(drawn, **{name: getattr(drawn, name)[order] for name in PictureDraw.__dataclass_fields__})
    found = through(view, [batch[row] for row in order], moved)
    assert torch.equal(found, through(view, batch, drawn)[torch.from_numpy(order)])


@pytest.mark.parametrize("scaled", [False, True])
def test_a_still_clip_stays_still_under_all_operations(scaled):
    """METHODS 1g: colours drawn per frame are the classic silent bug."""
    still = [np.repeat(np.random.default_rng(i).integers(0, 256, (1, 32, 48, 3), dtype=np.uint8), 8, axis=0) for i in range(16)]
    augment = Augment(flip=0.5, jitter=0.9, gray=0.2, blur=0.5, solarize=0.3, rotate=30.0)
    view = Clip(frames=8, stride=1, size=(32, 48), augment=augment)
    drawn = drawn_for(view, still)
    assert {*drawn.blur.tolist()} == {*drawn.solarize.tolist()} == {*drawn.flip.tolist()} == {True, False}
    found = through(view, still, drawn, scaled=scaled)
    assert found.var(dim=2, correction=0).max() == 0
    assert found.var(dim=(3, 4)).min() > 0


def test_the_shortcut_s_nodes_do_to_crops_what_all_nodes_do_to_pictures(crops):
    augment = Augment(**NOTHING | {"flip": 0.5, "blur": 0.5}, rotate=30.0)
    view = Clip(frames=FRAMES, stride=1, size=(32, 48), augment=augment, std=(0.2, 0.25, 0.5))
    drawn = drawn_for(view, crops)
    found = as_thwc(view, through(view, crops, drawn, scaled=True))
    for row, frames in enumerate(crops):
        assert levels(view, found[row], reference(view, frames, drawn, row, scaled=True)).max() <= 1.52


def test_three_crops_and_k_windows_are_an_axis_window_by_window(batch):
    view = Clip(frames=1, stride=1, size=32, crops="three", start="uniform_k:3", layout="TCHW")
    drawn = drawn_for(view, batch)
    found = through(view, batch, drawn)
    assert found.shape == (len(batch), 9, 1, 3, 32, 32)
    for row, frames in enumerate(batch):
        for place, (window, crop) in enumerate(itertools.product(range(3), range(3))):
            expected = reference(view, frames[window : window + 1], drawn, row, crop)
            difference = np.abs(np.moveaxis(found[row, place].numpy(), 1, -1) - expected)
            assert 255 * difference.max() <= 0.52


def test_a_keyframe_is_one_picture(batch):
    view = Keyframe(size=32, augment=Augment(**NOTHING | {"flip": 0.5}), mean=(0.4, 0.5, 0.3))
    first = [frames[:1] for frames in batch]
    drawn = drawn_for(view, first)
    found = through(view, first, drawn)
    assert found.shape == (len(batch), 3, 32, 32)
    for row, frames in enumerate(first):
        expected = np.moveaxis(reference(view, frames, drawn, row)[0], -1, 0)
        assert 255 * np.abs(found[row].numpy() - expected).max() <= 0.52


def test_without_size_the_frames_come_as_they_are(batch):
    view = Clip(frames=FRAMES, stride=1, size=None)
    same = [batch[0], batch[4]]
    found = through(view, same, drawn_for(view, same))
    assert found.dtype == torch.uint8
    assert np.array_equal(found.numpy(), np.stack(same))
