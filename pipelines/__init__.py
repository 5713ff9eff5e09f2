"""Station 5, load: shards become batches of torch tensors, through one DALI graph on CPU and GPU."""

from __future__ import annotations

from pipelines.batches import LoaderConfig
from pipelines.iterator import ClipIterator

__all__ = ["ClipIterator", "LoaderConfig"]
