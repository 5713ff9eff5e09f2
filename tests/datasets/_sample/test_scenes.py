from __future__ import annotations

import socket

import numpy as np
import pytest

from vdata.datasets._sample import scenes
from vdata.datasets._sample.scenes import SCENES, SPLITS, TILE_PIXELS, photograph, rectangles, tiles


def test_all_photographs_are_in_the_wheel(monkeypatch):
    def refuse(*args, **kwargs):
        pytest.fail("a photograph was fetched from the network")

    monkeypatch.setattr(socket, "socket", refuse)
    pictures = [photograph.__wrapped__(scene) for scene in range(len(SCENES))]
    assert len({picture.tobytes() for picture in pictures}) == len(SCENES) == 12
    assert all(picture.dtype == np.uint8 and picture.shape[2] == 3 for picture in pictures)


@pytest.mark.parametrize("size", [(191, 384), (512, 512), (300, 451)])
def test_no_pixel_belongs_to_two_splits(size):
    owners = np.zeros(size, int)
    for split in SPLITS:
        for x0, y0, x1, y1 in rectangles(*size, split):
            owners[y0:y1, x0:x1] += 1
    assert (owners == 1).all()


@pytest.mark.parametrize("scene", [SCENES.index("page"), SCENES.index("retina")])
def test_a_tile_holds_nothing_of_the_other_splits(scene, monkeypatch):
    # One small photograph is enlarged, one large is shrunk: neither may mix a neighbour's pixels in.
    for split in SPLITS:
        blacked = np.zeros_like(photograph(scene))
        for x0, y0, x1, y1 in rectangles(*blacked.shape[:2], split):
            blacked[y0:y1, x0:x1] = photograph(scene)[y0:y1, x0:x1]
        expected = tiles(scene, split)
        with monkeypatch.context() as patch:
            patch.setattr(scenes, "photograph", lambda _, picture=blacked: picture)
            for tile, other in zip(tiles.__wrapped__(scene, split), expected, strict=True):
                np.testing.assert_array_equal(tile, other)


def test_tiles_have_the_stated_size():
    assert {min(tile.shape[:2]) for scene in range(len(SCENES)) for tile in tiles(scene, "val")} == {TILE_PIXELS}
