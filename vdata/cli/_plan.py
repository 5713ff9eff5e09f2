"""What `vdata build --dry-run` prints."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from vdata.builder import BuildConfig
    from vdata.builder.estimate import Estimate
    from vdata.media.url import Root

__all__ = ["print_plan"]


def print_plan(config: BuildConfig, root: Root, splits: tuple[str, ...], *, as_json: bool) -> None:
    """Prints each split's plan, and an estimate of what it will take; nothing is written."""
    from vdata.builder.build import plan_splits
    from vdata.builder.estimate import estimate

    plans = plan_splits(config, root, splits)
    estimates = {name: estimate(plan.videos, config, root) for name, plan in plans.items()}
    rows = {
        name: {"videos": plan.num_videos, "skipped": len(plan.skipped), "shards": plan.num_shards, "bytes": plan.source_bytes}
        for name, plan in plans.items()
    }
    if as_json:
        told = {name: {**row, "estimate": asdict(estimates[name])} for name, row in rows.items()}
        click.echo(json.dumps({"config": config.to_mapping(), "splits": told}))
        return
    for name, row in rows.items():
        size = f"{row['bytes'] / 1e6:.1f} MB of sources"
        click.echo(f"{name or config.dataset}: {row['videos']} videos ({row['skipped']} skipped), {row['shards']} shards, {size}")
        click.echo(f"  {_words(estimates[name])}")


def _words(found: Estimate) -> str:
    if not found.num_looked_at:
        return "no estimate: none of the first videos says how long it is"
    sizes = f"{found.hours:.2f} hours of video, {found.clips} clips, {found.bytes / 1e6:.0f} MB of shards"
    return f"roughly {sizes}, {found.core_hours:.2f} core-hours (by the headers of {found.num_looked_at} videos)"
