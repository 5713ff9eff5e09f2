"""Temporal samplers as text."""

from __future__ import annotations

import pytest

from vdata.errors import ConfigError
from vdata.views import Clip
from vdata.views.window import SAMPLERS, Start, parse_start


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("uniform", Start("uniform")),
        ("centre", Start("centre")),
        ("centre_clamped", Start("centre_clamped")),
        ("uniform_k:10", Start("uniform_k", "", 10)),
        ("cvrl_gap:v0", Start("cvrl_gap", "v0")),
        ("same:v0", Start("same", "v0")),
        ("consecutive_after:clip:2", Start("consecutive_after", "clip", 2)),
        ("disjoint_from:clip:1.5", Start("disjoint_from", "clip", 1.5)),
    ],
)
def test_every_sampler_by_its_text(text, expected):
    assert parse_start(text, "key") == expected
    assert expected.sampler in SAMPLERS


@pytest.mark.parametrize(
    "text",
    [
        "middle",
        "",
        "uniform:",
        "uniform:3",
        "centre:v0",
        "cvrl_gap",
        "cvrl_gap:",
        "cvrl_gap:v0:1",
        "uniform_k",
        "same",
        "consecutive_after:v0",
    ],
)
def test_an_unknown_name_or_other_arguments_answer_with_all_forms(text):
    with pytest.raises(ConfigError, match=r"views\.clip\.start .*uniform_k:COUNT, cvrl_gap:NAME.*disjoint_from:NAME:SECONDS"):
        Clip(start=text)


@pytest.mark.parametrize(
    "text", ["uniform_k:ten", "uniform_k:1.5", "uniform_k:-1", "consecutive_after:v:0.5", "disjoint_from:v:soon"]
)
def test_an_argument_that_is_no_such_number(text):
    with pytest.raises(ConfigError, match=r"must end in a (whole )?number of 0 or more"):
        Clip(start=text)


@pytest.mark.parametrize("text", ["disjoint_from:v:nan", "disjoint_from:v:inf"])
def test_a_distance_that_is_no_length(text):
    with pytest.raises(ConfigError, match="number of 0 or more"):
        Clip(start=text)


def test_no_window_at_all():
    with pytest.raises(ConfigError, match="must ask for at least 1 window"):
        Clip(start="uniform_k:0")
