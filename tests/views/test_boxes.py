"""Views of boxes are checked when they are made."""

from __future__ import annotations

import pytest

from vdata.errors import ConfigError
from vdata.views import Boxes, Tracklets


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (Boxes, {"num": 0}, r"views\.boxes\.num"),
        (Boxes, {"sources": ()}, "sources"),
        (Boxes, {"sources": ("random", "slic")}, "must be random alone"),
        (Boxes, {"frame": "first"}, "centre, random, nearest or all"),
        (Boxes, {"frame": "nearest"}, "must be given with frame = nearest"),
        (Boxes, {"pair": "v1"}, "and only then"),
        (Boxes, {"reach": -1}, "must not be negative"),
        (Boxes, {"min_visible": 1.5}, r"\[0, 1\]"),
        (Tracklets, {"num": 0}, r"views\.tracklets\.num"),
        (Tracklets, {"min_visible": -0.5}, r"\[0, 1\]"),
    ],
)
def test_settings_that_cannot_be(kind, settings, message):
    with pytest.raises(ConfigError, match=message):
        kind(**settings)
