"""Augmentation as data is checked when it is made."""

from __future__ import annotations

import pytest

from vdata.errors import ConfigError
from vdata.views import Augment


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        *(({name: 1.5}, rf"augment\.{name} \(1\.5\)") for name in ("flip", "jitter", "gray", "blur", "solarize", "plain")),
        *(({name: -0.1}, rf"augment\.{name}") for name in ("brightness", "contrast", "saturation", "hue", "rotate")),
        ({"area": (0.5, 0.2)}, "smaller first"),
        ({"area": (0.0, 0.2)}, "positive"),
        ({"area": (0.5, 1.2)}, "must not exceed the picture"),
        ({"aspect": (0.0, 1.0)}, "positive"),
        ({"blur_sigma": (2.0, 1.0)}, "smaller first"),
        ({"hue": 0.7}, "turns"),
        ({"rotate": 200.0}, "degrees"),
        ({"crop": "centre"}, "resized or random"),
        ({"crop": "random"}, r"augment\.resize \(\(0, 0\)\) must be given"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ConfigError, match=message):
        Augment(**settings)
