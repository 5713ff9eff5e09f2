"""Which frames an extractor looks at."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from vdata.errors import ConfigError
from vdata.extract._frames import check_frames, chosen_frames

CLIP = SimpleNamespace(num_frames=30, keyframes=[SimpleNamespace(frame=frame) for frame in (0, 12, 24)])


@pytest.mark.parametrize(
    ("rule", "frames"),
    [
        ("keyframes", (0, 12, 24)),
        ("all", tuple(range(30))),
        ("every:1", tuple(range(30))),
        ("every:7", (0, 7, 14, 21, 28)),
        ("every:100", (0,)),
    ],
)
def test_frames_by_rule(rule, frames):
    check_frames(rule, "slic.frames")
    assert chosen_frames(rule, CLIP) == frames


@pytest.mark.parametrize("rule", ["", "every", "every:", "every:0", "every:-1", "every:1.5", "every:٣", "all:2", "keyframes:3"])
def test_other_rules_are_refused(rule):
    with pytest.raises(ConfigError, match=r"slic\.frames"):
        check_frames(rule, "slic.frames")
