"""The class lists that a build keeps with its shards."""

from __future__ import annotations

from pathlib import Path

from vdata.builder.config import BuildConfig
from vdata.builder.plan import Plan
from vdata.config import check
from vdata.datasets import DATASETS, Classes
from vdata.datasets._layout import names_by_index
from vdata.media.url import Root

__all__ = ["classes_of", "own_classes"]


def own_classes(config: BuildConfig, root: Root) -> Classes:
    """The class lists that the dataset itself has; none for a root on another machine.

    Raises:
        ConfigError: an annotation file below the root cannot be read.
    """
    dataset = DATASETS[config.dataset](config.own[config.dataset])
    return dataset.classes(root) if isinstance(root, Path) else {}


def classes_of(own: Classes, plan: Plan) -> Classes:
    """The dataset's own lists; `label`, where it has none, by the names and indices of the planned videos.

    Raises:
        ConfigError: a planned video has a class that its number does not stand for: the shards would contradict classes.json.
    """
    named = {item.video.label_name: item.video.label for item in plan.videos if item.video.label_name and item.video.label >= 0}
    if "label" not in own:
        return {"label": names_by_index(named), **own} if named else own
    names = own["label"]
    for name, label in named.items():
        stands_for = names[label] if label < len(names) else ""
        check(stands_for == name, "label", label, f"must stand for '{name}', but is '{stands_for}' in the class list: {_WAY_OUT}")
    return own


_WAY_OUT = "the annotations have changed since these shards were planned; build into a new --out"
