"""Rows of features: TOT's parts against a slow reading of it, runs of clips, places in time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from pipelines import ClipIterator
from pipelines.samples import put
from pipelines.views.features import FeaturesReader, even, parts, uniform, zscored
from vdata.errors import ConfigError, CorruptShardError, SchemaMismatchError
from vdata.media.feature_codec import dump_features
from vdata.views import Features


def slow_parts(num_rows, u, num_parts=32, reach=30):
    """Section 10 a of the methods: 32 parts, 2 anchors in each, a positive at U{-30..29}, sorted and clipped."""
    size, found = num_rows // num_parts, []
    for part in range(num_parts):
        for anchor in range(2):
            place = 2 * part + anchor
            row = part * size + int(u[place] * size)
            found += [row, row + int(u[2 * num_parts + place] * 2 * reach) - reach]
    return sorted(min(max(row, 0), num_rows - 1) for row in found)


@pytest.mark.parametrize("num_rows", [32, 33, 63, 64, 100, 991, 5000])
def test_parts_are_as_the_slow_reading_has_them(num_rows):
    for seed in range(20):
        u = np.random.default_rng(seed).random(128)
        assert parts(num_rows, 30, u).tolist() == slow_parts(num_rows, u)


def test_two_anchors_lie_in_every_part_and_none_in_the_tail():
    """An offset of 0 for every positive leaves each anchor twice."""
    u = np.random.default_rng(0).random((1000, 128))
    u[:, 64:] = 0.5
    for row in u:
        rows = parts(1000, 30, row)
        anchors = rows[::2]
        assert np.array_equal(rows[1::2], anchors)
        # 1000 rows: 32 parts of 31, and 8 rows of tail.
        assert np.bincount(anchors // 31, minlength=32).tolist() == [2] * 32
        assert anchors.max() < 992


def test_anchors_and_offsets_are_uniform():
    draws = np.random.default_rng(1).random((100_000 // 64, 128))
    still = draws.copy()
    still[:, 64:] = 0.5
    anchors = np.concatenate([parts(1024, 30, u)[::2] for u in still])
    assert stats.chisquare(np.bincount(anchors % 32, minlength=32)).pvalue > 0.01
    # All anchors at row 500 of one part leave the offsets alone.
    offsets = np.concatenate(
        [parts(4000, 30, np.array([0.5, 0.5, *u[:2]])) - 2000 for u in np.random.default_rng(2).random((50_000, 2))]
    )
    counts = np.bincount(offsets + 30, minlength=60)
    counts[30] -= 100_000
    assert len(counts) == 60
    assert stats.chisquare(counts).pvalue > 0.01


def test_few_rows_have_anchors_anywhere():
    found = np.concatenate([parts(5, 1, u) for u in np.random.default_rng(0).random((500, 128))])
    assert sorted(set(found.tolist())) == [0, 1, 2, 3, 4]
    assert parts(1, 30, np.random.default_rng(0).random(128)).tolist() == [0] * 128


def test_uniform_rows_are_uniform_and_even_ones_are_not_drawn():
    found = [uniform(50, u) for u in np.random.default_rng(3).random((5000, 20))]
    assert all((np.diff(rows) >= 0).all() for rows in found)
    assert stats.chisquare(np.bincount(np.concatenate(found), minlength=50)).pvalue > 0.01
    assert even(10, 5).tolist() == [1, 3, 5, 7, 9]
    assert even(3, 6).tolist() == [0, 0, 1, 1, 2, 2]


STRIDE = 2


def rows_of(first, num_frames):
    """Features whose first number is the run's frame they are centred on, in units that float16 holds exactly."""
    frames = np.arange(0, num_frames, STRIDE) + first
    return np.stack([frames, frames % 7 + 1], axis=1).astype(np.float32)


@pytest.fixture
def run(make_samples, make_members):
    """One sample of three clips, 41, 60 and 30 frames, and its members."""

    def make(view, lengths=(41, 60, 30), seed=0):
        samples = make_samples([list(lengths)], [view], seed=seed, feature_stride=[STRIDE] * len(lengths))
        firsts = np.cumsum([0, *lengths])
        stored = {(clip, "features.npy"): dump_features(rows_of(firsts[clip], length)) for clip, length in enumerate(lengths)}
        return samples, make_members(stored)

    return make


@pytest.mark.parametrize("sampler", ["parts", "uniform", "even"])
def test_rows_of_a_run_come_in_order_with_their_place_in_it(run, sampler):
    view = Features(frames=64, sampler=sampler)
    reader = FeaturesReader(view, {})
    samples, members = run(view)
    drawn = reader.draw(samples, {})
    batch = reader.batch(drawn, [reader.load(members, samples, 0, drawn)], [])
    features, time = batch["features"].numpy()[0], batch["features_time"].numpy()[0]
    assert features.shape == (64, 2)
    assert features.dtype == time.dtype == np.float32
    assert (np.diff(time) >= 0).all()
    assert 0 <= time.min() <= time.max() < 1
    np.testing.assert_allclose(time, features[:, 0] / 131, rtol=1e-6)
    assert (features[:, 1] == features[:, 0] % 7 + 1).all()
    assert len(set((features[:, 0] > 41).tolist())) == 2, "rows of several clips"


def test_which_rows_are_taken_is_in_the_draw(run):
    view = Features()
    reader = FeaturesReader(view, {})
    (samples, members), (others, _) = run(view), run(view, seed=1)
    drawn, other = reader.draw(samples, {}), reader.draw(others, {})
    first, again = (reader.load(members, samples, 0, drawn) for _ in range(2))
    assert np.array_equal(first.features, again.features)
    assert not np.array_equal(first.features, reader.load(members, others, 0, other).features)
    put(other, 0, drawn)
    assert np.array_equal(first.features, reader.load(members, samples, 0, other).features)


