"""Loading: windows of 16 frames at stride 4, 112 pixels, random resized crop and flip, as float tensors.

Sources of ordinary x264 settings are made of the given shards' clips, 10 seconds each, and built into clips with one layer and
with three. `decode` reads and decodes such windows on all cores and throws the frames away: the limit. `decode, RGB` converts
their 16 frames too, which a user of a plain decoder cannot avoid; ClipIterator can, since it scales a crop before it converts.
`stride` is `phase="stride"`: windows that start on multiples of their stride. With --quick and without peers nothing is made: it
is the given clips that are loaded, as they are.

With --peers there are sources of 720p and 480p too, and the peers of vdata/bench/loader_peers.py: TorchCodec on the source files
and on our clips, decord and PyAV with webdataset on our clips. Bytes are counted by the reads of all processes; packets are
counted in ours, and computed from the streams for the peers, which do not tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vdata.bench import Bench, Skip, Variant
from vdata.bench.loader_case import loader_variants
from vdata.bench.loader_material import Material, Sampling, make_material
from vdata.bench.loader_ours import view_of
from vdata.bench.sources import ORDINARY
from vdata.media.structure import STRUCTURES
from vdata.shards import open_shards

UNIT = "clips/s"
WARM_UP = False
REPEATS = 3
SAMPLING = Sampling(frames=16, stride=4, size=112)


def variants(bench: Bench) -> Sequence[Variant | Skip]:
    """Limits and loader, on the smallest sources; with peers on all sizes."""
    if bench.quick and not bench.peers and (given := _given(bench.shards)):
        return loader_variants(bench, given, SAMPLING, "")
    offered: list[Variant | Skip] = []
    for name, kind in ORDINARY.items() if bench.peers else [("256p", ORDINARY["256p"])]:
        offered += loader_variants(bench, make_material(bench, name, kind), SAMPLING, f"{name} ")
    return offered


def _given(folder: Path) -> Material | None:
    """The shards themselves; none where no clip is as long as a window."""
    shards = open_shards(folder)
    long = np.flatnonzero(shards.index.num_frames >= view_of(SAMPLING).span)
    if not len(long):
        return None
    structure = shards[int(long[0])].row["structure"]
    return Material((), {layers: folder for layers, kept in STRUCTURES.items() if kept.name == structure})
