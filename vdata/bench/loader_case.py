"""The variants of a loader's case on one set of videos: limits, peers, and ClipIterator held against them."""

from __future__ import annotations

from collections.abc import Sequence

from vdata.bench.case import Bench, Skip, Variant
from vdata.bench.loader_material import Material, Sampling
from vdata.bench.loader_ours import Limit, Ours, check_frames, view_of
from vdata.bench.loader_peers import loader_peers
from vdata.views.window import Phase

__all__ = ["loader_variants"]

WAYS: tuple[tuple[int, Phase, str], ...] = ((1, "any", ""), (3, "any", ""), (3, "stride", ", stride"))
"""Layers, phase, and the words for it. With one layer a start on the stride saves nothing."""


def loader_variants(bench: Bench, material: Material, sampling: Sampling, prefix: str) -> Sequence[Variant | Skip]:
    """ClipIterator on each structure that there are clips of, and its limits; the peers, where asked for.

    Raises:
        ValueError: somebody's frames are not the clip's.
    """
    seconds = 1.0 if bench.quick else 4.0
    for folder in material.shards.values():
        check_frames(folder, sampling)
    peers = loader_peers(bench, material, sampling, seconds, prefix)
    names = tuple(peer.name for peer in peers if isinstance(peer, Variant))
    # The first of a case is what the others are held against unless they say otherwise; a limit is held against nothing.
    limits, ours = list[Variant](), list[Variant]()
    for layers, phase, words in (way for way in WAYS if way[0] in material.shards):
        folder, view = material.shards[layers], view_of(sampling, phase)
        limit, rgb = (f"{prefix}decode{kind}, layers {layers}{words}" for kind in ("", ", RGB"))
        limits.append(Limit(folder, view, rgb=False).variant(limit, seconds, (limit,)))
        limits.append(Limit(folder, view, rgb=True).variant(rgb, seconds, (limit,)))
        name = f"{prefix}ClipIterator, layers {layers}{words}"
        ours.append(Ours(folder, view, bench.device).variant(name, seconds, (limit, *names)))
    return [*limits, *peers, *ours]
