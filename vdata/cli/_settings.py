"""Options that several commands share, and how they become settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from vdata.config import assign, merge, read_toml

__all__ = [
    "box_frames_option",
    "box_frames_settings",
    "config_option",
    "json_option",
    "read_settings",
    "set_option",
    "split_names",
    "where_option",
]

config_option = click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="TOML file with settings, a table a section."
)
set_option = click.option(
    "--set", "assignments", multiple=True, metavar="SECTION.KEY=VALUE", help="One setting, over the file's."
)
where_option = click.option(
    "--where", metavar="FILTER", help='Only clips for which it is true, as "motion_score > 0.2 and label in (1, 2)".'
)
box_frames_option = click.option(
    "--box-frames", metavar="keyframes|every:N|all", help="Frames on which boxes are made.  [default: keyframes]"
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def read_settings(config_file: Path | None, assignments: Sequence[str]) -> dict[str, Any]:
    """The settings of a file with those of --set laid on top."""
    return merge(read_toml(config_file) if config_file else {}, assign(assignments))


def split_names(text: str) -> tuple[str, ...]:
    """The names of a list such as "motion,keyframes"."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def box_frames_settings(rule: str | None, extractors: Sequence[str]) -> list[str]:
    """What --box-frames is short for: the setting `frames` of every named extractor that makes boxes, as --set would have it.

    Raises:
        UsageError: none of them does.
    """
    if rule is None:
        return []
    from vdata.extract import EXTRACTORS

    makers = [name for name in extractors if "frames" in {field.name for field in dataclasses.fields(EXTRACTORS[name].Config)}]
    if not makers:
        raise click.UsageError(
            f"--box-frames is for extractors that make boxes, such as slic; there is only {', '.join(extractors)}"
        )
    return [f"{name}.frames={rule}" for name in makers]
