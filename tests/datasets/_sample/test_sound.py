from __future__ import annotations

import numpy as np
import pytest

from vdata.datasets._sample.sound import SAMPLE_RATE, TIMBRES, Sound
from vdata.datasets._sample.trajectories import Trajectory

PATH = Trajectory("horizontal", 30.0, (48.0, 48.0), 16.0, 2.5, (0.1, 0.2, 0.3))


def sound(timbre: int, seconds: float = 4.0) -> np.ndarray:
    return Sound(timbre, PATH, seconds, 2.2, seed=1).samples(25) / 32768


@pytest.mark.parametrize("timbre", range(len(TIMBRES)))
def test_loudness_follows_the_sprite(timbre):
    energy = (sound(timbre).reshape(100, -1) ** 2).mean(axis=1)
    x = PATH(100)[:, 0]
    apart = np.arange(100) != 55  # the click's frame
    assert np.corrcoef(np.sqrt(energy)[apart], x[apart])[0, 1] > 0.9


@pytest.mark.parametrize("timbre", range(len(TIMBRES)))
def test_the_click_falls_on_the_flash(timbre):
    peak = np.argmax(np.abs(sound(timbre))) / SAMPLE_RATE
    assert peak == pytest.approx(2.2, abs=0.002)


def test_timbres_have_their_own_spectra():
    spectra = [np.abs(np.fft.rfft(sound(timbre))) for timbre in range(len(TIMBRES))]
    unit = np.array([spectrum / np.linalg.norm(spectrum) for spectrum in spectra])
    assert (unit @ unit.T - np.eye(len(TIMBRES))).max() < 0.5


def test_a_cut_track_is_shorter_and_has_no_click_after_its_end():
    assert len(sound(0, 1.5)) == 1.5 * SAMPLE_RATE
    assert np.abs(sound(0, 1.5)).max() < 0.5
