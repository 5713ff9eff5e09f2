"""`vdata add`: a field for shards that stand already."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vdata.cli import EXIT_FAILED, EXIT_USAGE
from vdata.cli._settings import box_frames_option, box_frames_settings, config_option, json_option, read_settings, set_option
from vdata.cli.verify import shard_progress
from vdata.errors import BuildFailedError, DiskFullError, UnknownNameError

if TYPE_CHECKING:
    from vdata.builder import RunConfig
    from vdata.builder.add import Addition, AddReport, RunOrders

__all__ = ["command"]


@click.command("add")
@click.argument("field")
@click.option("--shards", required=True, type=click.Path(path_type=Path), help="A shard folder, or a folder of splits.")
@click.option("--root", help="Where the sources are now, for fields that need them.  [default: where they were]")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="RUN/checkpoint.pt whose backbone gives `features`.")
@click.option("--workers", type=click.IntRange(min=0), default=0, help="Tasks at a time.  [default: one a core]")
@click.option("--address", default="", help="A Ray cluster to join, as auto or host:6379.  [default: Ray on this machine]")
@click.option("--again", is_flag=True, help="Make it anew in every shard, whatever they have.")
@click.option("--retry-failed", is_flag=True, help="Work again on clips that failed and that another try may mend.")
@box_frames_option
@config_option
@set_option
@json_option
def command(
    field: str,
    shards: Path,
    root: str | None,
    checkpoint: Path | None,
    workers: int,
    address: str,
    config_file: Path | None,
    assignments: tuple[str, ...],
    *,
    box_frames: str | None,
    again: bool,
    retry_failed: bool,
    as_json: bool,
) -> None:
    """Compute a field for finished shards. Clips are not encoded again, and their files are not touched.

    \b
    vdata add slic --shards shards/mine
    vdata add motion --shards shards/mine --set motion.form=vectors
    vdata add audio --shards shards/mine --root /new/place/of/my-videos
    vdata add features --shards shards/mine --checkpoint runs/mine/checkpoint.pt --set features.rate=3

    Members go into tars of their own beside the clips' (clips-000000.slic.tar), and the rows name them, so every reader finds
    them as if they had been built with the shards. What fails for a clip is a row of errors.parquet. Interrupted, the same
    command goes on.
    """  # noqa: D301 - click's mark is the character itself
    from vdata.builder import RunConfig

    settings = read_settings(config_file, [*box_frames_settings(box_frames, (field,)), *assignments])
    for section in settings:
        if section != field:
            raise UnknownNameError("settings section", section, [field])
    run = RunConfig(workers, address, retry_failed=retry_failed)
    own = settings.get(field, {}) | ({"checkpoint": str(checkpoint)} if checkpoint else {})
    reports = _added(field, shards, root, run, own, again=again, quiet=as_json)
    if as_json:
        click.echo(json.dumps([report.to_mapping() for report in reports]))
        return
    for report in reports:
        _print(report)


def _added(
    field: str, shards: Path, root: str | None, run: RunConfig, settings: Mapping[str, Any], *, again: bool, quiet: bool
) -> list[AddReport]:
    """The work, with its bar and its log; a signal ends it in order."""
    from vdata.builder.add import add
    from vdata.cli._signals import Stopped, end_at_once, stopping_in_order
    from vdata.media.url import parse_root
    from vdata.shards.verify import verify_folders

    addition, engine = _addition(field, settings)
    folders = verify_folders(shards)
    place = parse_root(root) if root else None
    try:
        with stopping_in_order(), shard_progress(f"adding {field}", quiet=quiet) as on_shard:
            return add(folders, addition, root=place, run=run, again=again, on_shard=on_shard, run_orders=engine)
    except Stopped as stop:
        click.echo(f"vdata: stopped by {stop.name}; every shard that was done has {field}, the same command goes on", err=True)
        end_at_once(stop.exit_status)
    except BuildFailedError as error:
        click.echo(f"vdata: {error}", err=True)
        sys.exit(EXIT_USAGE if isinstance(error, DiskFullError) else EXIT_FAILED)


def _addition(field: str, settings: Mapping[str, Any]) -> tuple[Addition, RunOrders]:
    """What is added, and what runs the tasks: a network lives in actors of its own."""
    if field == "features":
        from vdata.features import feature_addition, run_on_actors

        return feature_addition(settings), run_on_actors
    from vdata.builder.add import Addition
    from vdata.builder.on_ray import run_orders

    return Addition.of(field, settings), run_orders


def _print(report: AddReport) -> None:
    tally = report.tally
    standing = f", {report.standing} had it" if report.standing else ""
    click.echo(f"{report.folder}: {report.name} added to {report.shards} shards{standing}")
    if report.shards:
        sums = f"{tally.clips_planned} clips = {tally.clips_written} added + {tally.clips_failed} failed"
        click.echo(f"  {sums}; {tally.frames} frames, {tally.bytes / 1e6:.1f} MB")
    if tally.reasons:
        reasons = ", ".join(f"{reason} {count}" for reason, count in tally.reasons.items())
        click.echo(f"  failed: {reasons} (see {shlex.quote(str(report.folder / 'errors.parquet'))})")
