"""Fields that were added to a shard after it was built, made once more: what `repair` needs beside the build itself."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from vdata.builder.add import added_orders
from vdata.builder.add_task import AddOrder
from vdata.builder.config import RunConfig
from vdata.builder.on_ray import run_orders
from vdata.builder.plan import Plan
from vdata.builder.task import Order
from vdata.errors import CorruptShardError
from vdata.extract import EXTRACTORS
from vdata.media.url import Root
from vdata.shards.amend import FieldWriter
from vdata.shards.dataset_json import DatasetJson
from vdata.shards.layout import ROWS, TAR, shard_files, shard_name
from vdata.shards.rows import read_added

__all__ = ["AddedFields"]


class AddedFields:
    """The added fields of the shards of one folder."""

    def __init__(self, folder: Path, content: DatasetJson, plan: Plan, root: Root) -> None:
        """Takes the folder's own files, which must be sound."""
        self._folder, self._content, self._plan, self._root = folder, content, plan, root

    def lost(self, shard: int, damaged: AbstractSet[str]) -> list[str]:
        """The fields of a shard that are damaged and that no extractor makes, as `features`: their own command must."""
        if shard_name(shard) + ROWS in damaged:
            # Whether the shard had them nobody can say: it is built without, and the build tells which shards lack a field.
            return []
        return [name for name in self._names(shard) if name not in EXTRACTORS and not self._is_whole(shard, name, damaged)]

    def alone(self, shard: int, damaged: AbstractSet[str]) -> bool:
        """Whether tars of added fields are all that is damaged in a shard."""
        return bool(damaged) and damaged <= {_tar(shard, name) for name in self._names(shard)}

    def link_whole(self, shard: int, damaged: AbstractSet[str], place: Path) -> None:
        """Links the files of a shard that are whole into `place`."""
        for found, _, path in shard_files(self._folder):
            if found == shard and path.name not in damaged:
                os.link(path, place / path.name)

    def add(self, orders: Sequence[Order], damaged: Mapping[int, AbstractSet[str]], run: RunConfig) -> None:
        """Gives each shard, which lies in its order's folder, the fields that it had, in the order in which it got them.

        Those whose members are whole are copied, the others made again.
        """
        waiting = {order.shard: self._names(order.shard) for order in orders}
        while any(waiting.values()):
            due = []
            for order in orders:
                if waiting[order.shard]:
                    due += self._next(order, waiting[order.shard].pop(0), damaged[order.shard])
            for _ in run_orders(due, run):
                pass

    def _next(self, order: Order, name: str, damaged: AbstractSet[str]) -> list[AddOrder]:
        """The order that makes one field again; none where it is there, or has been copied."""
        if not self._is_whole(order.shard, name, damaged):
            return added_orders(order.folder, order.shard, self._content, self._plan, self._root, self._note(order.shard, name))
        if name not in read_added(order.folder, order.shard):
            FieldWriter.copying(self._folder, order.folder, order.shard, name).commit()
        return []

    def _is_whole(self, shard: int, name: str, damaged: AbstractSet[str]) -> bool:
        """Whether the rows and the tar that hold a field are."""
        return not damaged & {shard_name(shard) + ROWS, _tar(shard, name)}

    def _note(self, shard: int, name: str) -> dict[str, Any]:
        """With what a field was made, by its name: by the rows, for dataset.json may have newer settings; empty for none's."""
        if name not in EXTRACTORS:
            return {}
        try:
            return {name: read_added(self._folder, shard)[name]}
        except (CorruptShardError, FileNotFoundError):
            return {name: self._content.added[name]}

    def _names(self, shard: int) -> list[str]:
        """The fields of a shard by its rows; where those are lost, all that were ever added."""
        try:
            return [*read_added(self._folder, shard)]
        except (CorruptShardError, FileNotFoundError):
            return [*self._content.added]


def _tar(shard: int, name: str) -> str:
    return f"{shard_name(shard)}.{name}{TAR}"
