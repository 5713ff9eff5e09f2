"""Options that several commands share, and how they become settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from vdata.config import assign, merge, read_toml

__all__ = ["config_option", "json_option", "read_settings", "set_option", "split_names"]

config_option = click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="TOML file with settings, a table a section."
)
set_option = click.option(
    "--set", "assignments", multiple=True, metavar="SECTION.KEY=VALUE", help="One setting, over the file's."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def read_settings(config_file: Path | None, assignments: Sequence[str]) -> dict[str, Any]:
    """The settings of a file with those of --set laid on top."""
    return merge(read_toml(config_file) if config_file else {}, assign(assignments))


def split_names(text: str) -> tuple[str, ...]:
    """The names of a list such as "motion,keyframes"."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
