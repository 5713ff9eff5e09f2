"""Station 4, write: samples into tars with an index, and the reading of finished shards."""

from __future__ import annotations

from vdata.shards.index import Index, open_index, write_index
from vdata.shards.keys import clip_key
from vdata.shards.layout import clear_leftovers, committed_shards
from vdata.shards.read import Sample, Shards, open_shards
from vdata.shards.schema import FORMAT_VERSION, clip_columns, row_schema
from vdata.shards.write import ShardCounts, ShardWriter, merge_errors

__all__ = [
    "FORMAT_VERSION",
    "Index",
    "Sample",
    "ShardCounts",
    "ShardWriter",
    "Shards",
    "clear_leftovers",
    "clip_columns",
    "clip_key",
    "committed_shards",
    "merge_errors",
    "open_index",
    "open_shards",
    "row_schema",
    "write_index",
]
