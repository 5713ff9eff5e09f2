"""What the loader's bench reads: source videos of one size, and clips that are built of them with one layer and with three."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from vdata.bench.case import Bench
from vdata.bench.sources import SourceKind, make_sources
from vdata.builder import resolve
from vdata.builder.build import finish, missing_orders, plan_splits
from vdata.builder.plan_file import write_plan
from vdata.builder.state import open_build

__all__ = ["BATCH_SIZE", "Material", "Sampling", "make_material"]

BATCH_SIZE = 16
"""Samples of a batch, of ours and of every peer."""


class Sampling(NamedTuple):
    """What a sample is: a window of so many frames, `stride` apart, cropped, resized to a square and flipped at random."""

    frames: int
    stride: int
    size: int
    """Pixels."""


@dataclass(frozen=True, slots=True)
class Material:
    """The same videos as files and as shards."""

    sources: Sequence[Path]
    shards: Mapping[int, Path]
    """Folders by `clip.layers`."""


def make_material(bench: Bench, name: str, kind: SourceKind) -> Material:
    """Sources of a kind, a batch of them, and their clips, one a source, below the bench's scratch folder.

    With `--quick` there are four different videos, each under four names.
    """
    root = bench.scratch / name / "sources"
    sources = make_sources(bench.shards, root, kind, BATCH_SIZE, 4 if bench.quick else BATCH_SIZE, spread=True)
    shards = {layers: _built(root, bench.scratch / name / f"layers-{layers}", layers) for layers in (1, 3)}
    return Material(sources, shards)


def _built(root: Path, out: Path, layers: int) -> Path:
    """A build without Ray, whose start would take longer than so few videos do."""
    # A megabyte a shard: a peer's workers share the tars among them.
    config = resolve("folder", (), {"clip": {"layers": layers}, "plan": {"shard_mb": 1.0}})
    (plan,) = plan_splits(config, root).values()
    out.mkdir()
    open_build(out, config, root, "")
    write_plan(out, plan)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(lambda order: order.execute(), missing_orders(out, plan, config, root, run="")))
    report = finish(out, plan)
    if report.tally.clips_written != BATCH_SIZE:
        raise ValueError(f"the build made {report.tally.clips_written} clips of {BATCH_SIZE} videos")
    return out
