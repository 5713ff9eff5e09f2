"""Views are checked when they are made, and together when they are to make a batch."""

from __future__ import annotations

import pytest

from vdata.errors import ConfigError
from vdata.views import Augment, Clip, check_views


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (Clip, {"frames": 0}, r"views\.clip\.frames \(0\)"),
        (Clip, {"stride": 0}, "stride"),
        (Clip, {"size": 0}, "size"),
        (Clip, {"size": None, "augment": Augment()}, "must be given with augment"),
        (Clip, {"start": "middle"}, "uniform, centre or cvrl_gap:NAME"),
        (Clip, {"start": "cvrl_gap:"}, "cvrl_gap:NAME"),
        (Clip, {"pad": "black"}, "none, edge or loop"),
        (Clip, {"std": (1.0, 0.0, 1.0)}, "must not be zero"),
        (Augment, {"flip": 1.5}, r"augment\.flip \(1\.5\)"),
        (Augment, {"area": (0.5, 0.2)}, "smaller first"),
        (Augment, {"area": (0.5, 1.2)}, "must not exceed the picture"),
        (Augment, {"hue": 0.7}, "turns"),
    ],
)
def test_settings_that_cannot_be(kind, settings, message):
    with pytest.raises(ConfigError, match=message):
        kind(**settings)


def test_span_counts_both_ends():
    assert Clip(frames=16, stride=4).span == 61
    assert Clip(frames=1, stride=4).span == 1


def test_a_pair_names_its_partner():
    assert Clip(start="cvrl_gap:v0").pair == "v0"
    assert Clip(start="uniform").pair is None


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ((), "at least one view"),
        ((Clip("a"), Clip("a")), "different names"),
        ((Clip("idx"),), "every batch has already"),
        ((Clip("a", start="centre"), Clip("b", start="cvrl_gap:a")), "whose start is uniform"),
        ((Clip("b", start="cvrl_gap:b"),), "whose start is uniform"),
        ((Clip("a"), Clip("b", start="cvrl_gap:a"), Clip("c", start="cvrl_gap:a")), "one draw"),
    ],
)
def test_views_that_make_no_batch(views, message):
    with pytest.raises(ConfigError, match=message):
        check_views(views)


def test_views_that_make_one():
    check_views((Clip("v1", start="cvrl_gap:v0"), Clip("v0"), Clip("eval", start="centre")))
