"""`vdata verify`: every byte of finished shards against its hash."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from vdata.cli import EXIT_FAILED
from vdata.cli._settings import json_option

__all__ = ["command"]


@click.command("verify")
@click.argument("shards", type=click.Path(path_type=Path))
@click.option("--decode", is_flag=True, help="Decode every clip too, and count its frames.")
@json_option
def command(shards: Path, *, decode: bool, as_json: bool) -> None:
    """Check shards: sizes, hashes, tar against rows and index, sums. Damage is named by shard and key; exit 1.

    vdata verify shards/sample/train --decode
    """
    from vdata.shards.info import shard_folders
    from vdata.shards.verify import verify

    reports = {folder: verify(folder, decode=decode) for folder in shard_folders(shards)}
    if as_json:
        plain = {
            str(folder): {"shards": report.shards, "clips": report.clips, "damaged": [item._asdict() for item in report.damaged]}
            for folder, report in reports.items()
        }
        click.echo(json.dumps(plain))
    else:
        for folder, report in reports.items():
            click.echo(f"{folder}: {report.clips} clips in {report.shards} shards, {len(report.damaged)} damaged")
            for item in report.damaged:
                click.echo(f"  {item}")
    if not all(report.ok for report in reports.values()):
        sys.exit(EXIT_FAILED)
