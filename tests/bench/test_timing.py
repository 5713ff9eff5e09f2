import itertools

import pytest

from vdata.bench import Variant, measure


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the variants move."""
    now = [0.0]
    monkeypatch.setattr("vdata.bench.timing.time.perf_counter", lambda: now[0])
    return now


def test_figures_are_medians_and_ratios_are_paired(clock):
    """A machine that slows down by half in each round: absolute figures spread, the ratio does not."""
    slow = itertools.count()

    def first():
        clock[0] += 1.0 * 2 ** next(slow)
        return 100.0

    def second():
        clock[0] += 0.5 * 2 ** (first_rounds() - 1)
        return 100.0

    rounds = []

    def first_counted():
        rounds.append(1)
        return first()

    def first_rounds():
        return len(rounds)

    base, other = measure("case", "x/s", [Variant("base", first_counted), Variant("other", second)], repeats=5)
    assert base.ratio_to == {}
    assert other.ratio_to == {"base": 2.0}
    assert base.value == pytest.approx(100 / 8)  # warm-up, then 2, 4, 8, 16, 32 seconds
    assert (base.low, base.high) == (pytest.approx(100 / 32), pytest.approx(100 / 2))


def test_prepare_is_not_timed(clock):
    def prepare():
        clock[0] += 1000.0

    def run():
        clock[0] += 2.0
        return 10.0

    (figure,) = measure("case", "x/s", [Variant("only", run, prepare)], repeats=3)
    assert figure.value == 5.0
