"""Views are checked together when they are to make a batch."""

from __future__ import annotations

import pytest

from vdata.errors import ConfigError
from vdata.views import Audio, Augment, Boxes, Clip, Keyframe, Motion, Text, check_views, looks_at

SPEEDS = {"speeds": (1, 2)}


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ((), "at least one view"),
        ((Clip("a"), Clip("a")), "different names"),
        *(((Clip(name),), "every batch has already") for name in ("idx", "label", "valid", "meta")),
        ((Clip("a", start="centre"), Clip("b", start="cvrl_gap:a")), "whose start is uniform"),
        ((Clip("a"), Clip("b", start="cvrl_gap:a"), Clip("c", start="cvrl_gap:a")), "one draw"),
        # Of a view that is not there, that is no Clip, or that is itself.
        ((Clip("a"), Clip("b", start="same:c")), r"views\.b \('c'\) must name a Clip among the views: a"),
        ((Clip("b", start="cvrl_gap:b"),), "there is none"),
        ((Keyframe(of="clip"),), "must name a Clip"),
        ((Clip("a"), Keyframe("k", of="a"), Clip("b", start="same:k")), "must name a Clip"),
        ((Clip("a"), Motion(start="uniform", follow="b")), "must name a Clip"),
        ((Clip("a"), Boxes(of="a", frame="nearest", pair="b")), "must name a Clip"),
        ((Clip("a"), Audio(of="b")), "must name a Clip"),
        ((Clip("a"), Text(of="b")), "must name a Clip"),
        ((Clip("a", speed_unlike="b", **SPEEDS),), "must name a Clip"),
        # Circles, of two and of three, and of two kinds of looking.
        ((Clip("a", start="same:b"), Clip("b", start="same:a")), "must not look at itself by way of others"),
        (
            (
                Clip("a", start="disjoint_from:c:1"),
                Clip("b", start="consecutive_after:a:0"),
                Clip("c", start="same:b"),
                Clip("d"),
            ),
            "must not look at itself",
        ),
        ((Clip("a", start="same:b", **SPEEDS), Clip("b", speed_unlike="a", **SPEEDS)), "must not look at itself"),
        # Speeds of which none is left, or of another set.
        ((Clip("a"), Clip("b", speed_unlike="a")), "must be those of 'a', two or more"),
        ((Clip("a", **SPEEDS), Clip("b", speeds=(1, 4), speed_unlike="a")), "must be those of 'a'"),
        # What goes through a view's crop.
        ((Clip("a", augment=Augment(rotate=10)), Boxes(of="a")), r"views\.a\.augment\.rotate \(10\) must be 0 where 'boxes'"),
        ((Clip("a", crops="three"), Motion(start="same:a", follow="a")), "must be one where 'motion'"),
        ((Clip("a", start="uniform_k:2"), Boxes(of="a")), "must take one window: 'boxes' looks"),
    ],
)
def test_views_that_make_no_batch(views, message):
    with pytest.raises(ConfigError, match=message):
        check_views(views)


def test_views_that_make_one():
    check_views((Clip("v1", start="cvrl_gap:v0"), Clip("v0"), Clip("eval", start="centre")))
    check_views((Clip("a", **SPEEDS), Clip("b", start="same:a", speed_unlike="a", **SPEEDS)))
    check_views((Motion(negatives=3, follow="clip"), Keyframe(), Clip()))
    check_views((Clip("v0"), Clip("v1", start="cvrl_gap:v0"), Boxes(of="v0", frame="nearest", pair="v1")))
    check_views((Clip("a", augment=Augment(rotate=10)), Motion(start="same:a")))


def test_what_a_view_looks_at():
    assert looks_at(Clip("b", start="same:a", speed_unlike="c", **SPEEDS)) == ("a", "c")
    assert looks_at(Clip("b", start="same:a", speed_unlike="a", **SPEEDS)) == ("a",)
    assert looks_at(Motion(follow="rgb")) == ("rgb", "clip")
    assert looks_at(Boxes(of="v0", frame="nearest", pair="v1")) == ("v0", "v1")
    assert looks_at(Clip()) == ()
