"""Motion views are checked when they are made."""

from __future__ import annotations

import pytest

from vdata.errors import ConfigError
from vdata.views import Augment, Motion


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frames": 0}, r"views\.motion\.frames"),
        ({"negatives": -1}, "must not be negative"),
        ({"size": 0}, "one or two numbers"),
        ({"size": (8, 8, 8)}, "one or two numbers"),
        ({"start": "uniform_k:3"}, "must take one window"),
        ({"augment": Augment(rotate=10.0)}, "cropped and flipped only"),
        ({"clamp": -1.0}, "must not be negative"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ConfigError, match=message):
        Motion(**settings)


def test_span_counts_both_ends():
    assert Motion(frames=8, stride=1).span == 8
    assert Motion(frames=8, stride=4).span == 29
