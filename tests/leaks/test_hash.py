"""Hashes stay when a picture is edited lightly, turn when it is mirrored, and are none without content."""

import cv2
import numpy as np
import pytest
from scipy.fft import dctn

from vdata.leaks.hash import MIRRORED, frame_distances, hash_picture


def texture(seed=0, size=(256, 192), grain=8):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 226, (size[1] // grain, size[0] // grain), dtype=np.uint8)
    return cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)


def hashed(picture):
    return hash_picture(picture, 32)


def bits(words):
    return np.unpackbits(words.view(np.uint8), bitorder="little")


def test_the_bits_are_the_signs_of_the_lowest_frequencies():
    picture = texture()
    small = cv2.resize(picture.astype(np.float32), (32, 32), interpolation=cv2.INTER_AREA)
    waves = dctn(small.astype(np.float64), norm="ortho")
    lowest = [(s - c, c) for s in range(1, 32) for c in range(s + 1)][:256]
    found = bits(hashed(picture))
    for word in range(4):
        signs = sorted(waves[place] > 0 for place in lowest[64 * word : 64 * word + 64])
        assert sorted(found[64 * word : 64 * word + 64].astype(bool)) == signs


@pytest.mark.parametrize(
    ("edit", "most"),
    [
        (lambda p: p, 0),
        (lambda p: cv2.resize(p, (128, 96), interpolation=cv2.INTER_AREA), 8),
        (lambda p: cv2.resize(p, (192, 192), interpolation=cv2.INTER_AREA), 8),
        (lambda p: np.clip(p * 1.15 + 20, 0, 255).astype(np.uint8), 16),
        (lambda p: cv2.imdecode(cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 20])[1], 0), 16),
        (lambda p: cv2.copyMakeBorder(p, 24, 25, 0, 0, cv2.BORDER_CONSTANT, value=16), 24),
        (lambda p: cv2.copyMakeBorder(p, 0, 0, 30, 31, cv2.BORDER_CONSTANT, value=235), 24),
    ],
)
def test_an_edit_turns_few_bits(edit, most):
    own = [hashed(texture(seed)) for seed in range(6)]
    assert all(frame_distances(hashed(edit(texture(seed))), own[seed]) <= most for seed in range(6))


def test_other_pictures_differ_in_half_of_the_bits():
    own = np.stack([hashed(texture(seed)) for seed in range(20)])
    distances = frame_distances(own[:, None], own[None])[~np.eye(20, dtype=bool)]
    assert abs(distances.mean() - 128) < 4
    assert distances.min() > 90


def test_a_mirrored_picture_has_the_turned_hash():
    for seed in range(6):
        picture = texture(seed)
        assert frame_distances(hashed(np.ascontiguousarray(picture[:, ::-1])), hashed(picture) ^ MIRRORED) <= 2
        assert frame_distances(hashed(np.ascontiguousarray(picture[:, ::-1])), hashed(picture)) > 90


@pytest.mark.parametrize("level", [0, 16, 128, 235, 255])
def test_a_picture_without_content_has_none(level):
    picture = np.full((192, 256), level, np.uint8)
    assert hashed(picture) is None
    noise = np.random.default_rng(0).integers(-1, 2, picture.shape)
    assert hashed(np.clip(picture + noise, 0, 255).astype(np.uint8)) is None
    picture[90:95, 100:104] ^= 4
    assert hashed(picture) is None


def test_bars_do_not_make_a_picture_and_a_dark_one_is_not_a_bar():
    framed = np.full((192, 256), 16, np.uint8)
    framed[40:150] = 128
    assert hashed(framed) is None
    dark = (texture() // 6 + 16).astype(np.uint8)
    assert frame_distances(hashed(dark), hashed(texture())) <= 40
