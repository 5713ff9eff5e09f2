from __future__ import annotations

import itertools

import numpy as np
import pytest

from vdata.datasets._sample.sprites import SHAPES, SPRITES, Sprite, inside, texture


@pytest.mark.parametrize(("name", "area"), [("square", 4), ("disc", np.pi), ("ring", np.pi * 0.75)])
def test_a_shape_covers_its_area(name, area):
    steps = np.linspace(-1.2, 1.2, 601)
    covered = inside(SHAPES.index(name), *np.meshgrid(steps, steps)).mean() * 2.4**2
    assert covered == pytest.approx(area, rel=0.02)
    image = Sprite(0, SHAPES.index(name), (1.0, 1.0, 1.0)).image()
    assert image[..., 3].mean() / 255 == pytest.approx(area / 4, rel=0.02)


def test_no_two_textures_look_alike():
    for one, other in itertools.combinations(range(len(SPRITES)), 2):
        assert np.abs(texture(one) - texture(other)).mean() > 25, (SPRITES[one], SPRITES[other])


def test_the_gain_scales_each_channel_and_nothing_exceeds_the_cover():
    plain, tinted = (Sprite(3, 1, gain).image().astype(float) for gain in ((1.0, 1.0, 1.0), (0.8, 1.0, 0.9)))
    np.testing.assert_allclose(tinted[..., :3], plain[..., :3] * (0.8, 1.0, 0.9), atol=1)
    assert (tinted[..., :3] <= tinted[..., 3:]).all()
