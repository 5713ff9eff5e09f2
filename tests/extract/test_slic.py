"""SLIC's superpixels against k-means in five dimensions, pixel by pixel, as the paper defines it."""

from __future__ import annotations

from math import dist, sqrt

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label
from skimage.color import rgb2lab

from vdata.extract._segments import smoothed
from vdata.extract.slic import SlicConfig, _lab, slic_labels
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.records import Video


def slow_slic(lab, num_segments, compactness, rounds):
    """Labels of a float picture (h, w, 3) and the number of centres.

    A pixel goes to the centre whose distance in (colour / compactness, place / step) is the least among those within two
    steps; a centre then moves to its pixels' mean. The first round has the grid's places and no colour.
    """
    height, width = lab.shape[:2]
    side = sqrt(height * width / num_segments)
    step, first = round(side), int(side // 2)
    colours = {(y, x): tuple(lab[y, x] / compactness) for y in range(height) for x in range(width)}
    centres = [((y, x), None) for y in range(first, height, step) for x in range(first, width, step)]
    for _ in range(rounds):
        nearest = {}
        for number, ((cy, cx), colour) in enumerate(centres):
            # The window's ends are whole pixels, cut towards 0.
            for y in range(int(max(cy - 2 * step, 0)), int(min(cy + 2 * step + 1, height))):
                for x in range(int(max(cx - 2 * step, 0)), int(min(cx + 2 * step + 1, width))):
                    far = ((y - cy) ** 2 + (x - cx) ** 2) / step**2
                    far += dist(colours[y, x], colour) ** 2 if colour else 0
                    if (y, x) not in nearest or far < nearest[y, x][0]:
                        nearest[y, x] = far, number
        for number in range(len(centres)):
            own = [point for point in nearest if nearest[point][1] == number]
            if own:
                features = np.mean([(*point, *colours[point]) for point in own], axis=0)
                centres[number] = tuple(features[:2]), tuple(features[2:])
    labels = [[nearest[y, x][1] for x in range(width)] for y in range(height)]
    return np.array(labels), len(centres)


def slow_connected(labels, least, most):
    """Connected parts of equal label in raster order, grown breadth first up to `most` pixels.

    A part of fewer than `least` goes to the neighbour that was met last.
    """
    height, width = labels.shape
    parts, following = {}, 0
    for start in np.ndindex(labels.shape):
        if start in parts:
            continue
        own, neighbour = [start], 0
        parts[start] = following
        for y, x in own:  # grows as it goes
            if len(own) >= most:
                break
            around = ((y, x + 1), (y, x - 1), (y + 1, x), (y - 1, x))
            for point in ((v, u) for v, u in around if 0 <= v < height and 0 <= u < width):
                if point not in parts and labels[point] == labels[start]:
                    own.append(point)
                    parts[point] = following
                    if len(own) >= most:
                        break
                elif parts.get(point, following) != following:
                    neighbour = parts[point]
        if len(own) < least:
            parts.update(dict.fromkeys(own, neighbour))
        else:
            following += 1
    return np.array([[parts[y, x] for x in range(width)] for y in range(height)])


def check_against_the_definition(picture, num_segments, compactness) -> int:
    (found,) = slic_labels(picture, SlicConfig(scales=(num_segments,), compactness=compactness))
    labels, centres = slow_slic(smoothed(_lab(picture), 1.0), num_segments, compactness, rounds=10)
    size = labels.size / centres
    wanted = slow_connected(labels, int(size / 2), int(size * 3))
    assert np.array_equal(found, wanted)
    return len(np.unique(wanted))


def blobs(seed, shape=(24, 32), noise=4.0):
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(0, 1, (*shape, 3)), [3, 3, 0])
    return (128 + 400 * smooth + rng.normal(0, noise, smooth.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("compactness", [3.0, 10.0, 40.0])
def test_superpixels_equal_the_definition(seed, compactness):
    assert check_against_the_definition(blobs(seed), 12, compactness) > 3


@pytest.mark.videos
@pytest.mark.parametrize("source", ["action/video1.mp4", "gestures/walk.mkv", "people/vid_h264.mp4"])
def test_superpixels_of_real_pictures_equal_the_definition(videos_root, source):
    video = Video("v", f"good/{source}", end_seconds=1.5)
    picture = next(iter(cut(videos_root, video, ClipConfig(), LimitConfig()))).pictures([0])[0]
    for num_segments in (12, 6):
        assert check_against_the_definition(picture[100:124, 100:132], num_segments, 10.0) > 3


@pytest.mark.parametrize("engine", ["skimage", "opencv"])
def test_a_superpixel_is_connected_and_there_are_about_as_many_as_asked_for(engine):
    picture = blobs(0, (96, 128))
    for labels, wanted in zip(slic_labels(picture, SlicConfig(engine=engine, compactness=40.0)), (64, 32), strict=True):
        numbers = np.unique(labels)
        assert wanted / 2 <= len(numbers) <= wanted * 2
        assert numbers.min() == 0
        assert all(label(labels == number)[1] == 1 for number in numbers)


@pytest.mark.parametrize("engine", ["skimage", "opencv"])
def test_superpixels_do_not_cross_a_strong_edge(engine):
    picture = np.full((96, 128, 3), 40, np.uint8)
    picture[:, 50:] = (220, 60, 60)
    for labels in slic_labels(picture, SlicConfig(engine=engine)):
        # The two columns beside the edge are the smoothing's.
        assert not set(np.unique(labels[:, :48])) & set(np.unique(labels[:, 52:]))


def test_lab_is_that_of_scikit_image():
    picture = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    wanted = rgb2lab(picture) + np.array([0, 128, 128])
    assert np.abs(_lab(picture) - wanted).max() < 1.6
    assert np.abs(_lab(picture) - wanted).mean() < 0.4


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (16, 640), (2, 200), (33, 17)])
@pytest.mark.parametrize("engine", ["skimage", "opencv"])
def test_small_and_thin_pictures(engine, shape):
    """OpenCV's SLIC ends the process where its grid has no centre."""
    picture = blobs(1, shape)
    for labels in slic_labels(picture, SlicConfig(engine=engine, scales=(1000, 64, 1))):
        assert labels.shape == shape
        assert labels.min() == 0
