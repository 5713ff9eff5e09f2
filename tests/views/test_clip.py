"""Picture views are checked when they are made."""

from __future__ import annotations

import pytest

from vdata.errors import ConfigError
from vdata.views import Augment, Clip, Keyframe

RANDOM = Augment(crop="random", resize=(128, 171))


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (Clip, {"frames": 0}, r"views\.clip\.frames \(0\)"),
        (Clip, {"stride": 0}, "stride"),
        (Clip, {"size": 0}, "size"),
        (Clip, {"size": (64, 0)}, "size"),
        (Clip, {"size": (64, 64, 3)}, "one or two numbers"),
        (Clip, {"size": None, "augment": Augment()}, "must be given with augment"),
        (Clip, {"pad": "black"}, "none, edge or loop"),
        (Clip, {"phase": "even"}, "any or stride"),
        (Clip, {"std": (1.0, 0.0, 1.0)}, "must not be zero"),
        (Clip, {"speeds": ()}, "1 or more"),
        (Clip, {"speeds": (1, 0)}, "1 or more"),
        (Clip, {"reverse": 1.5}, "must be a probability"),
        (Clip, {"crops": "five"}, "one or three"),
        (Clip, {"crops": "three", "augment": Augment()}, "must be one with augment"),
        (Clip, {"crops": "three", "size": None}, "without a size"),
        (Clip, {"dtype": "float64"}, "float32, float16 or uint8"),
        (Clip, {"dtype": "uint8", "mean": (0.5, 0.5, 0.5)}, "must be a float"),
        (Clip, {"layout": "HWCT"}, "CTHW, TCHW or THWC"),
        (Clip, {"start": "centre_clamped"}, "must be edge with start centre_clamped"),
        (Clip, {"augment": RANDOM, "size": 144}, r"must fit into augment\.resize \(128, 171\)"),
        (Clip, {"augment": Augment(crop="random", resize=(0, 100))}, "must fit into"),
        (Keyframe, {"margin": -1}, "must not be negative"),
        (Keyframe, {"size": 0}, "size"),
        (Keyframe, {"dtype": "int8"}, "float32, float16 or uint8"),
    ],
)
def test_settings_that_cannot_be(kind, settings, message):
    with pytest.raises(ConfigError, match=message):
        kind(**settings)


def test_span_counts_both_ends_at_the_largest_speed():
    assert Clip(frames=16, stride=4).span == 61
    assert Clip(frames=1, stride=4).span == 1
    assert Clip(frames=16, stride=1, speeds=(1, 2)).span == 31


def test_a_pair_names_its_partner():
    assert Clip(start="cvrl_gap:v0").pair == "v0"
    assert Clip(start="uniform").pair is None
    assert Clip(start="same:v0").pair is None


def test_windows_and_crops_are_counted():
    assert (Clip().num_windows, Clip().num_crops) == (1, 1)
    assert (Clip(start="uniform_k:10").num_windows, Clip(crops="three").num_crops) == (10, 3)


def test_dualvar_s_crop_fits():
    assert Clip(size=112, augment=RANDOM).augment.resize == (128, 171)
    assert Clip(size=(128, 171), augment=RANDOM).size == (128, 171)
