"""`vdata check-leaks`: near copies of the test set's videos in the training set."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vdata.cli import EXIT_FAILED
from vdata.cli._settings import json_option
from vdata.errors import ConfigError

if TYPE_CHECKING:
    from vdata.leaks import Leak, LeakReport, LeakVideo

__all__ = ["command"]

_SHOWN = 20
"""Pairs, groups and unreadable clips that are printed of each; --json and --out have all."""


@click.command("check-leaks")
@click.argument("shards", nargs=-1, required=True)
@click.option("--max-distance", type=int, help="Bits of 256 in which keyframes that look alike may differ.  [default: 56]")
@click.option("--mirror", is_flag=True, help="Look for mirrored copies too.")
@click.option("--within", is_flag=True, help="Compare all videos of a folder, of one side too.")
@click.option("--out", type=click.Path(path_type=Path), help="Write all pairs to this .parquet file.")
@click.option("--keys", "keys_file", type=click.Path(path_type=Path), help="Write the keys of the first folder's leaks.")
@click.option("--workers", type=click.IntRange(min=0), default=0, help="Processes.  [default: one a core]")
@json_option
def command(
    shards: tuple[str, ...],
    max_distance: int | None,
    out: Path | None,
    keys_file: Path | None,
    workers: int,
    *,
    mirror: bool,
    within: bool,
    as_json: bool,
) -> None:
    """Find near copies across the folders, across train and test within one, and groups that are on both sides.

    \b
    vdata check-leaks shards/ucf101/train shards/ucf101/test --keys keys.txt
    vdata remove --shards shards/ucf101/train --keys keys.txt

    Looks at keyframes: copies that were encoded, scaled, brightened or cropped by a few percent are found, and recordings of one
    scene. Exit status: 0 nothing is on two sides; 1 something is, or a clip could not be read; 2 it could not be done.
    """  # noqa: D301 - click's mark is the character itself
    from vdata.config import from_mapping
    from vdata.leaks import LeakConfig, find_leaks, write_pairs

    if out and out.suffix != ".parquet":
        raise ConfigError(f"--out ('{out}') must end in .parquet; --keys writes a text file for `vdata remove`")
    given = {"mirror": mirror, "within": within} | ({} if max_distance is None else {"max_distance": max_distance})
    config = from_mapping(LeakConfig, given, "--")
    with _progress(quiet=as_json) as on_step:
        report = find_leaks(shards, config, workers=workers or len(os.sched_getaffinity(0)), on_step=on_step)
    if out:
        write_pairs(out, report)
    if as_json:
        click.echo(json.dumps(report.to_mapping()))
    else:
        _print(report)
    if keys_file:
        num_keys = _write_keys(keys_file, report)
        if not as_json:
            click.echo(_next_step(keys_file, num_keys, shards[0]))
    if not report.is_clean:
        sys.exit(EXIT_FAILED)


def _write_keys(path: Path, report: LeakReport) -> int:
    """The number of keys that were written, one a line."""
    keys = report.keys_to_remove()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key}\n" for key in keys), encoding="utf-8")
    return len(keys)


def _next_step(path: Path, num_keys: int, folder: str) -> str:
    """What is in the file of keys, and the command that takes these clips out."""
    written = f"{num_keys} keys of {folder} written to {path}"
    if not num_keys:
        return f"{written}: nothing is to be removed"
    return f"{written}; take these clips out: vdata remove --shards {shlex.quote(folder)} --keys {shlex.quote(str(path))}"


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each step on stderr, on a terminal and while the block runs; the function that moves it."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress, TaskID

    console, tasks = Console(stderr=True), dict[str, TaskID]()
    with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as bar:

        def move(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(escape(what))
            bar.update(tasks[what], completed=done, total=total)

        yield move


def _print(report: LeakReport) -> None:
    for facts in report.folders:
        left_out = f"{facts.blank} without content, {facts.unchecked} videos without any to compare"
        click.echo(f"{facts.folder}: {facts.videos} videos, {facts.keyframes} keyframes compared ({left_out})")
    if report.common:
        click.echo(f"{report.common} keyframes look like too many others to say anything of two videos: left out")
    _print_some("could not be read", [f"{item.folder} {item.key}: {item.message}" for item in report.unreadable])
    for where, count in report.by_folders().items():
        click.echo(f"{count} pairs of videos look alike: {where}")
    labels = ", ".join(f"{name or 'no label'} {count}" for name, count in list(report.by_label().items())[:_SHOWN])
    if labels:
        click.echo(f"  by label of the second: {labels}")
    _print_some("", [_line(pair) for pair in report.pairs])
    groups = [
        f"{leak.group}: " + ", ".join(f"{len(ids)} in {side}" for side, ids in leak.sides.items()) for leak in report.groups
    ]
    _print_some("groups are on two sides", groups)
    if report.is_clean:
        click.echo("nothing is on two sides" if report.pairs else "nothing looks alike")


def _print_some(heading: str, lines: list[str]) -> None:
    """The first lines, below how many there are."""
    if lines and heading:
        click.echo(f"{len(lines)} {heading}")
    for line in lines[:_SHOWN]:
        click.echo(f"  {line}")
    if len(lines) > _SHOWN:
        click.echo(f"  ... and {len(lines) - _SHOWN} more: --json or --out has all")


def _line(pair: Leak) -> str:
    sides = f"{_video_text(pair.first)} = {_video_text(pair.second)}"
    return f"{pair.distance:g} bits{' mirrored' if pair.mirrored else ''}, {pair.kind}: {sides}"


def _video_text(video: LeakVideo) -> str:
    # Most ids are a part of the source's path.
    name = video.source if video.video_id in video.source else f"{video.video_id} ({video.source})"
    return f"{name} at {video.seconds:.2f} s ({video.matched} of {video.hashed} keyframes)"
