"""`vdata info`: what a shard folder holds."""

from __future__ import annotations

import json
from pathlib import Path

import click

from vdata.cli._settings import json_option

__all__ = ["command"]


@click.command("info")
@click.argument("shards", type=click.Path(path_type=Path))
@json_option
def command(shards: Path, *, as_json: bool) -> None:
    """Say what a folder of shards, or of splits, holds: clips, frames, hours, sizes, failures, state.

    vdata info shards/sample/train
    """
    from vdata.shards.info import describe_folder, shard_folders

    found = [describe_folder(folder) for folder in shard_folders(shards)]
    if as_json:
        click.echo(json.dumps(found if len(found) > 1 else found[0]))
        return
    for facts in found:
        width = max(len(name) for name in facts)
        for name, value in facts.items():
            text = ", ".join(f"{key} {count}" for key, count in value.items()) if isinstance(value, dict) else value
            click.echo(f"{name.replace('_', ' '):<{width}}  {text}")
