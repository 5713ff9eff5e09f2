"""Any table of videos as Parquet: `--root TABLE.parquet`, a video or a part of one a row, as pandas and Spark write it.

Columns as those of `csv`: `path` (or `url`), start, end, label, caption, tags, split, id; any other becomes text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from vdata.datasets import DATASETS, About
from vdata.datasets._files import fail_file
from vdata.datasets._tables import BadRow, Cells, TableConfig, VideoTable

__all__ = ["ParquetConfig", "ParquetTable"]

_LAYOUT = """ROOT is one Parquet file, or a folder that has one:
  path string, start double, end double, label string or int or list, caption string, tags list, split string, id string
"""
_BATCH_ROWS = 4096


@dataclass(frozen=True)
class ParquetConfig(TableConfig):
    """How the file is read."""


@DATASETS.add("parquet")
class ParquetTable(VideoTable):
    """The rows of a file, as those of `csv`.

    A list is several labels or tags; numbers that pandas has made floats (3.0) are whole again; of any other column, lists and
    structs are kept as JSON text, and bytes are left out.
    """

    Config: ClassVar[type] = ParquetConfig
    name: ClassVar[str] = "parquet"
    extensions: ClassVar[tuple[str, ...]] = (".parquet",)
    counted: ClassVar[str] = "row"
    about: ClassVar[About] = About(_LAYOUT)

    def read(self, path: Path) -> Iterator[tuple[int, Cells | BadRow]]:
        """Number from 1 and cells of every row.

        Raises:
            ConfigError: it is no Parquet file.
        """
        try:
            with pq.ParquetFile(path) as file:
                # Pictures or features in binary columns would be gigabytes, and are not text.
                names = [field.name for field in file.schema_arrow if not _is_binary(field.type)]
                number = 0
                for batch in file.iter_batches(_BATCH_ROWS, columns=names):
                    for number, cells in enumerate(batch.to_pylist(), start=number + 1):  # noqa: B020 - it counts on
                        yield number, cells
        except (pa.ArrowException, OSError, ValueError) as error:
            fail_file("parquet", path, str(error).splitlines()[0], "it must be a whole Parquet file")


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))
