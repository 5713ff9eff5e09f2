"""Weights: counts against what is expected of them."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from pipelines.clips import open_clips
from pipelines.units import ClipUnits, VideoUnits
from pipelines.weights import Shares, copies, expected_copies
from vdata.config import digest, from_mapping, to_mapping
from vdata.errors import ConfigError, UnknownNameError


def averages(units, weights) -> np.ndarray:
    return np.diff(expected_copies(units, weights)) / 2**32


@pytest.fixture
def units(make_index):
    """Ten clips, eight of label 4, one of label 0, one of label 7."""
    labels = [4, 4, 0, 4, 4, 4, 4, 7, 4, 4]
    names = {0: "dog", 4: "cat", 7: "cow"}
    columns = {"label": pa.array(labels, pa.int32()), "label_name": [names[label] for label in labels]}
    columns |= {"score": [0.5, None, float("nan"), *range(7)], "still": [True, False] * 5, "splits": [["train"]] * 10}
    return ClipUnits.of(make_index(np.arange(10), **columns), np.arange(10))


@pytest.mark.parametrize("weight", [1, 0.1, 1e-9, 3e7])
@pytest.mark.parametrize("count", [1, 7, 1000, 99_991])
def test_equal_weights_give_every_unit_once(make_index, weight, count):
    units = ClipUnits.of(make_index(np.zeros(count), clip_in_video=np.arange(count)), np.arange(count))
    expected = expected_copies(units, np.full(count, weight))
    for epoch in range(20):
        assert np.all(copies(expected, 0, epoch) == 1)


def test_counts_differ_by_less_than_one_from_what_is_expected_and_meet_it_on_average(make_index):
    rng = np.random.default_rng(0)
    weights = rng.gamma(0.5, 1.0, 300) * (rng.random(300) < 0.8)
    units = ClipUnits.of(make_index(np.arange(300)), np.arange(300))
    expected = weights / weights.sum() * 300
    cumulated = expected_copies(units, weights)
    counts = np.stack([copies(cumulated, 4, epoch) for epoch in range(2000)])
    assert np.all(counts.sum(axis=1) == 300)
    assert np.all(np.abs(counts - expected) < 1 + 1e-6)
    assert not counts[:, weights == 0].any()
    # A count is one of two neighbouring numbers: a coin whose mean is the expected count's fraction.
    fraction = expected - np.floor(expected)
    deviation = (counts.mean(axis=0) - expected) / np.sqrt(np.maximum(fraction * (1 - fraction), 1e-3) / 2000)
    assert stats.kstest(deviation[(fraction > 0.05) & (fraction < 0.95)], "norm").pvalue > 1e-4
    assert np.abs(deviation).max() < 5


def test_shares_are_of_the_epoch_and_equal_within_a_value(units):
    label = units.clips.column("label")
    for shares in (None, {0: 1, 4: 1, 7: 1}, {"0": 2, "4": 2.0, "7": 2}):
        average = averages(units, Shares("label", shares))
        assert average.sum() == 10
        for value, count in ((4, 8), (0, 1), (7, 1)):
            assert average[label == value] == pytest.approx(10 / 3 / count)
    average = averages(units, Shares("label_name", {"cat": 1, "dog": 4, "cow": 0}))
    assert average[label == 4] == pytest.approx(10 / 5 / 8)
    assert average[label == 0] == pytest.approx(8)
    assert average[label == 7] == 0
    assert averages(units, Shares("still")) == pytest.approx(1)


def test_a_share_of_nothing_is_said(units, caplog):
    averages(units, Shares("label", {0: 1, 4: 0, 7: 1}))
    assert "weights by 'label' leave out 8 of 10 units" in caplog.text


def test_shares_of_videos_go_by_their_first_clip(make_index):
    index = make_index([0, 0, 1, 2, 2, 2], label=[3, 9, 5, 5, 9, 9])
    assert averages(VideoUnits.of(index, np.arange(6)), Shares()) == pytest.approx([1.5, 0.75, 0.75])


def test_numbers_for_units_or_for_clips(make_index):
    index = make_index([0, 0, 1, 2, 2, 2, 3])
    units = VideoUnits.of(index, np.array([0, 1, 2, 3, 4]))
    assert averages(units, np.array([1.0, 4.0, 1.0])) == pytest.approx([0.5, 2.0, 0.5])
    assert averages(units, np.array([0, 2, 4, 1, 1, 77, 99])) == pytest.approx([0.5, 2.0, 0.5])


def test_folders_are_mixed_by_share(clips, make_folder):
    joined = open_clips([make_folder(clips[:6]), make_folder(clips[6:8])])
    used = np.array([0, 1, 3, 4, 6, 7])
    average = averages(ClipUnits.of(joined, used), Shares("folder", {0: 1, 1: 3}))
    assert average == pytest.approx([1.5 / 4] * 4 + [4.5 / 2] * 2)
    single = ClipUnits.of(open_clips(make_folder(clips[:3])), np.arange(3))
    assert averages(single, Shares("folder")) == pytest.approx(1)
    assert averages(single, Shares("label_name")) == pytest.approx(1)
    assert averages(single, Shares("dataset", {"test": 1})) == pytest.approx(1)


def test_unknown_columns_and_values_are_named(units):
    with pytest.raises(UnknownNameError, match=r"no column is named 'labl'. Did you mean 'label'\?.* folder"):
        expected_copies(units, Shares("labl"))
    with pytest.raises(UnknownNameError, match=r"no value of 'label_name' is named 'dgo'. Did you mean 'dog'\?"):
        expected_copies(units, Shares("label_name", {"dgo": 1}))
    with pytest.raises(ConfigError, match=r"weights.by 'label' \('7'\) has no share.* 0 to leave them out"):
        expected_copies(units, Shares("label", {0: 1, 4: 1}))
    with pytest.raises(ConfigError, match=r"weights.by \('score'\) has no value in 2 of 10 units: .*where='score is not None'"):
        expected_copies(units, Shares("score"))
    with pytest.raises(ConfigError, match=r"\('splits'\) must be a column of numbers, truths or text, this one is list"):
        expected_copies(units, Shares("splits"))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(9), r"number of weights \(9\) must be one for each of 10 units or of 10 clips"),
        (np.ones((10, 1)), r"float64 \(10, 1\).*must be Shares or a flat array of numbers"),
        (np.array(["a"] * 10), "must be Shares or a flat array of numbers"),
        (np.array([1.0] * 9 + [np.nan]), r"weights\[9\] \(nan\) must be a finite number of at least 0"),
        (np.array([1.0, -2.0] + [1.0] * 8), r"weights\[1\] \(-2.0\)"),
        (np.zeros(10), "more than 0 for one unit at least"),
    ],
)
def test_arrays_that_are_no_weights(units, weights, message):
    with pytest.raises(ConfigError, match=message):
        expected_copies(units, weights)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"by": ""}, "weights.by"),
        ({"shares": {"a": -1}}, r"weights.shares.a \(-1\)"),
        ({"shares": {"a": float("inf")}}, "weights.shares.a"),
        ({"shares": {"a": "b"}}, "weights.shares.a"),
        ({"shares": {"a": 0}}, "more than 0"),
        ({"shares": {}}, "more than 0"),
        ({"shares": {1: 1, "1": 2}}, "twice"),
    ],
)
def test_settings_that_break_a_rule(settings, message):
    with pytest.raises(ConfigError, match=message):
        Shares(**settings)


def test_shares_come_from_a_table_and_go_into_a_digest():
    shares = from_mapping(Shares, {"by": "dataset", "shares": {"ucf101": 1, "hmdb51": 2.5}})
    assert shares == Shares("dataset", {"ucf101": 1, "hmdb51": 2.5})
    assert json.loads(json.dumps(to_mapping(shares))) == {"by": "dataset", "shares": {"ucf101": 1, "hmdb51": 2.5}}
    assert digest(shares) != digest(Shares("dataset", {"ucf101": 1, "hmdb51": 2}))
