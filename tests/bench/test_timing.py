import itertools

import pytest

from vdata.bench import Timed, Variant, measure
from vdata.bench.timing import cpu_seconds, on_cpu


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


def test_a_variant_is_held_against_its_own_base(clock):
    def taking(seconds):
        def run():
            clock[0] += seconds
            return 12.0

        return run

    variants = [Variant("a", taking(1)), Variant("b", taking(2), base="b"), Variant("c", taking(6), base="b")]
    ratios = [figure.ratio_to for figure in measure("case", "x/s", variants, repeats=3)]
    assert ratios == [{}, {}, {"b": pytest.approx(1 / 3, abs=1e-4)}]


def test_a_variant_may_have_several_bases_which_may_come_later(clock):
    def taking(seconds):
        def run():
            clock[0] += seconds
            return 12.0

        return run

    variants = [Variant("a", taking(1), base="a"), Variant("b", taking(4), base=("a", "c")), Variant("c", taking(2), base="c")]
    ratios = [figure.ratio_to for figure in measure("case", "x/s", variants, repeats=3)]
    assert ratios == [{}, {"a": 0.25, "c": 0.5}, {}]


def test_cpu_time_of_processes_that_go_on_is_theirs_to_tell():
    (figure,) = measure("case", "x/s", [Variant("only", lambda: Timed(1.0, 2.0, cpu_seconds=7.5))], repeats=3)
    assert figure.cpu_seconds == 7.5


def test_work_that_timed_itself_is_believed_and_its_details_are_medians(clock):
    seconds = iter([9.0, 1.0, 2.0, 4.0])

    def run():
        taken = next(seconds)
        clock[0] += taken + 100.0  # the start of something that does not count
        return Timed(8.0, taken, {"start": 100.0 * taken})

    (figure,) = measure("case", "x/s", [Variant("only", run)], repeats=3)
    assert (figure.value, figure.detail) == (4.0, {"start": 200.0})


def test_a_case_may_go_without_a_warm_up(clock):
    runs = []

    def run():
        runs.append(1)
        clock[0] += 1.0
        return 1.0

    measure("case", "x/s", [Variant("only", run)], repeats=2, warm_up=False)
    assert len(runs) == 2


def test_work_on_the_cpu_is_timed_by_its_seconds(monkeypatch):
    seconds = iter([5.0, 7.5])
    monkeypatch.setattr("vdata.bench.timing.cpu_seconds", lambda: next(seconds))
    assert on_cpu(lambda: 3.0)() == Timed(3.0, 2.5)


def test_cpu_seconds_are_those_of_the_process():
    start = cpu_seconds()
    while cpu_seconds() == start:
        sum(range(1000))
    assert start > 0
