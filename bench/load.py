"""Loading: windows of 16 frames at stride 4, 112 pixels, random resized crop and flip, as float tensors.

Sources of ordinary x264 settings are made of the given shards' clips, 10 seconds each, and built into clips with one layer and
with three. `decode` reads and decodes such windows on all cores and throws the frames away: the limit. `decode, RGB` converts
their 16 frames too, which a user of a plain decoder cannot avoid; ClipIterator can, since it scales a crop before it converts.
`stride` is `phase="stride"`: windows that start on multiples of their stride.

With --peers there are sources of 720p and 480p too, and the peers of vdata/bench/loader_peers.py: TorchCodec on the source files
and on our clips, decord and PyAV with webdataset on our clips. Bytes are counted by the reads of all processes; packets are
counted in ours, and computed from the streams for the peers, which do not tell.
"""

from __future__ import annotations

from collections.abc import Sequence

from vdata.bench import Bench, Skip, Variant
from vdata.bench.loader_case import loader_variants
from vdata.bench.loader_material import Sampling, make_material
from vdata.bench.sources import ORDINARY

UNIT = "clips/s"
WARM_UP = False
REPEATS = 3
SAMPLING = Sampling(frames=16, stride=4, size=112)


def variants(bench: Bench) -> Sequence[Variant | Skip]:
    """Limits and loader, on the smallest sources; with peers on all sizes."""
    offered: list[Variant | Skip] = []
    for name, kind in ORDINARY.items() if bench.peers else [("256p", ORDINARY["256p"])]:
        offered += loader_variants(bench, make_material(bench, name, kind), SAMPLING, f"{name} ")
    return offered
