"""Views of features are checked when they are made."""

from __future__ import annotations

import pytest

from vdata.errors import ConfigError
from vdata.views import Features


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frames": 0}, r"views\.features\.frames"),
        ({"frames": 126}, "multiple of 4"),
        ({"sampler": "random"}, "parts, uniform or even"),
        ({"reach": 0}, "at least 1"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ConfigError, match=message):
        Features(**settings)


def test_any_number_of_rows_without_parts():
    assert Features(frames=126, sampler="even").frames == 126
