"""Views of sound are checked when they are made."""

from __future__ import annotations

import pytest

from vdata.errors import ConfigError
from vdata.views import Audio


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        *(({name: 0}, rf"views\.audio\.{name}") for name in ("seconds", "rate", "num_mels", "num_fft", "window_seconds", "std")),
        ({"min_gap_seconds": -1.0}, "must not be negative"),
        ({"jitter_seconds": -1.0}, "must not be negative"),
        ({"shift": 1.5}, "must be a probability"),
        ({"volume": 1.0}, r"\[0, 1\)"),
        ({"hop_seconds": 1e-6}, "a sample or more"),
        ({"num_fft": 512}, "fit into num_fft"),
        ({"seconds": 0.01}, "fit into"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ConfigError, match=message):
        Audio(**settings)


def test_steps_are_the_windows_that_lie_wholly_in_the_sound():
    audio = Audio()
    assert (audio.num_samples, audio.window_samples, audio.hop_samples, audio.num_steps) == (96000, 960, 480, 199)
    assert (audio.num_steps - 1) * 480 + 960 <= 96000 < audio.num_steps * 480 + 960
