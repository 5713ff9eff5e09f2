"""The command line: one command a file, each a thin shell over one call of the library.

The modules import heavy packages inside their functions, so that `vdata --help` answers at once.
"""

from __future__ import annotations

import importlib
import io
import pkgutil
import sys

import click

from vdata import __version__
from vdata.errors import VdataError

__all__ = ["main"]

EXIT_FAILED, EXIT_USAGE = 1, 2
"""1: the work failed or its sums do not hold; 2: what was typed cannot be done."""


class _Commands(click.Group):
    """Commands found by their file: vdata/cli/NAME.py holds the click command `command`; a hyphen is an underscore there."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(
            module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")
        )

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"vdata.cli.{name.replace('-', '_')}").command
        return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vdata")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def group(ctx: click.Context, *, debug: bool) -> None:
    """Raw videos to self-supervised training: build shards, look at them, bench, train, evaluate."""
    ctx.obj = debug


def main() -> None:
    """Runs the command line; an error of ours is one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A file's name may have any bytes, and a terminal any encoding.
            stream.reconfigure(errors="backslashreplace")
    try:
        group()
    except VdataError as error:
        if "--debug" in sys.argv:
            raise
        click.echo(f"vdata: {error}", err=True)
        sys.exit(EXIT_USAGE)
