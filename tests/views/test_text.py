"""Views of text are checked when they are made."""

from __future__ import annotations

import pytest

from vdata.errors import ConfigError
from vdata.views import Text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tokens": 0}, r"views\.text\.tokens"),
        ({"fields": ()}, "must be some of label, caption"),
        ({"fields": ("title",)}, "must be some of"),
        ({"choices": -1}, "must not be negative"),
        ({"choices": 5}, "must name answers"),
        ({"tokenizer": ""}, "bytes or a path"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ConfigError, match=message):
        Text(**settings)
