"""Numbers for a method's own use: their ranges, and their distribution over 10^5 draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipelines import ClipIterator
from pipelines.philox import NUM_UNIFORMS
from pipelines.samples import put
from pipelines.views.numbers import NumbersReader
from vdata.errors import ConfigError
from vdata.views import Numbers


@pytest.fixture
def drawn(make_samples):
    """A function from a view to its batch entry for 10^5 samples, or as many as given."""

    def draw(view, count=100_000, seed=0):
        reader = NumbersReader(view, {view.name: view})
        samples = make_samples([[10]] * count, [view], seed=seed)
        return reader.batch(reader.draw(samples, {}), [None] * count, [])[view.name].numpy()

    return draw


def test_floats_are_uniform_and_apart(drawn):
    values = drawn(Numbers(shape=(2, 3), low=-1.0, high=0.3))
    assert values.shape == (100_000, 2, 3)
    assert values.dtype == np.float32
    for column in values.reshape(-1, 6).T:
        assert stats.kstest(column, stats.uniform(-1.0, 1.3).cdf).pvalue > 0.01
    assert np.abs(np.corrcoef(values.reshape(-1, 6).T) - np.eye(6)).max() < 0.02


def test_the_end_of_the_range_is_never_drawn(make_samples):
    view = Numbers(low=0.0, high=3.0)
    samples = make_samples([[10]], [view])
    samples.u["numbers"][:] = 1 - 2.0**-53
    value = NumbersReader(view, {}).draw(samples, {}).values
    assert value.dtype == np.float32
    assert 2.999 < value[0] < np.float32(3)


def test_integers_are_uniform(drawn):
    values = drawn(Numbers(kind="integer", low=-2, high=5))
    assert values.shape == (100_000,)
    assert values.dtype == np.int64
    assert stats.chisquare(np.bincount(values + 2, minlength=7)).pvalue > 0.01
    assert sorted(set(values.tolist())) == list(range(-2, 5))


def test_orders_are_permutations_each_as_likely(drawn):
    values = drawn(Numbers(kind="order", high=4))
    assert values.shape == (100_000, 4)
    assert values.dtype == np.int64
    assert (np.sort(values, axis=1) == np.arange(4)).all()
    number = values @ 4 ** np.arange(4)
    _, counts = np.unique(number, return_counts=True)
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 0.01


def test_a_row_is_drawn_alone_as_in_the_batch(make_samples):
    view = Numbers(shape=(4,))
    reader = NumbersReader(view, {})
    samples = make_samples([[10]] * 5, [view])
    whole = reader.draw(samples, {})
    other = make_samples([[10]] * 5, [view], seed=1)
    mended = reader.draw(other, {})
    put(mended, 3, reader.draw(make_samples([[10]], [view], seed=2), {}))
    assert np.array_equal(mended.values[3], reader.draw(make_samples([[10]], [view], seed=2), {}).values[0])
    assert not np.array_equal(whole.values, mended.values)


def test_nothing_is_read_or_run(make_samples):
    view = Numbers()
    reader = NumbersReader(view, {})
    samples = make_samples([[10]], [view])
    drawn = reader.draw(samples, {})
    assert reader.load(None, samples, 0, drawn) is None
    assert (reader.shots(drawn, 0), reader.nodes("cpu", {}), reader.feeds(drawn, [None])) == ((), (), {})


def test_the_loader_s_numbers_come_again_and_differ_by_sample_view_and_epoch(folder):
    views = (Numbers(shape=(4,)), Numbers(name="others", shape=(4,)))
    with ClipIterator(folder, views=views, batch_size=14, seed=3) as loader:
        batches = [batch for _ in range(2) for batch in loader]
    with ClipIterator(folder, views=views, batch_size=14, seed=3) as loader:
        again = [batch for _ in range(2) for batch in loader]
    for one, other in zip(batches, again, strict=True):
        assert np.array_equal(one["numbers"], other["numbers"])
    values = np.concatenate([batch[name].numpy().ravel() for batch in batches for name in ("numbers", "others")])
    assert len(set(values.tolist())) == len(values) == 2 * 2 * 14 * 4


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "integer", "high": 1.5}, "whole number"),
        ({"kind": "order", "high": 4, "shape": (2,)}, "empty for order"),
        ({"kind": "order", "high": 65}, "views.numbers.high .*at most 64"),
        ({"kind": "order", "low": 1, "high": 4}, "0 for order"),
        ({"shape": (8, 9)}, "views.numbers.shape .*at most 64"),
        ({"shape": (0,)}, "at least 1"),
        ({"low": 1.0}, "above low"),
        ({"kind": "x"}, "must be float"),
    ],
)
def test_settings_that_break_their_rule(settings, words):
    with pytest.raises(ConfigError, match=words):
        Numbers(**settings)


def test_a_view_never_asks_for_more_numbers_than_a_sample_has():
    assert np.prod(Numbers(shape=(64,)).shape) <= NUM_UNIFORMS
