"""Colours and scaling: whole pictures against PyAV, the CPU's shortcut against exact arithmetic on the decoded planes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from pipelines.convert import Converter, ScaledPictures, WholePictures, blur_window
from pipelines.draw import colour, draw
from pipelines.graph import Graph, GraphConfig
from pipelines.philox import uniforms
from pipelines.readers import make_readers
from pipelines.views import Finish
from pipelines.windows import Window
from vdata.media.clip import EncodedClip
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.records import Video
from vdata.views import Augment, Clip

NOTHING = {"flip": 0.0, "jitter": 0.0, "gray": 0.0, "blur": 0.0}
QUICK = ["gestures/bird.mkv", "oddities/test-vp9.webm", "oddities/video_90.mov", "people/car-detection.mp4"]


def frames_of(mp4: bytes, count: int = 3) -> list[av.VideoFrame]:
    with av.open(io.BytesIO(mp4)) as container:
        frames = list(container.decode(video=0))
    return [frames[number] for number in np.linspace(0, len(frames) - 1, count).astype(int)]


def planes_of(frame: av.VideoFrame) -> list[np.ndarray]:
    planes = [np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width] for plane in frame.planes]
    return [plane.astype(float) for plane in planes]


def to_rgb(y: np.ndarray, cb: np.ndarray, cr: np.ndarray) -> np.ndarray:
    """BT.601, limited range, from Kr = 0.299 and Kb = 0.114; not clipped."""
    y, cb, cr = (y - 16) / 219, (cb - 128) / 224, (cr - 128) / 224
    red, blue = y + 2 * (1 - 0.299) * cr, y + 2 * (1 - 0.114) * cb
    return 255 * np.stack([red, (y - 0.299 * red - 0.114 * blue) / 0.587, blue], axis=-1)


def triangle(size: int, low: float, high: float, first: int, last: int) -> np.ndarray:
    """(size, last - first) weights of a triangle filter as wide as the reduction from low .. high; outside, the edge repeats."""
    scale = (high - low) / size
    centres, pixels = low + (np.arange(size) + 0.5) * scale, np.arange(2 * first - last, 2 * last - first)
    far = np.maximum(0.0, 1.0 - np.abs(pixels + 0.5 - centres[:, None]) / max(scale, 1.0))
    weights = np.zeros((size, last - first))
    np.add.at(weights.T, np.clip(pixels, first, last - 1) - first, far.T)
    return weights / weights.sum(axis=1, keepdims=True)


def exact_crop(frame: av.VideoFrame, box: tuple[int, int, int, int], size: tuple[int, int]) -> np.ndarray:
    """What the shortcut would be without any rounding: (h, w, 3), not clipped."""
    x0, y0, x1, y1 = box
    scaled = []
    for plane, part in zip(planes_of(frame), (1, 2, 2), strict=True):
        left, top, right, bottom = x0 // part, y0 // part, x1 // part, y1 // part
        rows, columns = triangle(size[0], top, bottom, top, bottom), triangle(size[1], left, right, left, right)
        scaled.append(rows @ plane[top:bottom, left:right] @ columns.T)
    return to_rgb(*scaled)


def exact_graph(
    frame: av.VideoFrame, box: tuple[int, int, int, int], size: tuple[int, int], picture: tuple[int, int]
) -> np.ndarray:
    """What the graph's resize would be without any rounding: colours first, of doubled chroma; the filter leaves the crop."""
    width, height = picture
    y, cb, cr = planes_of(frame)
    doubled = [np.kron(plane, np.ones((2, 2)))[:height, :width] for plane in (cb, cr)]
    rgb = np.clip(to_rgb(y[:height, :width], *doubled), 0, 255)
    rows, columns = triangle(size[0], box[1], box[3], 0, height), triangle(size[1], box[0], box[2], 0, width)
    return np.stack([rows @ rgb[..., channel] @ columns.T for channel in range(3)], axis=-1)


def shortcut(frames: list[av.VideoFrame], box, size, matrix=None, sigma: float = 0.0, corner=(0, 0)) -> np.ndarray:
    pictures = ScaledPictures(Converter(), len(frames), corner, Finish(np.array(box, np.float32), size, matrix, sigma))
    for slot, frame in enumerate(frames):
        pictures.put(frame, [slot])
    return pictures.take()


def whole(frames: list[av.VideoFrame], picture: tuple[int, int, int, int]) -> np.ndarray:
    pictures = WholePictures(Converter(), len(frames), picture)
    for slot, frame in enumerate(frames):
        pictures.put(frame, [slot])
    return pictures.take()


@pytest.fixture(scope="module")
def frames(clips) -> list[av.VideoFrame]:
    """Of a clip of 96x64 on a canvas of 112x80, whose rest is magenta."""
    return frames_of(clips[5].mp4)


# ---------------------------------------------------------------------------------------------------------- whole pictures


@pytest.mark.parametrize("picture", [(0, 0, 96, 64), (0, 0, 112, 80), (6, 4, 30, 20), (94, 62, 18, 18)])
def test_whole_pictures_are_pyav_s_bit_for_bit(frames, picture):
    x, y, width, height = picture
    expected = [frame.to_ndarray(format="rgb24")[y : y + height, x : x + width] for frame in frames]
    assert np.array_equal(whole(frames, picture), np.stack(expected))


