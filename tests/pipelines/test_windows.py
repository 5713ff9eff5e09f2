"""Temporal samplers: the densities of METHODS.md over 10^5 draws, and slow loops for the frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from pipelines.windows import (
    NUM_WINDOW_UNIFORMS,
    Window,
    centre,
    centre_clamped,
    consecutive_after,
    cvrl_gap,
    disjoint_from,
    draw_windows,
    extent,
    least_frames,
    num_starts,
    uniform,
    uniform_k,
)
from vdata.views import Clip, Motion

DRAWS = 100_000
LAST = 1 - 2**-53
"""The largest number that can be drawn."""


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def drawn(
    views: Sequence[Clip | Motion], num_frames, *, seed: int = 0, u: float | None = None, fps: float = 25.0
) -> dict[str, Window]:
    """The windows of many samples; `u` takes the place of every random number."""
    num_frames = np.atleast_1d(np.asarray(num_frames, np.int64))
    shape, source = (len(num_frames), NUM_WINDOW_UNIFORMS), rng(seed)
    numbers = {view.name: source.random(shape) if u is None else np.full(shape, u) for view in views}
    coins = source.random(shape) if u is None else np.full(shape, u)
    return draw_windows(views, num_frames, np.full(len(num_frames), fps), numbers, coins)


def fits(found: np.ndarray, density: Sequence[float]) -> bool:
    """Whether whole numbers from 0 on have these exact probabilities (chi-square, p > 0.01), and no other is met."""
    expected = np.asarray(density, float) * len(found)
    counts = np.bincount(found, minlength=len(expected))
    there = np.pad(expected > 0, (0, len(counts) - len(expected)))
    if counts[~there].any() or there.sum() == 1:
        return not counts[~there].any()
    return stats.chisquare(counts[there], expected[expected > 0]).pvalue > 0.01


# ---------------------------------------------------------------------------------------------------------------- densities


@pytest.mark.parametrize(("num_frames", "starts"), [(61, 1), (67, 7), (300, 240)])
def test_uniform_starts_are_uniform_and_reach_both_ends(num_frames, starts):
    window = drawn((Clip(frames=16, stride=4),), np.full(DRAWS, num_frames))["clip"]
    assert fits(window.frames[:, 0], np.full(starts, 1 / starts))
    assert uniform(np.array([starts]), np.array([LAST])) == starts - 1


def test_a_continuous_start_passes_kolmogorov_and_smirnov():
    starts = uniform(np.full(DRAWS, 10**9), rng().random(DRAWS))
    assert stats.kstest(starts / 10**9, "uniform").pvalue > 0.01


@pytest.mark.parametrize("room", [2, 6, 40])
def test_the_gap_of_a_pair_has_the_exact_probabilities_of_cvrl(room):
    """METHODS 4b with M = room: gap floor(M (1 - sqrt(1 - u))), the earlier start U{0 .. M - gap - 1}, then a swap."""
    views = (Clip("a", 16, 2), Clip("b", 16, 2, start="cvrl_gap:a"))
    # Of the first 300 seeds 1 in 100 falls below 0.01, as it must be; 0 is such a one.
    windows = drawn(views, np.full(DRAWS, 30 + room), seed=1)
    first, second = windows["a"].frames[:, 0], windows["b"].frames[:, 0]
    gap, early = np.abs(first - second), np.minimum(first, second)
    density = np.zeros((room, room))
    for d in range(room):
        density[d, : room - d] = (2 * (room - d) - 1) / room**2 / (room - d)
    assert fits(gap * room + early, density.ravel())
    # Gaps alone: of 40, few pairs of a gap and a start are met often.
    assert fits(gap, density.sum(axis=1))
    assert stats.binomtest(int((first > second).sum()), int((gap > 0).sum())).pvalue > 0.01
    assert max(first.max(), second.max()) == room - 1
    # Mean of the gap: about M / 3 - 0.5 [V].
    assert gap.mean() == pytest.approx(room / 3 - 0.5, abs=0.02 * room + 0.1)


def test_the_gap_of_a_long_pair_follows_the_linear_density():
    m = 10**9  # so many starts that the gap is as good as continuous
    early, late = np.sort(cvrl_gap(np.full(DRAWS, m), *rng().random((3, DRAWS))), axis=0)
    # P(gap / M < x) = 1 - (1 - x)^2; given the gap, the earlier start is uniform over what is left.
    assert stats.kstest((late - early) / m, lambda x: 1 - (1 - x) ** 2).pvalue > 0.01
    assert stats.kstest(early / (m - (late - early)), "uniform").pvalue > 0.01


def test_a_pair_too_short_for_its_windows_is_tiled_and_each_starts_alone():
    """METHODS 4b, 21: both starts uniform over the sequence, frame (start + 2 k) mod n."""
    views = (Clip("a", 16, 2, pad="loop"), Clip("b", 16, 2, start="cvrl_gap:a", pad="loop"))
    windows = drawn(views, np.full(DRAWS, 11))
    starts = [windows[name].frames[:, 0] for name in "ab"]
    for each in starts:
        assert fits(each, np.full(11, 1 / 11))
    assert stats.chi2_contingency(np.histogram2d(*starts, 11)[0]).pvalue > 0.01
    assert np.array_equal(windows["a"].frames, (starts[0][:, None] + 2 * np.arange(16)) % 11)


@pytest.mark.parametrize("num_frames", [3, 41, 200])
def test_a_clamped_centre_is_any_frame_and_the_edges_repeat(num_frames):
    """METHODS 2b: c ~ U{0 .. total - 1}, indices c + (k - 8) * 4 clamped to [0, total - 1]."""
    window = drawn((Clip(frames=16, stride=4, start="centre_clamped", pad="edge"),), np.full(DRAWS, num_frames))["clip"]
    middle = window.frames[:, 8]
    assert fits(middle, np.full(num_frames, 1 / num_frames))
    indices = middle[:, None] + (np.arange(16) - 8) * 4
    assert np.array_equal(window.frames, np.clip(indices, 0, num_frames - 1))
    assert np.array_equal(window.inside, (indices >= 0) & (indices < num_frames))
    assert not window.inside.all(axis=1).all()


def test_two_clamped_centres_are_independent():
    views = tuple(Clip(name, start="centre_clamped", pad="edge") for name in "ab")
    windows = drawn(views, np.full(DRAWS, 20))
    both = np.histogram2d(windows["a"].frames[:, 8], windows["b"].frames[:, 8], 20)[0]
    assert stats.chi2_contingency(both).pvalue > 0.01


@pytest.mark.parametrize("phase", ["any", "stride"])
@pytest.mark.parametrize(("num_frames", "seconds"), [(40, 0.1), (90, 1.0), (90, 0.0), (60, 1.0), (48, 2.0)])
def test_disjoint_starts_are_uniform_over_all_that_are_far_enough(phase, num_frames, seconds):
    views = (Clip("a", 8, 4), Clip("b", 8, 4, start=f"disjoint_from:a:{seconds}", phase=phase))
    windows = drawn(views, np.full(DRAWS, num_frames))
    first, second = windows["a"].frames[:, 0], windows["b"].frames[:, 0]
    gap, starts = max(1, int(np.ceil(25 * seconds))), num_frames - 28
    allowed = [start for start in range(starts) if phase == "any" or start % 4 == 0]
    density = np.zeros((starts, starts))
    for start in range(starts):
        far = [other for other in allowed if abs(other - start) >= gap]
        density[start, far] = 1 / starts / max(len(far), 1)
        if not far:
            # The farthest that there is; of two either, but always the same one.
            best = max(abs(other - start) for other in allowed)
            found = np.unique(second[first == start])
            assert len(found) == 1
            assert found[0] in allowed
            assert abs(found[0] - start) == best
            density[start, found] = 1 / starts
    assert fits(first * starts + second, density.ravel())


def test_k_windows_are_the_middles_of_equal_parts():
    window = drawn((Clip(frames=4, stride=2, start="uniform_k:10"),), [106, 7, 8, 27])["clip"]
    starts = window.frames.reshape(4, 10, 4)[:, :, 0]
    assert starts.tolist() == [
        [5, 15, 25, 35, 45, 55, 65, 75, 85, 95],
        [0] * 10,
        [0] * 5 + [1] * 5,
        [1, 3, 5, 7, 9, 11, 13, 15, 17, 19],
    ]
    assert np.array_equal(window.frames.reshape(4, 10, 4), starts[:, :, None] + 2 * np.arange(4))
    assert uniform_k(np.array([7]), 1).tolist() == [[3]]


@pytest.mark.parametrize(("frames", "expected"), [(16, 0), (17, 0), (18, 1), (61, 22)])
def test_centre_takes_the_middle(frames, expected):
    view = Clip(frames=16, stride=1, start="centre")
    assert centre(num_starts(view, [view], np.array([frames]))) == expected
    assert drawn((view,), [frames])["clip"].frames[0, 0] == expected


@pytest.mark.parametrize("num_frames", [61, 64, 65, 300])
def test_phase_stride_starts_on_multiples_of_the_stride_and_never_shows_another_frame(num_frames):
    view = Clip(frames=16, stride=4, phase="stride")
    window = drawn((view,), np.full(DRAWS, num_frames))["clip"]
    assert not (window.frames % 4).any()
    count = (num_frames - 61) // 4 + 1
    assert fits(window.frames[:, 0] // 4, np.full(count, 1 / count))
    assert window.frames.max() == (count - 1) * 4 + 60


@pytest.mark.parametrize("start", ["centre", "uniform_k:3", "cvrl_gap:other"])
def test_every_sampler_keeps_the_phase(start):
    other = Clip("other", frames=16, stride=4)
    window = drawn((Clip("a", 16, 4, start=start, phase="stride"), other), rng().integers(61, 300, 500))["a"]
    assert not (window.frames % 4).any()
    assert window.inside.all()


# ------------------------------------------------------------------------------------------------------------------- speeds


ASCNET = (Clip("a", 16, 1, speeds=(1, 2)), Clip("b", 16, 1, start="same:a", speeds=(1, 2), speed_unlike="a"))


def test_rspnet_s_two_speeds_share_a_window_and_differ():
    """METHODS 3b: of a window of 2T frames the 1x clip is the first T, the 2x clip every second one."""
    windows = drawn(ASCNET, np.full(DRAWS, 45))
    a, b = windows["a"], windows["b"]
    assert np.array_equal(a.speed + b.speed, np.full(DRAWS, 3))
    assert stats.binomtest(int((a.speed == 2).sum()), DRAWS).pvalue > 0.01
    assert np.array_equal(a.frames[:, 0], b.frames[:, 0])
    # The largest speed fits: 31 frames, so 15 starts whatever the speed.
    assert fits(a.frames[:, 0], np.full(15, 1 / 15))
    for window in (a, b):
        assert np.array_equal(window.frames, window.frames[:, :1] + np.arange(16) * window.speed[:, None])
    assert stats.chi2_contingency(np.histogram2d(a.speed, a.frames[:, 0], (2, 15))[0]).pvalue > 0.01


def test_the_fast_clip_is_the_plain_clip_of_the_half_rate_version():
    for seed in range(20):
        windows = drawn(ASCNET, [200], seed=seed)
        fast = next(window for window in windows.values() if window.speed[0] == 2)
        half_rate = np.arange(fast.frames[0, 0] % 2, 200, 2)  # the frames of the version of half the rate
        start = int(np.searchsorted(half_rate, fast.frames[0, 0]))
        plain = drawn((Clip("a", 16, 1),), [len(half_rate)], u=start / (len(half_rate) - 15))["a"].frames[0]
        assert plain[0] == start
        assert np.array_equal(half_rate[plain], fast.frames[0])


def test_three_speeds_are_each_as_likely_and_the_other_view_takes_one_of_the_two_left():
    views = (Clip("b", 4, 1, start="same:a", speeds=(1, 2, 4), speed_unlike="a"), Clip("a", 4, 1, speeds=(1, 2, 4)))
    windows = drawn(views, np.full(DRAWS, 40))
    table = np.array([[((windows["a"].speed == i) & (windows["b"].speed == j)).sum() for j in (1, 2, 4)] for i in (1, 2, 4)])
    assert not np.diag(table).any()
    assert stats.chisquare(table[~np.eye(3, dtype=bool)]).pvalue > 0.01


@pytest.mark.parametrize("order", [("a", "b", "c"), ("c", "b", "a"), ("b", "c", "a")])
def test_a_speed_unlike_one_that_is_unlike_another(order):
    speeds = {"speeds": (1, 2, 4)}
    views = {
        "a": Clip("a", 4, 1, **speeds),
        "b": Clip("b", 4, 1, speed_unlike="a", **speeds),
        "c": Clip("c", 4, 1, speed_unlike="b", **speeds),
    }
    windows = drawn([views[name] for name in order], np.full(1000, 40))
    assert not (windows["a"].speed == windows["b"].speed).any()
    assert not (windows["b"].speed == windows["c"].speed).any()
    assert (windows["a"].speed == windows["c"].speed).any()


# ------------------------------------------------------------------------------------------------------ followers and pairs


def cmd_views(pad="none") -> tuple[Clip, Motion]:
    return Clip("clip", 16, 4, pad=pad), Motion("motion", 8, start="consecutive_after:clip:2", negatives=3)


def test_cmd_s_motion_begins_two_frames_behind_the_window():
    """METHODS 5a: indices last + 3 .. last + 10, and videos of 61 + 2 + 8 = 71 frames at least."""
    clip, motion = cmd_views()
    assert (extent(clip, (clip, motion)), extent(motion, (clip, motion))) == (71, 8)
    assert least_frames((motion, clip)) == 71
    windows = drawn((motion, clip), np.full(DRAWS, 90))
    last = windows["clip"].frames[:, -1]
    assert np.array_equal(windows["motion"].frames, last[:, None] + 3 + np.arange(8))
    assert fits(windows["clip"].frames[:, 0], np.full(20, 1 / 20))
    assert windows["motion"].frames.max() == 89
    assert consecutive_after(np.array([60]), 2) == 63


def test_a_follower_comes_behind_the_drawn_speed():
    views = (Clip("a", 4, 2, speeds=(1, 3)), Clip("b", 4, 1, start="consecutive_after:a:1"), Clip("c", 2, 5, start="same:b"))
    assert extent(views[0], views) == 19 + 1 + 6
    windows = drawn(views, np.full(2000, 40))
    assert set(windows["a"].speed.tolist()) == {1, 3}
    assert np.array_equal(windows["b"].frames[:, 0], windows["a"].frames[:, -1] + 2)
    assert np.array_equal(windows["c"].frames[:, 0], windows["b"].frames[:, 0])
    assert all(window.inside.all() for window in windows.values())
    assert max(window.frames.max() for window in windows.values()) == 39


def test_a_follower_of_a_padded_window_stays_in_the_run_and_says_so():
    windows = drawn(cmd_views(pad="edge"), [30])
    assert windows["clip"].frames[0].tolist() == [min(4 * t, 29) for t in range(16)]
    assert windows["motion"].frames[0].tolist() == [29] * 8
    assert not windows["motion"].inside.any()


def test_least_frames_is_the_largest_extent_of_what_does_not_pad():
    assert least_frames((Clip("a", 16, 4), Clip("b", 4, 40, pad="loop"))) == 61
    assert least_frames((Clip("a", 16, 4, pad="edge"),)) == 1
    assert least_frames((Clip("a", 16, 4, speeds=(1, 2)),)) == 121


def test_a_pair_of_two_spans_fits_whichever_is_the_later():
    views = (Clip("a", 8, 4), Clip("b", 16, 1, start="cvrl_gap:a"), Clip("c", 4, 1, start="centre"))
    num_frames = rng().integers(29, 60, 4000)
    windows = drawn(views, num_frames)
    assert all(window.inside.all() for window in windows.values())
    room = num_frames - 29 + 1
    assert np.all(np.maximum(windows["a"].frames[:, 0], windows["b"].frames[:, 0]) < room)
    assert np.array_equal(windows["c"].frames[:, 0], (num_frames - 4) // 2)


def test_the_order_of_the_views_changes_no_window():
    views = (
        Motion("m", 8, start="consecutive_after:b:2"),
        Clip("b", 4, 2, start="cvrl_gap:a"),
        Clip("d", 4, 2, start="disjoint_from:m:0.2"),
        Clip("a", 4, 2),
        Clip("s", 4, 2, start="same:d"),
    )
    num_frames = rng().integers(30, 90, 200)
    numbers = {view.name: rng(place).random((200, NUM_WINDOW_UNIFORMS)) for place, view in enumerate(views)}
    fps, coins = np.full(200, 25.0), rng(9).random((200, 8))
    found = [draw_windows(order, num_frames, fps, numbers, coins) for order in (views, views[::-1], views[2:] + views[:2])]
    for other in found[1:]:
        assert all(np.array_equal(other[name].frames, window.frames) for name, window in found[0].items())


# --------------------------------------------------------------------------------------------------------- pads and reversal


@pytest.mark.parametrize("pad", ["none", "edge", "loop"])
def test_frames_against_a_slow_loop(pad):
    view = Clip(frames=5, stride=3, pad=pad)
    num_frames = np.array([13, 20, 40] + ([1, 4, 12] if pad != "none" else [])).repeat(50)
    window = drawn((view,), num_frames)["clip"]
    starts = uniform(num_starts(view, [view], num_frames), rng().random((len(num_frames), NUM_WINDOW_UNIFORMS))[:, 0])
    for row, (start, count) in enumerate(zip(starts.tolist(), num_frames.tolist(), strict=True)):
        for t in range(5):
            frame = start + 3 * t
            assert window.inside[row, t] == (frame < count)
            if frame >= count:
                assert pad != "none"
                frame = count - 1 if pad == "edge" else frame % count
            assert window.frames[row, t] == frame


def test_starts_of_a_short_run():
    edge, loop = Clip(frames=5, stride=3, pad="edge"), Clip(frames=5, stride=3, pad="loop")
    assert num_starts(edge, [edge], np.array([4])) == 1
    assert num_starts(loop, [loop], np.array([4])) == 4
    starts = drawn((loop,), np.full(DRAWS, 4))["clip"].frames[:, 0]
    assert fits(starts, np.full(4, 0.25))


@pytest.mark.parametrize("u", [0.0, LAST])
def test_the_first_and_the_last_number_give_the_first_and_the_last_window(u):
    views = (Clip("a", 16, 4), Clip("b", 16, 2, start="cvrl_gap:a"), Clip("c", 8, 4, start="disjoint_from:a:1"))
    for window in drawn(views, [61, 62, 200], u=u).values():
        assert window.inside.all()
        assert window.frames.min() >= 0
    alone = drawn((Clip(frames=16, stride=4),), [61, 62, 200], u=u)["clip"].frames
    assert alone[:, 0].tolist() == ([0, 0, 0] if u == 0 else [0, 1, 139])


def test_one_coin_of_a_sample_reverses_all_its_views():
    """METHODS 2b: time reversal with p = 0.5 of both clips together; what takes the same frames turns with them."""
    views = (
        Clip("a", 4, 2, reverse=0.5),
        Clip("b", 4, 2, reverse=0.5),
        Clip("c", 4, 2),
        Clip("r", 4, 2, reverse=0.2),
        Clip("k", 4, 2, start="uniform_k:2", reverse=0.5),
        Motion("m", 4, stride=2, start="same:a"),
        Motion("n", 4, stride=2, start="uniform"),
    )
    windows = drawn(views, np.full(DRAWS, 30))
    turned = windows["a"].backwards
    assert stats.binomtest(int(turned.sum()), DRAWS).pvalue > 0.01
    assert np.array_equal(windows["b"].backwards, turned)
    assert np.array_equal(windows["m"].backwards, turned)
    assert not windows["c"].backwards.any()
    assert not windows["n"].backwards.any()
    assert stats.binomtest(int(windows["r"].backwards.sum()), DRAWS, 0.2).pvalue > 0.01
    assert not (windows["r"].backwards & ~turned).any()
    steps = np.where(turned[:, None], -2, 2)
    assert np.all(np.diff(windows["a"].frames, axis=1) == steps)
    assert np.array_equal(windows["m"].frames, windows["a"].frames)
    # Each window is turned by itself; their order stays.
    k = windows["k"].frames.reshape(DRAWS, 2, 4)
    assert np.all(np.diff(k, axis=2) == steps[:, None])
    assert np.all(k[:, 0].min(axis=1) < k[:, 1].min(axis=1))
    # The coin is no other number: where a window lies has nothing to do with it.
    first = windows["a"].frames.min(axis=1)
    assert stats.chi2_contingency(np.histogram2d(turned, first, (2, 24))[0]).pvalue > 0.01


def test_a_reversed_pad_keeps_its_marks():
    window = drawn((Clip(frames=4, stride=2, pad="edge", reverse=1.0),), [5])["clip"]
    assert window.frames.tolist() == [[4, 4, 2, 0]]
    assert window.inside.tolist() == [[False, True, True, True]]


def test_centre_clamped_goes_with_the_drawn_speed():
    assert centre_clamped(np.array([100]), np.array([32]), np.array([0.0])) == -32
    view = Clip(frames=16, stride=1, start="centre_clamped", pad="edge", speeds=(1, 4))
    window = drawn((view,), np.full(DRAWS, 50))["clip"]
    assert fits(window.frames[:, 8], np.full(50, 1 / 50))


def test_samplers_are_functions_of_a_row(monkeypatch):
    """A sample's windows do not depend on who else is in the batch."""
    views = (*cmd_views(), Clip("b", 8, 2, start="cvrl_gap:clip"), Clip("d", 8, 2, start="disjoint_from:b:1", reverse=0.5))
    num_frames = rng().integers(71, 200, 40)
    numbers = {view.name: rng(place).random((40, 8)) for place, view in enumerate(views)}
    coins = rng(9).random((40, 8))
    together = draw_windows(views, num_frames, np.full(40, 25.0), numbers, coins)
    for row in (0, 17, 39):
        part = slice(row, row + 1)
        alone = draw_windows(
            views, num_frames[part], np.full(1, 25.0), {name: u[part] for name, u in numbers.items()}, coins[part]
        )
        for name, window in alone.items():
            assert np.array_equal(window.frames[0], together[name].frames[row])


def test_disjoint_against_a_slow_loop():
    for start, count, gap, u in rng(3).random((500, 4)).tolist():
        count_, gap_ = 1 + int(30 * count), int(12 * gap)
        start_ = int(count_ * start)
        found = int(disjoint_from(np.array([start_]), np.array([count_]), np.array([gap_]), np.array([u]))[0])
        far = [other for other in range(count_) if abs(other - start_) >= max(gap_, 1)]
        if far:
            assert found == far[int(len(far) * u)]
        else:
            assert found in (0, count_ - 1)
            assert abs(found - start_) == max(start_, count_ - 1 - start_)
