"""The Fact view as data."""

import pytest

from vdata.errors import ConfigError
from vdata.views import Fact, check_views


def test_the_column_is_the_name_unless_another_is_given():
    assert Fact("pid").source == "pid"
    assert Fact("y", column="labels", classes=3).source == "labels"
    check_views((Fact("pid"), Fact("y", column="labels", classes=3)))


def test_its_name_is_a_batchs_key():
    with pytest.raises(ConfigError, match="is a key that every batch has already"):
        check_views((Fact("label"),))
