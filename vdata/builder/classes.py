"""The class lists that a build keeps with its shards."""

from __future__ import annotations

from pathlib import Path

from vdata.builder.config import BuildConfig
from vdata.builder.plan import Plan
from vdata.datasets import DATASETS, Classes
from vdata.datasets._layout import names_by_index
from vdata.media.url import Root

__all__ = ["classes_of"]


def classes_of(config: BuildConfig, root: Root, plan: Plan) -> Classes:
    """The dataset's own lists; `label`, where it has none, by the names and indices of the planned videos.

    Raises:
        ConfigError: an annotation file below the root cannot be read.
    """
    dataset = DATASETS[config.dataset](config.own[config.dataset])
    own = dataset.classes(root) if isinstance(root, Path) else {}
    named = {item.video.label_name: item.video.label for item in plan.videos if item.video.label_name}
    return own if "label" in own or not named else {"label": names_by_index(named), **own}
