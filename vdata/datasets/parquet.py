"""Any table of videos as Parquet: `--root TABLE.parquet`, a video or a part of one a row, as pandas and Spark write it.

Columns as those of `csv`: `path` (or `url`), start, end, label, caption, tags, split, id; any other becomes text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vdata.datasets import DATASETS, About
from vdata.datasets._files import fail_file
from vdata.datasets._tables import BadRow, Cells, TableConfig, VideoTable
from vdata.errors import ConfigError

__all__ = ["ParquetConfig", "ParquetTable"]

_LAYOUT = """ROOT is one Parquet file, or a folder that has one:
  path string, start double, end double, label string or int or list, caption string, tags list, split string, id string
"""
_BATCH_ROWS = 4096
_TICKS = {"s": 1e0, "ms": 1e3, "us": 1e6, "ns": 1e9}
"""Of a second."""


@dataclass(frozen=True)
class ParquetConfig(TableConfig):
    """How the file is read."""


@DATASETS.add("parquet")
class ParquetTable(VideoTable):
    """The rows of a file, as those of `csv`.

    A list is several labels or tags; numbers that pandas has made floats (3.0) are whole again; of any other column, lists and
    structs are kept as JSON text, durations as seconds, and bytes are left out.
    """

    Config: ClassVar[type] = ParquetConfig
    name: ClassVar[str] = "parquet"
    extensions: ClassVar[tuple[str, ...]] = (".parquet",)
    counted: ClassVar[str] = "row"
    about: ClassVar[About] = About(_LAYOUT)

    def read(self, path: Path) -> Iterator[tuple[int, Cells | BadRow]]:
        """Number from 1 and cells of every row.

        Raises:
            ConfigError: it is no Parquet file, has two columns of one name, or one that cannot be read.
        """
        try:
            with pq.ParquetFile(path) as file:
                # Pictures or features in binary columns would be gigabytes, and are not text.
                names = [field.name for field in file.schema_arrow if not _is_binary(field.type)]
                if twice := next((name for name in names if names.count(name) > 1), ""):
                    fail_file("parquet", path, f"the column '{twice}' twice", "each must have a name of its own")
                number = 0
                for batch in file.iter_batches(_BATCH_ROWS, columns=names):
                    rows = zip(*(_values(path, name, batch[name]) for name in names), strict=True)
                    for number, row in enumerate(rows, start=number + 1):  # noqa: B020 - it counts on
                        yield number, dict(zip(names, row, strict=True))
        except ConfigError:  # which is a ValueError
            raise
        except (pa.ArrowException, OSError, ValueError) as error:
            fail_file("parquet", path, str(error).splitlines()[0], "it must be a whole Parquet file")


def _values(path: Path, name: str, column: pa.Array) -> list[Any]:
    """The values of a column; what is about time as text, since Python has no nanoseconds and only the years 1 to 9999.

    Raises:
        ConfigError: there are such values within lists or structs.
    """
    try:
        return list((_as_text(column) if pa.types.is_temporal(column.type) else column).to_pylist())
    except (pa.ArrowException, ValueError, OverflowError) as error:
        found = f"the column '{name}' ({column.type}): {error}"
        return fail_file("parquet", path, found, "it must hold what Python can: leave it out, or write it as text")


def _as_text(times: pa.Array) -> pa.Array:
    """Times as text, durations as seconds."""
    if pa.types.is_duration(times.type):
        return pc.divide(times.view(pa.int64()).cast(pa.float64(), safe=False), _TICKS[times.type.unit])
    try:
        return times.cast(pa.string())
    except pa.ArrowInvalid:  # a time zone that Arrow does not know: the moment is known without it
        return times.view(pa.timestamp(times.type.unit, "UTC")).cast(pa.string())


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))