def test_a_frame_goes_to_all_its_places(frames):
    pictures, box, size = WholePictures(Converter(), 3, (0, 0, 96, 64)), np.array([0, 0, 64, 64], np.float32), (32, 32)
    crops = ScaledPictures(Converter(), 3, (0, 0), Finish(box, size, None, 0.0))
    for target in (pictures, crops):
        target.put(frames[0], [2, 0])
        target.put(frames[1], [1])
        found = target.take()
        assert np.array_equal(found[0], found[2])
        assert not np.array_equal(found[0], found[1])
    assert np.array_equal(crops.take()[:2], shortcut(frames[:2], box, size))


# ------------------------------------------------------------------------------------------------------- scaled, to the letter

CROPS = [
    ((0, 0, 96, 64), (32, 32)),
    ((2, 4, 60, 62), (32, 48)),
    ((32, 0, 96, 64), (64, 64)),  # each pixel as it is
    ((40, 20, 56, 36), (48, 40)),  # enlarged
    ((0, 0, 96, 64), (7, 5)),  # reduced a lot
    ((88, 56, 96, 64), (16, 16)),  # the smallest crop there is
]


@pytest.mark.parametrize(("box", "size"), CROPS)
def test_scaled_crops_are_exact_arithmetic_but_for_rounding(frames, box, size):
    """A plane's byte is off by half a step, which makes 1.3 in red and 1.6 in blue; then the colour is rounded."""
    found = shortcut(frames, box, size).astype(float)
    expected = np.clip([exact_crop(frame, box, size) for frame in frames], 0, 255)
    difference = np.abs(found - expected)
    assert difference.max() <= 3.5
    assert difference.mean() <= 0.6
    # No channel leans to a side.
    assert np.abs((found - expected).mean(axis=(0, 1, 2))).max() <= 0.45


@pytest.mark.parametrize(("box", "size"), CROPS)
def test_colours_are_drawn_before_anything_is_clipped(frames, box, size):
    matrices, offsets = colour(Augment(jitter=1.0, gray=0.3), uniforms(0, 0, np.arange(20), 0)[:, :10])
    for matrix, offset in zip(matrices, offsets, strict=True):
        drawn = np.concatenate([matrix, offset[:, None]], axis=1).astype(np.float32)
        found = shortcut(frames[:1], box, size, drawn)[0].astype(float)
        expected = np.clip(exact_crop(frames[0], box, size) @ matrix.T + offset, 0, 255)
        # Half a step of three planes, as the row of the matrix weighs them.
        assert np.abs(found - expected).max() <= 1 + 1.6 * np.abs(matrix).sum(axis=1).max()


def test_no_colour_is_the_identity(frames):
    nothing = np.eye(3, 4, dtype=np.float32)
    assert np.array_equal(shortcut(frames, (0, 0, 96, 64), (32, 32), nothing), shortcut(frames, (0, 0, 96, 64), (32, 32)))


def test_crops_count_from_the_picture_s_corner(frames):
    size = (24, 24)
    assert np.array_equal(shortcut(frames, (4, 6, 44, 46), size, corner=(10, 8)), shortcut(frames, (14, 14, 54, 54), size))


