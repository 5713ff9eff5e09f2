"""Paired timing: variants take turns, so that a machine that drifts slows all of them alike."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from vdata.bench.case import Timed, Variant

__all__ = ["Figure", "cpu_seconds", "measure", "on_cpu"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One variant's figure; what the JSON holds."""

    name: str
    """The case."""
    variant: str
    value: float
    """Median over the rounds, in `unit`."""
    unit: str
    low: float
    """The 95 % interval of the median; with few rounds it is the smallest and the largest round."""
    high: float
    ratio_to: dict[str, float]
    """Medians of the round-by-round ratios to the variant's bases, by their names; empty where it is its own."""
    cpu_seconds: float
    """CPU time of this process and its children, median of a round."""
    skipped: str = ""
    """Why there is no figure."""
    detail: dict[str, float] = field(default_factory=dict)
    """What else the variant found of itself, medians by name."""


@dataclass(slots=True)
class _Rounds:
    """What the rounds of one variant gave."""

    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    details: list[Mapping[str, float]] = field(default_factory=list)


def measure(name: str, unit: str, variants: Sequence[Variant], repeats: int, *, warm_up: bool = True) -> list[Figure]:
    """A figure for each variant: a warm-up each, then `repeats` rounds in which all take their turn."""
    for variant in variants if warm_up else ():
        _timed(variant, _Rounds())
    rounds = {variant.name: _Rounds() for variant in variants}
    for _ in range(repeats):
        for variant in variants:
            _timed(variant, rounds[variant.name])
    return [_figure(name, unit, variant.name, _bases(variant) or (variants[0].name,), rounds) for variant in variants]


def _bases(variant: Variant) -> tuple[str, ...]:
    return variant.base if isinstance(variant.base, tuple) else (variant.base,) if variant.base else ()


def _figure(name: str, unit: str, variant: str, bases: Sequence[str], rounds: Mapping[str, _Rounds]) -> Figure:
    found = rounds[variant]
    ratio = {base: _ratio(found, rounds[base]) for base in bases if base != variant}
    low, high = _interval(found.rates)
    detail = {key: round(median(each[key] for each in found.details), 4) for key in found.details[0]}
    return Figure(name, variant, median(found.rates), unit, low, high, ratio, median(found.cpu), detail=detail)


def _ratio(found: _Rounds, base: _Rounds) -> float:
    return round(median(rate / other for rate, other in zip(found.rates, base.rates, strict=True)), 4)


def _timed(variant: Variant, rounds: _Rounds) -> None:
    """Adds one round."""
    variant.prepare()
    cpu = cpu_seconds()
    start = time.perf_counter()
    done = variant.run()
    seconds = time.perf_counter() - start
    timed = done if isinstance(done, Timed) else Timed(done, seconds)
    rounds.rates.append(timed.work / timed.seconds)
    rounds.cpu.append(cpu_seconds() - cpu if timed.cpu_seconds is None else timed.cpu_seconds)
    rounds.details.append(timed.detail)


def cpu_seconds() -> float:
    """What this process and its finished children have computed until now."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def on_cpu(run: Callable[[], float]) -> Callable[[], Timed]:
    """The same work timed by the seconds that CPUs spent on it: every thread counts, other work on the machine counts less."""

    def timed() -> Timed:
        start = cpu_seconds()
        work = run()
        return Timed(work, cpu_seconds() - start)

    return timed


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """A 95 % interval of the median by order statistics: all rounds up to 8, then one more is cut at each end for every 4.

    Source: sign test; with n rounds the k-th smallest and largest enclose the median with 1 - 2 P(Binomial(n, 1/2) < k).
    """
    ordered = sorted(values)
    cut = max(0, (len(ordered) - 5) // 4)
    return ordered[cut], ordered[-1 - cut]
