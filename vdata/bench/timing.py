"""Paired timing: variants take turns, so that a machine that drifts slows all of them alike."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from vdata.bench.case import Variant

__all__ = ["Figure", "measure"]


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
    """Median of the round-by-round ratios to the case's first variant, by its name; empty for that one."""
    cpu_seconds: float
    """CPU time of this process and its children, median of a round."""
    skipped: str = ""
    """Why there is no figure."""


def measure(name: str, unit: str, variants: Sequence[Variant], repeats: int) -> list[Figure]:
    """A figure for each variant: one warm-up each, then `repeats` rounds in which all take their turn."""
    for variant in variants:
        _timed(variant)
    rates: dict[str, list[float]] = {variant.name: [] for variant in variants}
    cpu: dict[str, list[float]] = {variant.name: [] for variant in variants}
    for _ in range(repeats):
        for variant in variants:
            rate, seconds = _timed(variant)
            rates[variant.name].append(rate)
            cpu[variant.name].append(seconds)
    first = variants[0].name
    figures = []
    for variant in variants:
        values = rates[variant.name]
        pairs = [value / base for value, base in zip(values, rates[first], strict=True)]
        ratio = {first: round(median(pairs), 4)} if variant.name != first else {}
        low, high = _interval(values)
        figures.append(Figure(name, variant.name, median(values), unit, low, high, ratio, median(cpu[variant.name])))
    return figures


def _timed(variant: Variant) -> tuple[float, float]:
    """Work per second of one run, and its CPU seconds."""
    variant.prepare()
    cpu = _cpu_seconds()
    start = time.perf_counter()
    work = variant.run()
    return work / (time.perf_counter() - start), _cpu_seconds() - cpu


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """A 95 % interval of the median by order statistics: all rounds up to 8, then one more is cut at each end for every 4.

    Source: sign test; with n rounds the k-th smallest and largest enclose the median with 1 - 2 P(Binomial(n, 1/2) < k).
    """
    ordered = sorted(values)
    cut = max(0, (len(ordered) - 5) // 4)
    return ordered[cut], ordered[-1 - cut]
