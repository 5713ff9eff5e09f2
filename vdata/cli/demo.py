"""`vdata demo`: from nothing to a trained network on the generated dataset, in one command."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

__all__ = ["command"]

BENCH_CASES = ("motion", "load")
"""Those that take the given clips as they are; others build first, which takes minutes."""
SPLITS = ("train", "test")


@click.command("demo")
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Folder for all of it.")
@click.option("--steps", type=int, default=300, show_default=True, help="Training steps.")
@click.option("--scale", type=click.Choice(["full", "tiny"]), default="full", show_default=True, help="Size of the dataset.")
def command(out: Path, steps: int, scale: str) -> None:
    """Build the sample dataset, verify it, bench it, train SimCLR on it and measure what was learnt.

    vdata demo --out demo
    """
    start = time.monotonic()
    shards, run = out / "shards", out / "run"
    _build(shards, scale)
    _verify(shards)
    _bench(shards)
    _train(shards, run, steps)
    _eval(shards, run)
    click.echo(f"\n{time.monotonic() - start:.0f} s in all. {_next(shards)}")


_NEXT = """What to type next, with your own videos:

  {bin}vdata build --dataset folder --root /path/to/videos --out shards/mine    (sub-folder = label; `vdata list`: other layouts)
  {bin}vdata info shards/mine
  {bin}vdata bench --shards shards/mine
  {bin}vdata train --method simclr --shards shards/mine --out runs/mine --steps 2000
  {bin}tensorboard --logdir runs/mine

In your own code:

  from pipelines import ClipIterator
  for batch in ClipIterator("{shards}/train", method="simclr", batch_size=32): ..."""


def _next(shards: Path) -> str:
    """What to type next, with the folder of the program as it was typed."""
    folder = Path(sys.argv[0]).parent
    return _NEXT.format(bin="" if folder == Path() else f"{folder}/", shards=shards)


def _title(text: str) -> None:
    click.secho(f"\n{text}", bold=True)


def _build(shards: Path, scale: str) -> None:
    from vdata.builder import build, resolve
    from vdata.cli._progress import BuildProgress
    from vdata.cli.build import print_report

    _title(f"1. Build: raw videos -> {shards}")
    config = resolve("sample", settings={"sample": {"scale": scale}})
    with BuildProgress(quiet=False) as progress:
        report = build(config, shards / "source", shards, SPLITS, watches=[progress])
    print_report(report)


def _verify(shards: Path) -> None:
    from vdata.errors import CorruptShardError
    from vdata.shards.verify import verify

    _title("2. Verify: every byte against its hash, every clip decoded")
    for split in SPLITS:
        report = verify(shards / split, decode=True)
        click.echo(f"{split}: {report.clips} clips in {report.shards} shards, {len(report.damaged)} damaged")
        if not report.ok:
            raise CorruptShardError(str(report.damaged[0]))


def _bench(shards: Path) -> None:
    from vdata.bench import Bench, run_cases
    from vdata.cli.bench import print_figures

    _title("3. Bench: what this machine does (rough; `vdata bench` has more cases and takes its time)")
    print_figures(run_cases(Bench(shards / "train", Path(), quick=True), BENCH_CASES))


def _train(shards: Path, run: Path, steps: int) -> None:
    from pipelines import ClipIterator
    from vdata.cli.train import print_record
    from vdata.recipes import train_config
    from vdata.train import train

    _title(f"4. Train: SimCLR, {steps} steps, no labels -> {run}")
    config = train_config("simclr", "small", {"steps": steps, "log_every": 50})
    with ClipIterator(shards / "train", views=config.views, batch_size=config.batch_size, seed=config.seed) as batches:
        train(config, batches, run, on_record=print_record)


def _eval(shards: Path, run: Path) -> None:
    from vdata.checkpoint import load_backbone, load_checkpoint
    from vdata.cli.eval import knn_of
    from vdata.evaluate import evaluation_view
    from vdata.nn.backbones import make_backbone
    from vdata.recipes import train_config

    _title("5. Evaluate: which motion does a test video show? Its nearest training videos vote (chance: 17 %)")
    config = train_config("simclr", "small")
    folders = shards / "train", shards / "test"
    networks = {
        "untrained": make_backbone(config.backbone, config.seed),
        "trained": load_backbone(load_checkpoint(run / "checkpoint.pt")),
    }
    for name, backbone in networks.items():
        found = knn_of(backbone, evaluation_view(config.views), folders, ("label", "scene"))
        click.echo(f"{name:<10} motion {100 * found['label']:5.1f} %   scene {100 * found['scene']:5.1f} %")
