"""`vdata doctor`: what this machine has, with a remedy for what it has not."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from vdata.cli import EXIT_FAILED
from vdata.cli._settings import json_option

__all__ = ["command"]

_MARKS = {"ok": ("ok", "green"), "absent": ("--", "yellow"), "broken": ("!!", "red")}


@click.command("doctor")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("shards"), show_default=True, help="Folder whose disk to look at."
)
@json_option
def command(out: Path, *, as_json: bool) -> None:
    """Look at ffmpeg, Ray, DALI, torch, NVDEC and the disk, and say what to do about what is missing. Exit 1 if one is broken.

    vdata doctor --out /data/shards
    """
    from vdata.doctor import examine

    findings = examine(out)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            mark, colour = _MARKS[finding.state]
            click.echo(f"{click.style(mark, fg=colour)}  {finding.name:{width}}  {finding.found}")
            if finding.remedy:
                click.echo(f"    {'':{width}}  {finding.remedy}")
    if any(finding.state == "broken" for finding in findings):
        sys.exit(EXIT_FAILED)
