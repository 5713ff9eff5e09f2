"""`vdata eval`: what a checkpoint's features are worth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vdata.cli._settings import json_option, split_names

if TYPE_CHECKING:
    from vdata.nn.backbones import Backbone
    from vdata.recipes import TrainConfig

__all__ = ["command", "knn_of"]


@click.command("eval")
@click.option("--task", type=click.Choice(["knn"]), default="knn", show_default=True)
@click.option("--checkpoint", type=click.Path(path_type=Path), required=True, help="RUN/checkpoint.pt of `vdata train`.")
@click.option("--shards", type=click.Path(path_type=Path), required=True, help="Folder with the splits' shards.")
@click.option("--gallery", default="train", show_default=True, help="Split whose labels vote.")
@click.option("--queries", default="test", show_default=True, help="Split that is asked.")
@click.option("--labels", default="label", show_default=True, help="Integer columns to predict, as `label,scene`.")
@click.option("--untrained", is_flag=True, help="Measure the same network with its first weights too.")
@click.option("--device", default="cpu", show_default=True)
@json_option
def command(
    task: str,
    checkpoint: Path,
    shards: Path,
    gallery: str,
    queries: str,
    labels: str,
    device: str,
    *,
    untrained: bool,
    as_json: bool,
) -> None:
    """Measure a checkpoint: accuracy of the nearest neighbours, a video counted once.

    vdata eval --task knn --checkpoint runs/simclr/checkpoint.pt --shards shards/sample --labels label,scene
    """
    from vdata.checkpoint import load_backbone, load_checkpoint
    from vdata.nn.backbones import make_backbone
    from vdata.recipes import train_config

    saved = load_checkpoint(checkpoint)
    settings = dict(saved.config)
    method = settings.pop("method")
    config = train_config(method, None, {**settings, method: settings.pop("settings", {}), "device": device})
    backbones = {"trained": load_backbone(saved)}
    if untrained:
        backbones["untrained"] = make_backbone(config.backbone, config.seed)
    folders = (shards / gallery, shards / queries)
    found = {name: knn_of(backbone, config, folders, split_names(labels)) for name, backbone in backbones.items()}
    if as_json:
        click.echo(json.dumps({"task": task, "step": saved.step, "gallery": gallery, "queries": queries, **found}))
        return
    for name, accuracies in found.items():
        for column, accuracy in accuracies.items():
            click.echo(f"{name:<10} {column:<10} {task} accuracy {100 * accuracy:5.1f} %  ({gallery} votes, {queries} asked)")


def knn_of(backbone: Backbone, config: TrainConfig, folders: tuple[Path, Path], columns: tuple[str, ...]) -> dict[str, float]:
    """Accuracy by column: the first folder's clips vote on the second's, read as the method's first view without augmentation."""
    from pipelines import ClipIterator
    from vdata.evaluate import evaluation_view, knn_report

    views = (evaluation_view(config.views),)
    backbone = backbone.to(config.device)
    with (
        ClipIterator(folders[0], views=views, batch_size=64, train=False, device=config.device) as gallery,
        ClipIterator(folders[1], views=views, batch_size=64, train=False, device=config.device) as queries,
    ):
        return knn_report(backbone, gallery, queries, columns)
