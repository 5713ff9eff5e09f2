"""`vdata bench`: figures of this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdata.bench import Figure

__all__ = ["command", "print_figures"]


@click.command("bench")
@click.option("--shards", type=click.Path(path_type=Path), default=Path("shards/sample/train"), show_default=True)
@click.option("--only", multiple=True, metavar="CASE", help="Run this case; may be given again.  [default: all]")
@click.option("--quick", is_flag=True, help="Fewer rounds and less work: rough figures in about a minute.")
@click.option("--peers", is_flag=True, help="Measure other packages too, where they are installed.")
@click.option("--device", default="cpu", show_default=True, help="`cpu`, or `cuda:0` for NVDEC.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write machine and figures to this file.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw what the case `grow` found, as .png or .svg.")
def command(
    shards: Path, only: tuple[str, ...], json_file: Path | None, plot: Path | None, device: str, *, quick: bool, peers: bool
) -> None:
    """Measure what each station does per second on this machine, beside its limit.

    vdata bench --shards shards/sample/train --quick
    """
    from vdata.bench import Bench, run_cases
    from vdata.bench.run import machine
    from vdata.shards.info import shard_folders

    folder = shard_folders(shards)[0]
    figures = run_cases(Bench(folder, Path(), quick=quick, peers=peers, device=device), only)
    print_figures(figures)
    if json_file:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        document = {"machine": machine(), "shards": folder.name, "quick": quick, "cases": [asdict(figure) for figure in figures]}
        json_file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if plot:
        from vdata.bench.plot import plot_growth

        plot_growth(figures, plot)


def print_figures(figures: Sequence[Figure]) -> None:
    """Prints a table of figures."""
    from rich.console import Console
    from rich.table import Table

    table = Table("case", "variant", "median", "low - high", "ratio", "CPU s", box=None, pad_edge=False)
    for figure in figures:
        if figure.skipped:
            table.add_row(figure.name, figure.variant, "skipped", figure.skipped)
            continue
        ratios = [f"{value:.2f} x {name}" for name, value in figure.ratio_to.items()] or [""]
        interval = f"{figure.low:,.0f} - {figure.high:,.0f}"
        cells = (f"{figure.value:,.0f} {figure.unit}", interval, ratios[0], f"{figure.cpu_seconds:.2f}")
        table.add_row(figure.name, figure.variant, *cells)
        for ratio in ratios[1:]:
            table.add_row("", "", "", "", ratio)
        for key, value in figure.detail.items():
            table.add_row("", f"  {key}", f"{value:,.2f}")
    Console().print(table)
