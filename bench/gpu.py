"""Loading on an NVIDIA GPU: `vdata bench --only gpu --device cuda:0 --shards P`. Has never run on one.

First it compares: the loader's whole pictures on CUDA with the CPU's, within a conversion's tolerance, and those from thinned
fragments with those from whole ones, bit for bit. Only then is anything timed, and thinning only if it passed. P should be clips
with three layers (`--set clip.layers=3`), since with one layer a fragment can only be cut short.

`NVDEC` is DALI's video decoder alone on such bytes, with no augmentation: the limit. `ClipIterator` is held against it:
its ratio is the share of the limit that it reaches. Frames returned are the unit; frames decoded, which are NVDEC's bill, stand
beside them. Decoders are made once for each coded size: `coded sizes`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pipelines import LoaderConfig
from pipelines.clips import open_clips
from vdata.bench import Bench, Skip, Timed, Variant
from vdata.bench.loader_material import Sampling
from vdata.bench.loader_ours import Ours, view_of
from vdata.bench.nvdec import DecodeAlone, difference, load_frames, num_decoders

UNIT = "frames/s"
WARM_UP = False
REPEATS = 5
STRIDES, BATCH_SIZES = (1, 2, 4, 8), (8, 32, 64)
CHECKED_BATCHES = 4


def variants(bench: Bench) -> Sequence[Variant | Skip]:
    """NVDEC and the loader for every stride and batch size, whole and thinned; or why not.

    Raises:
        ValueError: frames of the GPU are not the CPU's.
    """
    if not bench.device.startswith("cuda"):
        return [Skip("NVDEC", "asked for by --device cuda:0")]
    if not torch.cuda.is_available():
        return [Skip("NVDEC", "this machine has no NVIDIA GPU that torch can use")]
    offered: list[Variant | Skip] = []
    for stride in STRIDES:
        can_thin = check(bench, Sampling(16, stride, 112))
        for thins in (False, True):
            if thins and not can_thin:
                offered.append(Skip(f"stride {stride}, thinned", "its frames are not those of whole fragments"))
                continue
            for batch_size in BATCH_SIZES[1:2] if bench.quick else BATCH_SIZES:
                offered += _pair(bench, Sampling(16, stride, 112), batch_size, thins=thins)
    return offered


def check(bench: Bench, sampling: Sampling) -> bool:
    """Whether thinned fragments give the frames of whole ones.

    Raises:
        ValueError: whole fragments do not give the CPU's frames.
    """
    view = view_of(sampling)
    on_cpu, whole = (load_frames(bench.shards, view, device, CHECKED_BATCHES) for device in ("cpu", bench.device))
    for wanted, found in zip(on_cpu, whole, strict=True):
        if not (apart := difference(found, wanted)).is_conversion:
            raise ValueError(f"frames of {bench.device} at stride {sampling.stride} are not the CPU's: {apart}")
    thinned = load_frames(bench.shards, view, bench.device, CHECKED_BATCHES, thins=True)
    return all(torch.equal(found, wanted) for found, wanted in zip(thinned, whole, strict=True))


def _pair(bench: Bench, sampling: Sampling, batch_size: int, *, thins: bool) -> list[Variant]:
    """The limit, and the loader held against it."""
    view, seconds, number = view_of(sampling), 2.0 if bench.quick else 8.0, torch.device(bench.device).index or 0
    alone = DecodeAlone(bench.shards, view, batch_size, number, thins=thins)
    ours = Ours(bench.shards, view, bench.device, batch_size=batch_size, config=LoaderConfig(thin=thins))
    words = f"stride {sampling.stride}, batch {batch_size}{', thinned' if thins else ''}"
    creations = float(num_decoders(open_clips(bench.shards)))

    def run() -> Timed:
        done = ours.run(seconds)
        decoded = done.work * alone.pictures_a_window / done.seconds
        detail = {**done.detail, "frames decoded/s": decoded, "coded sizes": creations}
        return Timed(done.work * sampling.frames, done.seconds, detail, done.cpu_seconds)

    limit = f"NVDEC, {words}"
    return [
        Variant(limit, lambda: alone.run(seconds), alone.prepare, limit),
        Variant(f"ClipIterator, {words}", run, ours.prepare, limit),
    ]
