"""`vdata build`: raw videos to shards."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vdata.cli import EXIT_FAILED
from vdata.cli._settings import config_option, json_option, read_settings, set_option, split_names

if TYPE_CHECKING:
    from vdata.builder import BuildConfig, BuildReport

__all__ = ["command", "print_report"]


@click.command("build")
@click.option("--dataset", required=True, help="Name of the dataset: `vdata list` prints them.")
@click.option("--root", type=click.Path(path_type=Path), help="The dataset's folder as its owners publish it.")
@click.option("--out", type=click.Path(path_type=Path), help="Where the shards go.  [default: shards/DATASET]")
@click.option("--split", "splits", multiple=True, help="A split to build; may be given again.  [default: all]")
@click.option("--extract", default="keyframes,motion", show_default=True, help="Fields to extract; `vdata list` prints them.")
@click.option("--layers", type=click.Choice(["1"]), help="Frame structure of the clips.  [default: 1]")
@click.option("--limit", type=int, help="Build only so many videos of each split.")
@click.option("--workers", type=int, default=0, help="Tasks at a time.  [default: one a core]")
@click.option("--address", default="", help="Ray cluster to join, as `auto`.  [default: a Ray of its own]")
@click.option("--dry-run", is_flag=True, help="Print the plan and build nothing.")
@config_option
@set_option
@json_option
def command(
    dataset: str,
    root: Path | None,
    out: Path | None,
    splits: tuple[str, ...],
    extract: str,
    layers: str | None,
    limit: int | None,
    workers: int,
    address: str,
    config_file: Path | None,
    assignments: tuple[str, ...],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    r"""Turn raw videos into shards of clips. A build that was interrupted is continued by the same command.

    \b
    vdata build --dataset folder --root my-videos --out shards/mine
    vdata build --dataset sample
    vdata build --dataset kinetics400 --root /data/k400 --extract keyframes,motion --set clip.gop=16
    """
    from vdata.builder import RunConfig, build, resolve

    settings = read_settings(config_file, [*_flags(layers, limit), *assignments])
    config = resolve(dataset, split_names(extract), settings)
    out = out or Path("shards") / dataset
    root = _root(dataset, root, out)
    if dry_run:
        _print_plan(config, root, splits, as_json=as_json)
        return
    from vdata.cli._progress import BuildProgress

    with BuildProgress(quiet=as_json) as progress:
        report = build(config, root, out, splits, RunConfig(workers, address), progress.on_plan, progress.on_shard)
    if as_json:
        click.echo(json.dumps(report.to_mapping()))
    else:
        print_report(report)
    if not report.reconciles:
        sys.exit(EXIT_FAILED)


def _flags(layers: str | None, limit: int | None) -> list[str]:
    """The flags that are short for a setting."""
    return [f"clip.layers={layers}"] * bool(layers) + ([f"plan.limit={limit}"] if limit is not None else [])


def _root(dataset: str, root: Path | None, out: Path) -> Path:
    """The given root; a dataset that is generated puts its videos beside its shards."""
    if root is not None:
        return root
    if dataset == "sample":
        return out / "source"
    raise click.UsageError(f"--root is needed: the folder that holds the videos of '{dataset}'")


def _print_plan(config: BuildConfig, root: Path, splits: tuple[str, ...], *, as_json: bool) -> None:
    from vdata.builder.build import plan_splits

    plans = plan_splits(config, root, splits)
    rows = {
        name: {"videos": len(plan.videos), "skipped": len(plan.skipped), "shards": plan.num_shards, "bytes": plan.source_bytes}
        for name, plan in plans.items()
    }
    if as_json:
        click.echo(json.dumps({"config": config.to_mapping(), "splits": rows}))
        return
    for name, row in rows.items():
        size = f"{row['bytes'] / 1e6:.1f} MB of sources"
        click.echo(f"{name or config.dataset}: {row['videos']} videos ({row['skipped']} skipped), {row['shards']} shards, {size}")


def print_report(report: BuildReport) -> None:
    """Prints the sums of a build."""
    for name, split in report.splits.items():
        click.echo(f"{name + ': ' if name else ''}{split.folder}")
        for line in split.sums():
            click.echo(f"  {line}")
        tally = split.tally
        dropped = f", {tally.tails_dropped} short tails dropped" if tally.tails_dropped else ""
        click.echo(f"  {tally.frames} frames, {tally.bytes / 1e6:.1f} MB in {split.num_shards} shards{dropped}")
        if split.reasons:
            reasons = ", ".join(f"{reason} {count}" for reason, count in split.reasons.items())
            click.echo(f"  not built: {reasons} (see {split.folder / 'errors.parquet'})")
    rate = report.tally.frames / max(report.seconds_building, 1e-9)
    click.echo(f"{report.seconds:.1f} s, {report.seconds_building:.1f} s of them on Ray at {rate:.0f} frames/s")
    if not report.reconciles:
        click.echo("THE SUMS DO NOT AGREE: this is a bug, please report it with dataset.json and errors.parquet", err=True)
