"""Temporal samplers: their densities, and slow loops for the frames."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipelines.windows import centre, cvrl_gap, frame_numbers, num_starts, uniform, window_starts
from vdata.views import Clip

RNG = np.random.default_rng(0)


def test_uniform_starts_are_uniform_and_fit():
    starts = uniform(np.full(20_000, 7), RNG.random(20_000))
    assert stats.chisquare(np.bincount(starts, minlength=7)).pvalue > 0.01
    assert starts.max() == 6
    assert uniform(np.array([7]), np.array([1 - 2**-53])) == 6


def test_the_gap_follows_the_linear_density_of_cvrl():
    m = 1_000_000  # so many starts that the gap is as good as continuous
    early, late = np.sort(cvrl_gap(np.full(100_000, m), *RNG.random((3, 100_000))), axis=0)
    # METHODS 4b: delta = M (1 - sqrt(1 - u)), so P(delta / M < x) = 1 - (1 - x)^2.
    assert stats.kstest((late - early) / m, lambda x: 1 - (1 - x) ** 2).pvalue > 0.01


def test_the_gap_of_a_short_clip_has_its_exact_probabilities():
    m, draws = 6, 30_000
    first, second = cvrl_gap(np.full(draws, m), *RNG.random((3, draws)))
    gap = np.abs(first - second)
    expected = np.array([2 * (m - d) - 1 for d in range(m)]) / m**2
    assert stats.chisquare(np.bincount(gap, minlength=m), expected * draws).pvalue > 0.01
    early = np.minimum(first, second)[gap == 2]
    assert stats.chisquare(np.bincount(early, minlength=m - 2)).pvalue > 0.01
    assert max(first.max(), second.max()) == m - 1
    assert stats.binomtest(int((first > second).sum()), int((gap > 0).sum())).pvalue > 0.01


@pytest.mark.parametrize(("frames", "expected"), [(16, 0), (17, 0), (18, 1), (61, 22)])
def test_centre_takes_the_middle(frames, expected):
    view = Clip(frames=16, stride=1, start="centre")
    assert centre(num_starts(view, np.array([frames]))) == expected


def test_a_pair_is_one_draw_in_which_both_windows_fit():
    views = (Clip("a", 8, 4), Clip("b", 16, 1, start="cvrl_gap:a"), Clip("c", 4, 1, start="centre"))
    num_frames = RNG.integers(29, 60, 4000)
    u = {name: RNG.random((4000, 4)) for name in "abc"}
    starts = window_starts(views, num_frames, u)
    room = num_frames - 29 + 1
    assert np.all(starts["a"] >= 0)
    assert np.all(np.maximum(starts["a"], starts["b"]) < room)
    one, other = cvrl_gap(room, u["b"][:, 0], u["b"][:, 1], u["b"][:, 2])
    assert np.array_equal(starts["a"], one)
    assert np.array_equal(starts["b"], other)
    assert np.array_equal(starts["c"], (num_frames - 4) // 2)


@pytest.mark.parametrize("pad", ["none", "edge", "loop"])
def test_frames_against_a_slow_loop(pad):
    view = Clip(frames=5, stride=3, pad=pad)
    num_frames = np.array([13, 20, 40] + ([1, 4, 12] if pad != "none" else []))
    starts = uniform(num_starts(view, num_frames), RNG.random(len(num_frames)))
    frames = frame_numbers(view, starts, num_frames)
    for row, (start, count) in enumerate(zip(starts.tolist(), num_frames.tolist(), strict=True)):
        for t in range(5):
            frame = start + 3 * t
            if frame >= count:
                assert pad != "none"
                frame = count - 1 if pad == "edge" else frame % count
            assert frames[row, t] == frame


def test_starts_of_a_short_clip():
    short = np.array([4])
    assert num_starts(Clip(frames=5, stride=3, pad="edge"), short) == 1
    assert num_starts(Clip(frames=5, stride=3, pad="loop"), short) == 4
