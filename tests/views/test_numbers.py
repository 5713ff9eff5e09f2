"""Views of numbers are checked when they are made."""

from __future__ import annotations

import pytest

from vdata.errors import ConfigError
from vdata.views import Numbers


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "normal"}, "float, integer or order"),
        ({"low": 1.0}, "must be above low, 1.0"),
        ({"shape": (0,)}, "at least 1"),
        ({"shape": (65,)}, "at most 64"),
        ({"shape": (2,), "kind": "order", "high": 4}, "must be empty for order"),
        ({"low": 1, "kind": "order", "high": 4}, "must be 0 for order"),
        ({"kind": "order", "high": 65}, r"high \(65\) must ask for at most 64"),
        ({"kind": "integer", "high": 2.5}, "whole number"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ConfigError, match=message):
        Numbers(**settings)