def test_more_rows_than_a_sample_has_numbers(run):
    view = Features(frames=400, sampler="uniform")
    reader = FeaturesReader(view, {})
    samples, members = run(view)
    rows = reader.load(members, samples, 0, reader.draw(samples, {})).features
    assert rows.shape == (400, 2)
    # 66 rows are there: 400 draws leave each out with a chance of 0.2 %.
    assert len(np.unique(rows[:, 0])) > 60


def test_scores_are_those_of_the_whole_run(run):
    view = Features(frames=66, sampler="even", zscore=True)
    reader = FeaturesReader(view, {})
    samples, members = run(view)
    found = reader.load(members, samples, 0, reader.draw(samples, {})).features
    stored = np.concatenate([rows_of(0, 41), rows_of(41, 60), rows_of(101, 30)])
    np.testing.assert_allclose(found, (stored - stored.mean(0)) / stored.std(0), atol=1e-5)


def test_rows_of_zeros_stay_zeros_and_do_not_count():
    features = np.array([[1, 5], [0, 0], [3, 5]], np.float16)
    assert zscored(features).tolist() == [[-1, 0], [0, 0], [1, 0]]
    assert zscored(np.zeros((2, 3), np.float16)).tolist() == [[0, 0, 0]] * 2


def test_a_clip_without_features_is_passed_over_and_a_run_without_any_is_bad(run, make_members):
    view = Features(frames=200, sampler="even")
    reader = FeaturesReader(view, {})
    samples, members = run(view)
    drawn = reader.draw(samples, {})
    kept = {place: member for place, member in members.stored.items() if place[0] != 1}
    frames = np.unique(reader.load(make_members(kept), samples, 0, drawn).features[:, 0])
    assert frames.tolist() == [*range(0, 41, 2), *range(101, 131, 2)]
    with pytest.raises(CorruptShardError, match="3 clips from 'clip-0' on must have features of one size, found none"):
        reader.load(make_members({(9, "features.npy"): b""}), samples, 0, drawn)
    with pytest.raises(SchemaMismatchError):
        reader.load(make_members({}), samples, 0, drawn)
    with pytest.raises(CorruptShardError, match=r"no features\.npy"):
        reader.load(make_members({(0, "features.npy"): b"abc"}), samples, 0, drawn)


def test_features_of_several_sizes_make_no_batch(run, make_members):
    view = Features(frames=8, sampler="even")
    reader = FeaturesReader(view, {})
    samples, members = run(view)
    drawn = reader.draw(samples, {})
    wide = make_members(members.stored | {(0, "features.npy"): dump_features(np.ones((21, 3)))})
    with pytest.raises(CorruptShardError, match=r"one size, found \[2, 3\]"):
        reader.load(wide, samples, 0, drawn)
    alone = make_members({(0, "features.npy"): dump_features(np.ones((21, 3)))})
    loaded = [reader.load(each, samples, 0, drawn) for each in (members, alone)]
    with pytest.raises(CorruptShardError, match=r"\[2, 3\] numbers a row: `where=\"feature_dim == 2\"`"):
        reader.batch(drawn, loaded, [])


def test_features_without_a_video_are_placed_by_their_number(make_samples, make_members):
    view = Features(frames=10, sampler="even")
    reader = FeaturesReader(view, {})
    samples = make_samples([[0]], [view], feature_stride=[0], fps=0.0)
    members = make_members({(0, "features.npy"): dump_features(np.arange(20.0).reshape(10, 2))})
    rows = reader.load(members, samples, 0, reader.draw(samples, {}))
    np.testing.assert_allclose(rows.time, np.arange(10) / 10, rtol=1e-6)
    assert all(low < high for low, high in pairwise(rows.features[:, 0]))


@pytest.mark.parametrize("unit", ["clip", "video"])
def test_the_loader_s_rows_without_a_picture(make_folder, make_clip, make_frames, add_column, unit):
    """Two videos of two clips; no view has a node in the graph."""
    clips = [make_clip(make_frames(length)) for length in (40, 24)] * 2
    members = [
        {"features.npy": dump_features(rows_of(first, clip.num_frames))} for first, clip in zip([0, 40] * 2, clips, strict=True)
    ]
    folder = make_folder(clips, videos=[0, 0, 1, 1], members=members)
    add_column(folder, 0, "feature_stride", pa.array([STRIDE] * 4, pa.int32()))
    frames = 32 if unit == "video" else 20
    with ClipIterator(folder, views=(Features(frames=frames, sampler="even"),), batch_size=2, unit=unit, train=False) as loader:
        batches = list(loader)
    found = np.concatenate([batch["features"].numpy() for batch in batches])
    time = np.concatenate([batch["features_time"].numpy() for batch in batches])
    assert len(found) == (2 if unit == "video" else 4)
    wanted = np.arange(0, 64, 2) if unit == "video" else np.arange(0, 40, 2)
    assert found[0, :, 0].tolist() == wanted.tolist()
    np.testing.assert_allclose(time[0], wanted / (64 if unit == "video" else 40), rtol=1e-6)


def test_settings_that_break_their_rule():
    for settings, words in (
        ({"frames": 66}, "multiple of 4"),
        ({"sampler": "x"}, "parts, uniform or even"),
        ({"reach": 0}, "at least 1"),
    ):
        with pytest.raises(ConfigError, match=words):
            Features(**settings)
