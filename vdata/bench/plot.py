"""A figure of how the loader grows, from what bench/grow.py found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vdata.bench.timing import Figure
from vdata.errors import ConfigError, MissingExtraError

__all__ = ["growth_lines", "plot_growth"]


def growth_lines(figures: Sequence[Figure]) -> dict[str, list[tuple[int, float]]]:
    """By what is measured, pairs of a number of clips and a value, ascending: clips/s, seconds and MB.

    Raises:
        ConfigError: the case `grow` is not among the figures.
    """
    lines: dict[str, list[tuple[int, float]]] = {}
    for figure in figures:
        if figure.name != "grow" or figure.skipped:
            continue
        what, _, count = figure.variant.partition(" ")
        shown = {"clips/s": figure.value} if what == "load" else figure.detail if what == "open" else {}
        for name, value in shown.items():
            lines.setdefault(name, []).append((int(count), value))
    if not lines:
        raise ConfigError("--plot draws the case 'grow': run it too, as `vdata bench --only grow --plot FILE`")
    return {name: sorted(points) for name, points in lines.items()}


def plot_growth(figures: Sequence[Figure], path: Path) -> None:
    """Writes the figure; the file's extension says as what, .png or .svg.

    Raises:
        ConfigError: as growth_lines.
        MissingExtraError: matplotlib is not there.
    """
    try:
        from matplotlib.figure import Figure as Drawing  # noqa: PLC0415 - for developers' figures alone
    except ImportError as error:
        raise MissingExtraError("--plot", "matplotlib", "pip install matplotlib") from error
    lines = growth_lines(figures)
    drawing = Drawing(figsize=(12, 3.6), layout="constrained")
    panels = {"clips/s": ("clips/s",), "seconds": ("open seconds", "shuffle seconds"), "MB": ("open MB", "own MB", "peak MB")}
    for axes, (title, names) in zip(drawing.subplots(1, len(panels)), panels.items(), strict=True):
        for name in names:
            axes.plot(*zip(*lines.get(name, [(1, 0.0)]), strict=True), marker="o", label=name.removesuffix(f" {title}"))
        axes.set(xscale="log", xlabel="clips in the index", title=title, ylim=(0, None))
        axes.grid(alpha=0.3)
        if len(names) > 1:
            axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(path)
