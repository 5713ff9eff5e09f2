"""`vdata train`: a method on shards."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import click

from vdata.cli._settings import set_option, where_option
from vdata.config import assign, check, merge

__all__ = ["command", "print_record"]


@click.command("train")
@click.option("--method", required=True, help="Name of the method: `vdata list` prints them.")
@click.option("--shards", required=True, help="Folder of shards to train on, or its URL.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder of the run; a run that is there is continued."
)
@click.option("--config", "recipe", default="small", show_default=True, help="`small`, `paper`, or a TOML file.")
@click.option("--steps", type=int, help="Steps, over the recipe's.")
@click.option("--batch-size", type=int, help="Samples a step over all ranks, over the recipe's.")
@click.option("--device", help="`cpu` or `cuda`, over the recipe's.")
@click.option(
    "--on-error",
    type=click.Choice(["raise", "skip"]),
    default="raise",
    show_default=True,
    help="What a damaged clip does: end the run, or have another in its place.",
)
@where_option
@set_option
def command(
    method: str,
    shards: str,
    out: Path,
    recipe: str,
    steps: int | None,
    batch_size: int | None,
    device: str | None,
    on_error: Literal["raise", "skip"],
    where: str | None,
    assignments: tuple[str, ...],
) -> None:
    """Train a method. Writes OUT/metrics.jsonl, OUT/tensorboard and OUT/checkpoint.pt.

    vdata train --method simclr --shards shards/sample/train --out runs/simclr
    """
    from pipelines import ClipIterator
    from vdata.recipes import train_config
    from vdata.train import train

    flags = {"steps": steps, "batch_size": batch_size, "device": device}
    given = {name: value for name, value in flags.items() if value is not None}
    over = assign(assignments)
    for name in ("settings", "method"):
        check(
            name not in over, f"--set {name}", over.get(name), f"is not set by that name: settings of the method are {method}.KEY"
        )
    config = train_config(method, recipe, merge(given, over))
    with ClipIterator(
        shards,
        views=config.views,
        batch_size=config.rank_batch_size,
        device=config.device,
        seed=config.seed,
        where=where,
        on_error=on_error,
    ) as batches:
        path = train(config, batches, out, on_record=print_record)
    click.echo(f"trained {config.steps} steps: {path}")
    above = Path(shards).parent
    if (above / "test").is_dir():
        click.echo(f"{sys.argv[0]} eval --task knn --checkpoint {path} --shards {above}    measures it")


def print_record(record: Mapping[str, Any]) -> None:
    """Prints one line of metrics."""
    speed = f"{record['samples_per_second']:.0f} samples/s, {100 * record['wait_share']:.0f} % waiting for data"
    click.echo(f"step {record['step']:>6}  loss {record['loss']:.4f}  {speed}")
