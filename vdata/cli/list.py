"""`vdata list`: the names that can be typed."""

from __future__ import annotations

import inspect
import sys

import click

from vdata.errors import MissingExtraError

__all__ = ["command"]


@click.command("list")
def command() -> None:
    """Print the datasets, extractors and methods, a line each.

    vdata list
    """
    from vdata.datasets import DATASETS
    from vdata.extract import EXTRACTORS

    _print("datasets", {name: DATASETS[name] for name in DATASETS})
    _print("extractors", {name: EXTRACTORS[name] for name in EXTRACTORS})
    try:
        from vdata.methods import METHODS
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        click.echo(MissingExtraError("the list of methods", "torch", "pip install '.[train]' in vdata's checkout"))
        return
    _print("methods", {name: METHODS[name] for name in METHODS})


def _print(kind: str, entries: dict[str, type]) -> None:
    click.echo(f"{kind}:")
    for name, entry in entries.items():
        # The first line of the file's own docstring is what a person wants to know of it.
        text = inspect.getdoc(sys.modules[entry.__module__]) or ""
        click.echo(f"  {name:<16} {text.partition(chr(10))[0]}")
