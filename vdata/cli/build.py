"""`vdata build`: raw videos to shards."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vdata.cli import EXIT_FAILED, EXIT_USAGE
from vdata.cli._plan import print_plan
from vdata.cli._settings import (
    box_frames_option,
    box_frames_settings,
    config_option,
    json_option,
    read_settings,
    set_option,
    split_names,
)
from vdata.errors import BuildFailedError, DiskFullError

if TYPE_CHECKING:
    from vdata.builder import BuildConfig, BuildReport, RunConfig
    from vdata.media.url import Root

__all__ = ["command", "print_report"]


@click.command("build")
@click.option("--dataset", required=True, help="Name of the dataset: `vdata list` prints them.")
@click.option("--root", help="The dataset's folder as its owners publish it, or a URL such as s3://bucket/folder.")
@click.option("--out", type=click.Path(path_type=Path), help="Where the shards go.  [default: shards/DATASET]")
@click.option("--split", "splits", multiple=True, help="A split to build; may be given again.  [default: all]")
@click.option("--extract", default="keyframes,motion", show_default=True, help="Fields to extract; `vdata list` prints them.")
@click.option("--keyframes", type=click.Choice(["ranges", "jpeg"]), help="Store keyframes as JPEGs too.  [default: ranges]")
@box_frames_option
@click.option("--layers", type=click.Choice(["1", "3"]), help="Frame structure of the clips: IPPP or IBBBP.  [default: 1]")
@click.option("--format", "form", type=click.Choice(["tar", "parquet"]), help="What a shard is.  [default: tar]")
@click.option("--limit", type=int, help="Build only so many videos of each split.")
@click.option("--task-minutes", type=float, help="Divide films that would keep a core busy for longer.  [default: 10]")
@click.option("--max-failed", type=float, default=1.0, show_default=True, help="Share of videos that may fail before it stops.")
@click.option("--retry-failed", is_flag=True, help="Build shards anew that hold failures which another try may mend.")
@click.option("--append", is_flag=True, help="Build videos that are new below the root, into new shards.")
@click.option("--workers", type=int, default=0, help="Tasks at a time.  [default: one a core]")
@click.option("--address", default="", help="Ray cluster to join, as `auto`.  [default: a Ray of its own]")
@click.option("--dry-run", is_flag=True, help="Print the plan and an estimate; build nothing.")
@config_option
@set_option
@json_option
def command(
    dataset: str,
    root: str | None,
    out: Path | None,
    splits: tuple[str, ...],
    extract: str,
    config_file: Path | None,
    assignments: tuple[str, ...],
    *,
    box_frames: str | None,
    workers: int,
    address: str,
    max_failed: float,
    retry_failed: bool,
    append: bool,
    dry_run: bool,
    as_json: bool,
    **short: object,
) -> None:
    """Turn raw videos into shards of clips. A build that was interrupted is continued by the same command.

    \b
    vdata build --dataset folder --root my-videos --out shards/mine
    vdata build --dataset sample
    vdata build --dataset kinetics400 --root /data/k400 --extract keyframes,motion --set clip.gop=16
    vdata build --dataset folder --root s3://bucket/videos --out shards/mine --address auto
    vdata build --dataset urls --root list-of-urls.txt --out shards/mine

    Exit status: 0 all is built or accounted for; 1 the sums do not hold or too much failed; 2 it cannot be done as typed;
    130 stopped by Ctrl-C, 143 by SIGTERM: the same command goes on.
    """  # noqa: D301 - click's mark is the character itself
    from vdata.builder import RunConfig, resolve

    names = split_names(extract)
    short_for = [*_assigned(short), *box_frames_settings(box_frames, names)]
    config = resolve(dataset, names, read_settings(config_file, [*short_for, *assignments]))
    out = out or Path("shards") / dataset
    place = _root(dataset, root, out)
    if dry_run:
        print_plan(config, place, splits, as_json=as_json)
        return
    run = RunConfig(workers, address, max_failed, append=append, retry_failed=retry_failed)
    report = _run(config, place, out, splits, run, quiet=as_json)
    if as_json:
        click.echo(json.dumps(report.to_mapping()))
    else:
        print_report(report)
    if not report.reconciles:
        sys.exit(EXIT_FAILED)


_SHORT = {
    "keyframes": "keyframes.form",
    "layers": "clip.layers",
    "form": "format",
    "limit": "plan.limit",
    "task_minutes": "plan.task_minutes",
}
"""Options that are short for a setting."""


def _assigned(short: Mapping[str, object]) -> list[str]:
    """The options that are short for a setting, as --set would have them."""
    return [f"{_SHORT[name]}={value}" for name, value in short.items() if value is not None]


def _root(dataset: str, root: str | None, out: Path) -> Root:
    """The given root; a dataset that is generated puts its videos beside its shards."""
    from vdata.media.url import parse_root

    if root is not None:
        return parse_root(root)
    if dataset == "sample":
        return out / "source"
    raise click.UsageError(f"--root is needed: the folder that holds the videos of '{dataset}'")


def _run(config: BuildConfig, root: Root, out: Path, splits: tuple[str, ...], run: RunConfig, *, quiet: bool) -> BuildReport:
    """The build with its progress and its log; a signal ends it in order."""
    from vdata.builder import build
    from vdata.builder.log import LOG_FILE, BuildLog, log_file
    from vdata.cli._progress import BuildProgress
    from vdata.cli._signals import Stopped, end_at_once, stopping_in_order

    log = BuildLog(shlex.join(sys.argv))
    try:
        with stopping_in_order(), log_file(out / LOG_FILE), BuildProgress(quiet=quiet) as progress:
            return build(config, root, out, splits, run, (progress, log))
    except Stopped as stop:
        click.echo(
            f"vdata: stopped by {stop.name}; every finished shard stays, and the same command goes on from there", err=True
        )
        end_at_once(stop.exit_status)
    except BuildFailedError as error:
        click.echo(f"vdata: {error}", err=True)
        sys.exit(EXIT_USAGE if isinstance(error, DiskFullError) else EXIT_FAILED)


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
        for field, count in split.lacking.items():
            click.echo(f"  {count} of {split.num_shards} shards lack {field}: run `vdata add {field} --shards {split.folder}`")
    rate = report.tally.frames / max(report.seconds_building, 1e-9)
    times = f"{report.seconds:.1f} s: {report.seconds_building:.1f} s of tasks at {rate:.0f} frames/s"
    click.echo(f"{times}, {report.seconds_ray:.1f} s for Ray to start and stop")
    if not report.reconciles:
        click.echo("THE SUMS DO NOT AGREE: this is a bug, please report it with dataset.json and errors.parquet", err=True)
