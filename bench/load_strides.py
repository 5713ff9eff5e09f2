"""Loading as in bench/load.py at strides 1, 2 and 8, from 480p sources.

At stride 1 every picture is wanted and no structure of a clip helps; the longer the stride, the more pictures a clip with three
layers leaves out, and the more others decode that nobody sees.
"""

from __future__ import annotations

from collections.abc import Sequence

from vdata.bench import Bench, Skip, Variant
from vdata.bench.loader_case import loader_variants
from vdata.bench.loader_material import Sampling, make_material
from vdata.bench.sources import ORDINARY

UNIT = "clips/s"
WARM_UP = False
REPEATS = 5
STRIDES = (1, 2, 8)


def variants(bench: Bench) -> Sequence[Variant | Skip]:
    """Limits, loader and peers for each stride."""
    material = make_material(bench, "480p", ORDINARY["480p"])
    offered: list[Variant | Skip] = []
    for stride in STRIDES:
        offered += loader_variants(bench, material, Sampling(frames=16, stride=stride, size=112), f"stride {stride} ")
    return offered
