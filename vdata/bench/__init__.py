"""`vdata bench`: what each station does per second, beside its limit and its peers, in one run.

A case is a file of the top-level folder bench/ (vdata/bench/cases in an installed wheel). Speed is measured here and nowhere in
the tests.
"""

from __future__ import annotations

from vdata.bench.case import Bench, Skip, Timed, Variant
from vdata.bench.run import run_cases
from vdata.bench.timing import Figure, measure

__all__ = ["Bench", "Figure", "Skip", "Timed", "Variant", "measure", "run_cases"]
