"""What a CPU gains by each shortcut of the loader, for the views of two kinds of training.

`graph` runs the nodes that a GPU runs: resize, colours, blur. `scale` crops, scales and colours pictures before they come to the
graph, `blur` blurs them there too; both are the default. `crop` is the view of bench/load.py, random resized crop and flip;
`simclr` is SimCLR's two views of a sample with all its colours and a blur for every second of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pipelines import LoaderConfig
from vdata.bench import Bench, Skip, Variant
from vdata.bench.loader_material import Sampling, make_material
from vdata.bench.loader_ours import Ours, view_of
from vdata.bench.sources import ORDINARY
from vdata.methods.simclr import SimClr, SimClrConfig

UNIT = "samples/s"
WARM_UP = False
REPEATS = 5

Shortcuts = tuple[Literal["scale", "blur"], ...]
WAYS: dict[str, Shortcuts] = {"graph": (), "scale": ("scale",), "scale and blur": ("scale", "blur")}


def variants(bench: Bench) -> Sequence[Variant | Skip]:
    """Each way for each kind of views, held against the graph of its kind."""
    if bench.device != "cpu":
        return [Skip("scale", "a GPU has no shortcuts")]
    folder = make_material(bench, "256p", ORDINARY["256p"]).shards[3]
    kinds = {"crop": (view_of(Sampling(16, 4, 112)),), "simclr": SimClr.views(SimClrConfig())}
    seconds = 1.0 if bench.quick else 4.0
    offered = []
    for kind, views in kinds.items():
        # The crop has no blur.
        for way, shortcuts in WAYS.items() if kind == "simclr" else [*WAYS.items()][:2]:
            ours = Ours(folder, views, config=LoaderConfig(shortcuts=shortcuts))
            offered.append(ours.variant(f"{kind}, {way}", seconds, (f"{kind}, graph",)))
    return offered
