"""`vdata info`: what a shard folder holds."""

from __future__ import annotations

import json
from typing import Any

import click

from vdata.cli._settings import json_option, where_option

__all__ = ["command"]


@click.command("info")
@click.argument("shards")
@where_option
@json_option
def command(shards: str, where: str | None, *, as_json: bool) -> None:
    """Say what a folder of shards, or of splits, holds: clips, frames, hours, sizes, columns to filter by, failures, state.

    The folder may be a URL, as s3://bucket/shards/sample.

    vdata info shards/sample/train --where "num_frames >= 32"
    """
    from vdata.shards.info import describe

    found = describe(shards, where)
    if as_json:
        click.echo(json.dumps(found if len(found) > 1 else found[0]))
        return
    for facts in found:
        width = max(len(name) for name in facts)
        for name, value in facts.items():
            click.echo(f"{name.replace('_', ' '):<{width}}  {_text(value)}")


def _text(value: Any) -> str:  # noqa: ANN401 - a fact of describe_folder
    if not isinstance(value, dict):
        return str(value)
    nested = any(isinstance(below, dict) for below in value.values())
    return ("; " if nested else ", ").join(f"{key} {_text(below)}" for key, below in value.items())
