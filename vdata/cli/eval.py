"""`vdata eval`: what a checkpoint's features are worth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from vdata.cli._settings import json_option, split_names

if TYPE_CHECKING:
    from vdata.nn.backbones import Backbone
    from vdata.views import Clip

__all__ = ["command", "knn_of"]

_WINDOWS = 64


@click.command("eval")
@click.option("--task", type=click.Choice(["knn"]), default="knn", show_default=True)
@click.option("--checkpoint", type=click.Path(path_type=Path), required=True, help="RUN/checkpoint.pt of `vdata train`.")
@click.option("--shards", required=True, help="Folder with the splits' shards, or its URL.")
@click.option("--gallery", default="train", show_default=True, help="Split whose labels vote.")
@click.option("--queries", default="test", show_default=True, help="Split that is asked.")
@click.option("--labels", default="label", show_default=True, help="Integer columns to predict, as `label,scene`.")
@click.option("--sampling", default="centre", show_default=True, help="`centre`, or `uniform:10` for 10 windows of every video.")
@click.option("--crop", type=click.Choice(["one", "three"]), default="one", show_default=True, help="Crops of every window.")
@click.option("--untrained", is_flag=True, help="Measure the same network with its first weights too.")
@click.option("--device", default="cpu", show_default=True)
@json_option
def command(
    task: str,
    checkpoint: Path,
    shards: str,
    gallery: str,
    queries: str,
    labels: str,
    device: str,
    sampling: str,
    crop: Literal["one", "three"],
    *,
    untrained: bool,
    as_json: bool,
) -> None:
    """Measure a checkpoint: accuracy of the nearest neighbours, a video counted once.

    Features are averaged over the windows, crops and clips of a video.

    vdata eval --task knn --checkpoint runs/simclr/checkpoint.pt --shards shards/sample --labels label,scene
    """
    from vdata.checkpoint import load_backbone, load_checkpoint
    from vdata.evaluate import evaluation_view
    from vdata.nn.backbones import make_backbone
    from vdata.recipes import train_config

    saved = load_checkpoint(checkpoint)
    settings = dict(saved.config)
    method = settings.pop("method")
    config = train_config(method, None, {**settings, method: settings.pop("settings", {}), "device": device})
    backbones = {"trained": load_backbone(saved)}
    if untrained:
        backbones["untrained"] = make_backbone(config.backbone, config.seed)
    folders = f"{shards.rstrip('/')}/{gallery}", f"{shards.rstrip('/')}/{queries}"
    view = evaluation_view(config.views, sampling, crop)
    columns = split_names(labels)
    found = {name: knn_of(backbone, view, folders, columns, config.device) for name, backbone in backbones.items()}
    if as_json:
        protocol = {"task": task, "step": saved.step, "gallery": gallery, "queries": queries, "sampling": sampling, "crop": crop}
        click.echo(json.dumps(protocol | found))
        return
    for name, accuracies in found.items():
        for column, accuracy in accuracies.items():
            click.echo(f"{name:<10} {column:<10} {task} accuracy {100 * accuracy:5.1f} %  ({gallery} votes, {queries} asked)")


def knn_of(
    backbone: Backbone, view: Clip, folders: tuple[str | Path, str | Path], columns: tuple[str, ...], device: str = "cpu"
) -> dict[str, float]:
    """Accuracy by column: the first folder's clips vote on the second's, read as `view` says (see evaluation_view)."""
    from pipelines import ClipIterator
    from vdata.evaluate import knn_report

    # So many windows go through the network at once, whatever a clip has of them.
    # K windows are spread over a video; from the middle one is taken of every clip. Every process measures the whole.
    settings: dict[str, Any] = {
        "unit": "clip" if view.start == "centre" else "video",
        "rank": 0,
        "world_size": 1,
        "views": (view,),
        "batch_size": max(1, _WINDOWS // (view.num_windows * view.num_crops)),
        "device": device,
    }
    with (
        ClipIterator(folders[0], train=False, **settings) as gallery,
        ClipIterator(folders[1], train=False, **settings) as queries,
    ):
        return knn_report(backbone.to(device), gallery, queries, columns)
