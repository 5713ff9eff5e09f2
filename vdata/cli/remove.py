"""`vdata remove`: clips taken out of shards for good."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO

import click

from vdata.cli._settings import json_option
from vdata.cli.verify import shard_progress

__all__ = ["command"]


@click.command("remove")
@click.option("--shards", required=True, type=click.Path(path_type=Path), help="A shard folder, or a folder of splits.")
@click.option("--keys", type=click.File(), help="File with a clip's key a line; - is stdin.")
@click.option("--videos", type=click.File(), help="File with a video_id a line, all of whose clips go; - is stdin.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@json_option
def command(shards: Path, keys: IO[str] | None, videos: IO[str] | None, *, dry_run: bool, as_json: bool) -> None:
    """Take clips out of shards for good: rows and bytes go, and no later build brings them back.

    \b
    vdata remove --shards shards/mine --keys keys.txt
    echo some-video | vdata remove --shards shards/mine --videos - --dry-run

    The shards that hold them are written anew from their other clips; the sources are not needed. Stop what reads the shards
    before. What stays: the keys and video ids in removed.parquet, by which later builds know what to leave out, and the video's
    name in plan.parquet. Copies elsewhere and the sources are yours to delete. Interrupted, the same command goes on.
    """  # noqa: D301 - click's mark is the character itself
    from vdata.builder.remove import remove
    from vdata.shards.verify import verify_folders

    if keys is None and videos is None:
        raise click.UsageError("--keys or --videos is needed: what to take out")
    with shard_progress("removing", quiet=as_json) as on_shard:
        names = {"keys": _lines(keys), "videos": _lines(videos)}
        reports = remove(verify_folders(shards), **names, dry_run=dry_run, on_shard=on_shard)
    if as_json:
        click.echo(json.dumps([report.to_mapping() for report in reports]))
        return
    for report in reports:
        verb = "would go" if dry_run else "gone"
        shards_text = f"{len(report.shards)} shards {'to write' if dry_run else 'written'} anew"
        click.echo(f"{report.folder}: {len(report.keys)} clips {verb}, {report.bytes / 1e6:.3f} MB, {shards_text}")


def _lines(file: IO[str] | None) -> list[str]:
    """The names in a file, without empty lines."""
    return [line for line in (file.read().splitlines() if file else []) if line]
