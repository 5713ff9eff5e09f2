"""Felzenszwalb's segments against the paper's algorithm on sets of pixels, and against pictures whose segments are known."""

from __future__ import annotations

from math import dist

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from vdata.extract._segments import corners_of
from vdata.extract.felzenszwalb import FelzenszwalbConfig, felzenszwalb_labels
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.records import Video

NEIGHBOURS = {"opencv": ((0, 1), (1, 0)), "skimage": ((0, 1), (1, 0), (1, 1), (1, -1))}


def slow_felzenszwalb(image, k, least, neighbours):
    """Labels of a float picture (h, w, C), by the paper: components are sets of pixels, edges are taken by weight.

    Two components join where the edge weighs no more than either's own largest edge plus k / size; then, in the same
    order, those that are smaller than `least` join theirs.
    """
    height, width = image.shape[:2]
    points = {(y, x): tuple(image[y, x]) for y in range(height) for x in range(width)}
    pairs = [((y, x), (y + dy, x + dx)) for y, x in points for dy, dx in neighbours if (y + dy, x + dx) in points]
    edges = sorted((dist(points[one], points[other]), one, other) for one, other in pairs)
    components = {point: frozenset([point]) for point in points}
    inner = dict.fromkeys(components.values(), 0.0)

    def join(one, other, weight):
        joined = one | other
        inner[joined] = weight
        components.update(dict.fromkeys(joined, joined))

    for weight, point, other in edges:
        a, b = components[point], components[other]
        if a != b and weight <= min(inner[a] + k / len(a), inner[b] + k / len(b)):
            join(a, b, weight)
    for weight, point, other in edges:
        a, b = components[point], components[other]
        if a != b and min(len(a), len(b)) < least:
            join(a, b, weight)
    names = {component: number for number, component in enumerate(dict.fromkeys(components.values()))}
    return np.array([[names[components[y, x]] for x in range(width)] for y in range(height)])


def same_segments(one, other) -> bool:
    """Whether the two maps divide the picture alike, whatever the labels are called."""
    pairs = set(zip(one.ravel().tolist(), other.ravel().tolist(), strict=True))
    return len(pairs) == len(np.unique(one)) == len(np.unique(other))


def check_against_the_paper(picture, engine, scale, reduce=1) -> int:
    (found,) = felzenszwalb_labels(picture, FelzenszwalbConfig(engine=engine, scales=(scale,), reduce=reduce))
    image = gaussian_filter(picture.astype(float), [0.8, 0.8, 0])
    # The picture is a reduced one already: k falls by `reduce`, the least segment by its square.
    wanted = slow_felzenszwalb(image, scale / reduce, scale / reduce**2, NEIGHBOURS[engine])
    assert same_segments(found, wanted)
    return len(np.unique(wanted))


@pytest.mark.parametrize("engine", ["skimage", "opencv"])
@pytest.mark.parametrize("seed", range(4))
def test_segments_equal_the_papers_algorithm(engine, seed):
    rng = np.random.default_rng(seed)
    blobs = gaussian_filter(rng.normal(0, 1, (24, 32, 3)), [3, 3, 0])
    picture = (128 + 400 * blobs + rng.normal(0, 4, blobs.shape)).clip(0, 255).astype(np.uint8)
    numbers = [check_against_the_paper(picture, engine, scale) for scale in (10, 30, 100)]
    assert numbers[0] > numbers[-1]
    assert check_against_the_paper(picture, engine, 40, reduce=2) > 1


@pytest.mark.videos
@pytest.mark.parametrize("engine", ["skimage", "opencv"])
@pytest.mark.parametrize("source", ["action/video1.mp4", "gestures/walk.mkv", "people/vid_h264.mp4"])
def test_segments_of_real_pictures_equal_the_papers_algorithm(videos_root, engine, source):
    video = Video("v", f"good/{source}", end_seconds=1.5)
    picture = next(iter(cut(videos_root, video, ClipConfig(), LimitConfig()))).pictures([0])[0]
    numbers = [
        check_against_the_paper(picture[y : y + 24, x : x + 32], engine, scale)
        for y, x in ((100, 100), (160, 220))
        for scale in (10, 40)
    ]
    assert max(numbers) > 2


@pytest.mark.parametrize("engine", ["skimage", "opencv"])
def test_boxes_of_flat_rectangles_are_the_rectangles(engine):
    rectangles = [(5, 8, 30, 40), (40, 10, 70, 28), (20, 44, 60, 56)]
    picture = np.full((64, 80, 3), (20, 90, 160), np.uint8)
    for number, (x0, y0, x1, y1) in enumerate(rectangles):
        picture[y0:y1, x0:x1] = (200, 40 * number, 30)
    for labels in felzenszwalb_labels(picture, FelzenszwalbConfig(engine=engine, scales=(100, 300), sigma=0.0)):
        assert set(map(tuple, corners_of(labels).tolist())) == {(0, 0, 80, 64), *rectangles}


def test_the_grain_moves_no_segment_of_a_picture_without_ties():
    from skimage.segmentation import felzenszwalb  # noqa: PLC0415 - heavy

    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    (found,) = felzenszwalb_labels(picture, FelzenszwalbConfig(scales=(200,)))
    assert same_segments(found, felzenszwalb(picture, scale=200, sigma=0.8, min_size=200))


def test_a_reduced_picture_counts_pixels_of_the_whole():
    """At 1 / 2 a segment of 399 pixels is 100 of the reduced ones: 400 / 4."""
    picture = np.zeros((80, 80, 3), np.uint8)
    picture[20:40, 20:40] = 255
    for scale, number in ((400, 2), (404, 1)):
        (labels,) = felzenszwalb_labels(picture[::2, ::2], FelzenszwalbConfig(scales=(scale,), reduce=2, sigma=0.0))
        assert len(np.unique(labels)) == number
