"""`vdata verify`: every byte of finished shards against its hash, and the way back from damage."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vdata.cli import EXIT_FAILED
from vdata.cli._settings import json_option

if TYPE_CHECKING:
    from vdata.builder.repair import RepairReport
    from vdata.shards.verify import VerifyReport

__all__ = ["command", "shard_progress"]


@click.command("verify")
@click.argument("shards", type=click.Path(path_type=Path))
@click.option("--decode", is_flag=True, help="Decode every clip too, and count its frames.")
@click.option("--repair", "mend", is_flag=True, help="Make damaged files anew: from other files, or by building the shard again.")
@click.option("--root", help="With --repair: where the sources are now.  [default: where they were]")
@click.option("--workers", type=click.IntRange(min=0), default=0, help="Processes.  [default: one a core]")
@json_option
def command(shards: Path, root: str | None, workers: int, *, decode: bool, mend: bool, as_json: bool) -> None:
    """Check shards: sizes, hashes, tar against rows and index, sums. Damage is named by shard and key; exit 1.

    \b
    vdata verify shards/sample/train --decode
    vdata verify shards/mine --repair --root /new/place/of/my-videos

    A shard that is built again takes the old one's place only if all its clips came back bit for bit.
    """  # noqa: D301 - click's mark is the character itself
    from vdata.shards.verify import verify, verify_folders

    if root and not mend:
        raise click.UsageError("--root says where --repair finds the sources: give both, or neither")
    workers = workers or len(os.sched_getaffinity(0))
    ok, plain = True, {}
    for folder in verify_folders(shards):
        with shard_progress(f"checking {folder}", quiet=as_json) as on_shard:
            if mend:
                repaired = _repaired(folder, root, workers, on_shard, decode=decode)
                report, plain[str(folder)] = repaired.after, _plain_repair(repaired)
            else:
                repaired, report = None, verify(folder, decode=decode, workers=workers, on_shard=on_shard)
                plain[str(folder)] = _plain(report)
        ok = ok and report.ok
        if not as_json:
            _print(folder, report, repaired)
    if as_json:
        click.echo(json.dumps(plain))
    if not ok:
        sys.exit(EXIT_FAILED)


@contextmanager
def shard_progress(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar of shards on stderr, on a terminal and while the block runs; the function that moves it."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _repaired(
    folder: Path, root: str | None, workers: int, on_shard: Callable[[int, int], None], *, decode: bool
) -> RepairReport:
    from vdata.builder import RunConfig
    from vdata.builder.repair import repair
    from vdata.media.url import parse_root

    place = parse_root(root) if root else None
    return repair(folder, root=place, run=RunConfig(workers), decode=decode, workers=workers, on_shard=on_shard)


def _plain(report: VerifyReport) -> dict[str, Any]:
    return {"shards": report.shards, "clips": report.clips, "damaged": [item._asdict() for item in report.damaged]}


def _plain_repair(repaired: RepairReport) -> dict[str, Any]:
    found = [item._asdict() for item in repaired.before.damaged]
    return {**_plain(repaired.after), "found": found, "repaired": [item._asdict() for item in repaired.shards]}


def _print(folder: Path, report: VerifyReport, repaired: RepairReport | None) -> None:
    if repaired is not None and not repaired.before.ok:
        click.echo(f"{folder}: {len(repaired.before.damaged)} damaged")
        for item in repaired.before.damaged:
            click.echo(f"  {item}")
        for shard in repaired.shards:
            click.echo(f"  -> {shard.shard}: {shard.what}")
    after = "now " if repaired is not None and not repaired.before.ok else ""
    click.echo(f"{folder}: {report.clips} clips in {report.shards} shards, {after}{len(report.damaged)} damaged")
    for item in report.damaged:
        click.echo(f"  {item}")