@pytest.mark.parametrize("sigma", [0.1, 0.8, 2.0])
@pytest.mark.parametrize("size", [(32, 48), (112, 112)])
def test_the_blur_is_the_gaussian_of_the_scaled_crop(frames, size, sigma):
    box = (0, 0, 96, 64)
    found = shortcut(frames, box, size, sigma=sigma).astype(float)
    window = blur_window(size)
    assert window == {32: 3, 112: 11}[size[0]]
    taps = np.exp(-0.5 * (np.arange(window) - window // 2) ** 2 / sigma**2)
    taps /= taps.sum()
    for blurred, sharp in zip(found, shortcut(frames, box, size).astype(float), strict=True):
        expected = cv2.sepFilter2D(sharp, cv2.CV_64F, taps, taps, borderType=cv2.BORDER_REFLECT_101)
        # OpenCV's kernel for bytes has 8 bits.
        assert np.abs(blurred - expected).max() <= 1.5
    if sigma == 0.1:
        assert np.array_equal(found, shortcut(frames, box, size))


def test_many_threads_share_a_converter(clips):
    converter, streams = Converter(), [frames_of(clip.mp4) for clip in clips[:4]]

    def crop(job: int) -> np.ndarray:
        side = 16 + 8 * (job % 5)
        finish = Finish(np.array([0, 0, 32 + 4 * (job % 7), 48], np.float32), (side, side), None, 0.0)
        pictures = ScaledPictures(converter, 3, (0, 0), finish)
        for slot, frame in enumerate(streams[job % 4]):
            pictures.put(frame, [slot])
        return pictures.take()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(crop, range(80)))
    for job in range(80):
        side = 16 + 8 * (job % 5)
        assert np.array_equal(found[job], shortcut(streams[job % 4], (0, 0, 32 + 4 * (job % 7), 48), (side, side)))


# --------------------------------------------------------------------------------------------------------- against the graph


def through_the_graph(pictures: np.ndarray, size: tuple[int, int], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random crops of the pictures by the graph's own resize, (count, T, h, w, 3), and their boxes."""
    view = Clip(frames=len(pictures), stride=1, size=size, augment=Augment(**NOTHING), dtype="uint8", layout="THWC")
    frames = np.tile(np.arange(len(pictures)), (count, 1))
    window = Window(frames, np.ones(frames.shape, bool), np.ones(count, np.int64), np.zeros(count, bool))
    picture = np.tile([0, 0, pictures.shape[2], pictures.shape[1]], (count, 1))
    drawn = draw(view, window, picture, uniforms(1, 0, np.arange(count), 0))
    (reader,) = make_readers([view], shortcuts=())
    graph = Graph([reader], GraphConfig(torch.device("cpu"), count, 1, 1))
    graph.feed({view.name: [pictures] * count} | reader.feeds(drawn, []))
    return graph.take()[0][0].numpy().astype(float), drawn.box[:, 0].astype(int)


def compared(frames: list[av.VideoFrame], picture: tuple[int, int, int, int], size: tuple[int, int]) -> dict[str, np.ndarray]:
    """Shortcut minus graph; each minus exact arithmetic. (N, h, w, 3), in steps of 1/255."""
    by_graph, boxes = through_the_graph(whole(frames, picture), size, 2)
    by_shortcut = np.stack([shortcut(frames, box, size) for box in boxes]).astype(float)
    exact = np.stack([[exact_graph(frame, box, size, picture[2:]) for frame in frames] for box in boxes])
    own = np.clip([[exact_crop(frame, box, size) for frame in frames] for box in boxes], 0, 255)
    return {"both": by_shortcut - by_graph, "graph": by_graph - exact, "shortcut": by_shortcut - own, "exact": own - exact}


def assert_bounds(found: dict[str, np.ndarray], mean: float = 2.0, tail: float = 40) -> None:
    """The bounds that stand in the docstring of pipelines/convert.py; `tail` is the 99.9th percentile's."""
    bias = {name: difference.mean(axis=(0, 1, 2, 3)) for name, difference in found.items()}
    size = np.abs(found["both"])
    assert size.mean() <= mean
    assert np.percentile(size, 99.9) <= tail
    assert np.abs(bias["both"]).max() <= 2.0
    # swscale's conversion leans to the dark; the shortcut does not lean.
    assert -2.0 <= bias["graph"].min() <= bias["graph"].max() <= 0.1
    assert np.abs(bias["shortcut"]).max() <= 0.45
    assert np.abs(found["shortcut"]).mean() <= 0.55
    assert np.percentile(np.abs(found["shortcut"]), 99.9) <= 2.0
    # Without rounding neither leans against the other, but for what is clipped first or last: 1.3 on colour bars.
    assert np.abs(bias["exact"]).max() <= 2.0


@pytest.mark.parametrize("size", [(32, 32), (48, 80)])
def test_the_shortcut_is_the_graph_s_resize_within_bounds_on_textures(clips, size):
    for number in (2, 5, 11):
        found = compared(frames_of(clips[number].mp4), (0, 0, 96, 64), size)
        # Coloured noise of 4 pixels: it is nothing but edges of chroma.
        assert_bounds(found, mean=3.5, tail=25)


def first_clip(path: Path, short_side: int) -> EncodedClip:
    config = ClipConfig(short_side=short_side, seconds=1.0)
    return next(
        item
        for item in cut(path.parent, Video("v", path.name), config, LimitConfig(), with_motion=False)
        if isinstance(item, EncodedClip)
    )


def differences(paths: list[Path], short_side: int, size: tuple[int, int]) -> Iterator[dict[str, np.ndarray]]:
    for path in paths:
        clip = first_clip(path, short_side)
        picture = clip.picture
        yield compared(frames_of(clip.mp4), (0, 0, picture.width, picture.height), size)


@pytest.mark.videos
def test_the_shortcut_is_the_graph_s_resize_within_bounds_on_a_few_videos(videos_root):
    for found in differences([videos_root / "good" / name for name in QUICK], 128, (64, 64)):
        assert_bounds(found)


@pytest.mark.videos
@pytest.mark.slow
def test_the_shortcut_is_the_graph_s_resize_within_bounds_on_all_videos(videos_root):
    found = list(differences(sorted((videos_root / "good").rglob("*.*")), 256, (112, 112)))
    for one in found:
        assert_bounds(one)
    # Over all of them.
    mean = {name: np.mean([one[name].mean(axis=(0, 1, 2, 3)) for one in found], axis=0) for name in found[0]}
    assert np.abs(mean["shortcut"]).max() <= 0.15
    assert mean["graph"] == pytest.approx([-0.8, -1.15, -0.85], abs=0.2)
    assert np.mean([np.abs(one["both"]).mean() for one in found]) <= 1.2
    assert np.median([np.percentile(np.abs(one["both"]), 99.9) for one in found]) <= 6
