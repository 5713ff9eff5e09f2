"""`vdata index`: the loader's index, made anew."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("index")
@click.argument("shards", type=click.Path(path_type=Path))
def command(shards: Path) -> None:
    """Make the loader's index anew. A build does it at its end, and the loader when it is stale.

    vdata index shards/sample/train
    """
    from vdata.shards import write_index
    from vdata.shards.info import shard_folders

    for folder in shard_folders(shards):
        click.echo(f"{folder}: {len(write_index(folder))} clips")
