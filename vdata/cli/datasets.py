"""`vdata datasets`: what can be built, how it must lie on disk, and whether it does."""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vdata.cli import EXIT_FAILED, EXIT_USAGE
from vdata.cli._settings import config_option, json_option, read_settings, set_option
from vdata.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vdata.datasets import Dataset
    from vdata.datasets._survey import SplitSurvey

__all__ = ["command"]


@click.command("datasets")
@click.argument("name", required=False)
@click.option("--check", "root", help="Say what a build would find below this folder, or URL.")
@config_option
@set_option
@json_option
def command(name: str | None, root: str | None, config_file: Path | None, assignments: tuple[str, ...], *, as_json: bool) -> None:
    """List the datasets; with NAME say what it is and how its folder must look; with --check whether a folder does.

    \b
    vdata datasets
    vdata datasets kinetics400
    vdata datasets kinetics400 --check /data/k400

    Exit status of --check: 0 all that is published is there; 1 a part can be built; 2 nothing can be built.
    """  # noqa: D301 - click's mark is the character itself
    if root is not None and name is None:
        raise click.UsageError("--check needs the dataset's NAME before it")
    if name is None:
        _print_all(as_json=as_json)
    elif root is None:
        _print_one(name, as_json=as_json)
    else:
        sys.exit(_check(name, root, read_settings(config_file, assignments), as_json=as_json))


def _print_all(*, as_json: bool) -> None:
    from vdata.datasets import DATASETS

    facts = {name: _facts(DATASETS[name]) for name in DATASETS}
    if as_json:
        click.echo(json.dumps(facts))
        return
    rows = [(name, _numbers(DATASETS[name]), fact["title"]) for name, fact in facts.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for label, numbers, title in rows:
        click.echo(f"{label:<{widths[0]}}  {numbers:<{widths[1]}}  {title}")
    click.echo("`vdata datasets NAME` prints the expected layout, `vdata datasets NAME --check ROOT` what is missing below ROOT.")


def _print_one(name: str, *, as_json: bool) -> None:
    from vdata.datasets import DATASETS

    dataset = DATASETS[name]
    facts = _facts(dataset)
    if as_json:
        click.echo(json.dumps({**facts, "text": _text(dataset), "layout": dataset.about.layout}))
        return
    click.echo(f"{name}: {_text(dataset)}\n\nLayout:\n{dataset.about.layout}")
    if numbers := _numbers(dataset):
        click.echo(f"published: {numbers}")
    for word in ("needs", "fields"):
        if facts[word]:
            click.echo(f"{word}: {_shown(facts[word])}")
    _print_entries("settings", {f"--set {name}.{key}={_typed(value)}": text for key, value, text in _settings(dataset)})
    _print_entries("columns", {column.name: column.doc for column in dataset.columns})
    click.echo(f"build: vdata build --dataset {name} --root ROOT --out shards/{name}")


def _facts(dataset: type[Dataset]) -> dict[str, Any]:
    """What one line, or one JSON object, says of a dataset."""
    from vdata.config import to_mapping

    about = dataset.about
    return {
        "title": _text(dataset).partition("\n")[0],
        "splits": list(dataset.splits),
        "published": dict(about.num_videos),
        "size_gb": about.size_gb,
        "needs": about.needs,
        "settings": to_mapping(dataset.Config()),
        "columns": [column.name for column in dataset.columns],
        "fields": list(dataset.extract),
    }


def _settings(dataset: type[Dataset]) -> list[tuple[str, object, str]]:
    """Name, default and meaning of each setting."""
    from vdata.config import field_docs, to_mapping

    docs = field_docs(dataset.Config)
    return [(name, value, docs.get(name, "")) for name, value in to_mapping(dataset.Config()).items()]


def _typed(value: object) -> str:
    """A default as it is typed behind --set; the name of what is to be typed where the default is nothing."""
    if isinstance(value, bool):
        return str(value).lower()
    return "..." if value in ("", None) or isinstance(value, list | tuple | dict) else str(value)


def _print_entries(title: str, entries: Mapping[str, str]) -> None:
    if entries:
        click.echo(f"{title}:")
    for name, text in entries.items():
        click.echo(f"  {name}   {text}")


def _text(dataset: type[Dataset]) -> str:
    """The docstring of its file, which is where a dataset is described."""
    return inspect.getdoc(sys.modules[dataset.__module__]) or ""


def _numbers(dataset: type[Dataset]) -> str:
    about = dataset.about
    counts = ", ".join(f"{split} {count:,}".strip() for split, count in about.num_videos.items())
    return f"{counts}; {about.size_gb:g} GB" if about.size_gb else counts


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _check(name: str, root: str, settings: Mapping[str, Any], *, as_json: bool) -> int:
    """Prints what is there; the exit status."""
    from vdata.builder import resolve
    from vdata.datasets._survey import survey
    from vdata.media.url import parse_root

    if name == "sample":
        raise ConfigError("sample: nothing to check: `vdata build --dataset sample` makes its videos itself")
    found = survey(name, parse_root(root), resolve(name, settings=settings).own[name])
    if as_json:
        click.echo(json.dumps({split: one.to_mapping() for split, one in found.items()}))
    else:
        for split, one in found.items():
            _print_survey(split or name, one)
    if not any(one.videos for one in found.values()):
        return EXIT_USAGE
    return 0 if all(one.is_whole for one in found.values()) else EXIT_FAILED


def _print_survey(title: str, found: SplitSurvey) -> None:
    if found.problem:
        click.echo(f"{title}: cannot be built: {found.problem}")
        return
    published = f" (published: {found.published:,})" if found.published else ""
    listed = found.videos + sum(found.skipped.values())
    click.echo(f"{title}: {listed:,} listed{published}, {found.videos:,} to build, {listed - found.videos:,} skipped")
    if listed < found.published:
        click.echo(f"  fewer are listed than are published, by {found.published - listed:,}")
    for reason, count in found.skipped.items():
        click.echo(f"  {reason} {count:,}:")
        for example in found.examples[reason]:
            click.echo(f"    {example}")
        if count > len(found.examples[reason]):
            click.echo(f"    ... and {count - len(found.examples[reason]):,} more")
