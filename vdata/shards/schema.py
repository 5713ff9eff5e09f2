"""What a row says: the columns of the format, in order, and the schemas made of them.

Writer, index, reader and shards/README.md take the columns from here, so this file is the one to change with FORMAT_VERSION.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal, get_args

import pyarrow as pa

from vdata.config import check
from vdata.errors import SchemaMismatchError
from vdata.media.clip import EncodedClip
from vdata.records import Column

__all__ = [
    "COLUMNS",
    "ERROR_COLUMNS",
    "FORMATS",
    "FORMAT_VERSION",
    "Format",
    "cell_names",
    "check_version",
    "clip_columns",
    "error_schema",
    "member_entry",
    "row_schema",
    "with_cells",
    "without_cells",
]

Format = Literal["tar", "parquet"]
"""Where the members of a shard's samples are: in a tar beside the row file, or in binary columns of it."""
FORMATS: tuple[Format, ...] = get_args(Format)

FORMAT_VERSION = 1
"""The number that a reader compares; it changes when a file of an older reader's format would be misread."""

_VERSION_KEY = b"vdata_format_version"

PICTURE = pa.struct([("x", pa.int32()), ("y", pa.int32()), ("width", pa.int32()), ("height", pa.int32())])
FRAGMENT = pa.struct([("first_frame", pa.int32()), ("offset", pa.int64()), ("size", pa.int64())])
MEMBER = pa.struct(
    [("name", pa.string()), ("file", pa.string()), ("offset", pa.int64()), ("size", pa.int64()), ("sha256", pa.string())]
)

CELL = pa.binary()
"""The type of a column that holds members, and of no other."""

COLUMNS = (
    Column("key", pa.string(), "The sample's name, in a tar too: letters, digits, `_` and `-` only. Unique in the folder."),
    Column("index", pa.int64(), "The clip's number in the plan's order: stable, never given to another clip."),
    Column("video_id", pa.string(), "The video, as the dataset names it; all its clips share it."),
    Column("video_index", pa.int64(), "The video's number in the plan's order."),
    Column("clip_in_video", pa.int32(), "0 for a video's first clip."),
    Column("dataset", pa.string(), "The name after `--dataset`."),
    Column("split", pa.string(), "The split that was built; empty where a dataset has none."),
    Column("splits", pa.list_(pa.string()), "Every official list that names the video, as `train1`, `test2`."),
    Column("label", pa.int32(), "Class index; -1 for none."),
    Column("labels", pa.list_(pa.int32()), "Class indices where a video has several."),
    Column("label_name", pa.string(), "The class as its owners spell it."),
    Column("has_audio", pa.bool_(), "Whether the source has an audio stream."),
    Column("source", pa.string(), "Path of the source below the dataset's root, or its URL; what is no UTF-8 is escaped."),
    Column("start_seconds", pa.float64(), "Where the clip starts in the source."),
    Column("end_seconds", pa.float64(), "Where it ends."),
    Column("fps_num", pa.int32(), "Frames a second, numerator."),
    Column("fps_den", pa.int32(), "Frames a second, denominator."),
    Column("num_frames", pa.int32(), "Frames that a decoder returns; 0 for a row without a video."),
    Column("width", pa.int32(), "Coded width, the canvas, in pixels."),
    Column("height", pa.int32(), "Coded height, in pixels."),
    Column("picture", PICTURE, "The part of the canvas that holds the video, in pixels; the rest is edge padding."),
    Column("source_width", pa.int32(), "Width of the source as shown, in pixels."),
    Column("source_height", pa.int32(), "Height of the source as shown, in pixels."),
    Column("codec", pa.string(), "`h264`; empty for a row without a video."),
    Column(
        "structure",
        pa.string(),
        "The frame structure: `ip` is I P P P, each P with the frame before as its reference; `ibbbp` is I BBBP BBBP in display "
        "order, where no B is a reference and the last frame of a GOP is a P.",
    ),
    Column("gop", pa.int32(), "Frames from one keyframe to the next."),
    Column("fields", pa.list_(pa.string()), "Names of the fields that were extracted."),
    Column("init_size", pa.int64(), "Bytes of the MP4 before its first fragment."),
    Column("fragments", pa.list_(FRAGMENT), "One for each GOP: its first frame, and its bytes within the MP4."),
    Column(
        "members",
        pa.list_(MEMBER),
        "One for each member of the sample: its extension, the file that holds it, where its bytes start there, size, hash.",
    ),
)
"""The columns that every row has, in the order in which they are stored. No value is null."""

ERROR_COLUMNS = (
    Column("source", pa.string(), "Path below the dataset's root, or a URL, as in the rows."),
    Column("video_id", pa.string(), "The video, where the listing could name one."),
    Column("key", pa.string(), "The clip; null when the whole video failed."),
    Column(
        "stage", pa.string(), "`list`, `cut`, `extract` or `write`; `add NAME` where the clip stands and lacks an added field."
    ),
    Column("reason", pa.string(), "A short code to count by."),
    Column("message", pa.string(), "One sentence for a person."),
    Column("tail", pa.string(), "ffmpeg's last words."),
    Column("shard", pa.string(), "The shard whose task met it, as `clips-000000`; empty for stage `list`."),
    Column("retryable", pa.bool_(), "Whether another try may end otherwise (time, memory, disk)."),
)
"""The columns of errors.parquet."""


def row_schema(
    dataset_columns: Sequence[Column] = (), extractor_columns: Sequence[Column] = (), cells: Sequence[str] = ()
) -> pa.Schema:
    """The schema of a row file: the common columns, then the dataset's, then the extractors'; with `cells`, see with_cells.

    Raises:
        ConfigError: two columns have one name, or a declared one is binary, by which members are known.
    """
    columns = (*COLUMNS, *dataset_columns, *extractor_columns)
    names = [column.name for column in columns]
    for column in columns:
        once = names.count(column.name) == 1
        check(once, "columns", column.name, "is declared twice: rename it in the dataset or the extractor")
        check(column.type != CELL, "columns", column.name, "is binary: bytes are members, not columns")
    return with_cells(_schema(columns), cells)


def with_cells(schema: pa.Schema, exts: Sequence[str]) -> pa.Schema:
    """The schema of a Parquet shard: a binary column for every member that a sample may have, by extension; null for none.

    They stand before `members`, whose offsets say where they lie: see vdata.shards.cells.

    Raises:
        ConfigError: an extension is also a column.
    """
    own = without_cells(schema)
    for ext in exts:
        check([*own.names, *exts].count(ext) == 1, "cells", ext, "is a column already: rename it in the extractor")
    fields, place = list(own), own.get_field_index("members")
    return pa.schema([*fields[:place], *(pa.field(ext, CELL) for ext in exts), *fields[place:]], metadata=schema.metadata)


def cell_names(schema: pa.Schema) -> list[str]:
    """The columns that hold members; none where the members are in tars."""
    return [field.name for field in schema if field.type == CELL]


def without_cells(schema: pa.Schema) -> pa.Schema:
    """The schema of the row alone."""
    return pa.schema([field for field in schema if field.type != CELL], metadata=schema.metadata)


def error_schema() -> pa.Schema:
    """The schema of errors.parquet and its parts."""
    return _schema(ERROR_COLUMNS)


def check_version(version: object, where: object) -> None:
    """Nothing, or the error of files that another version of vdata wrote.

    Raises:
        SchemaMismatchError: `version` is not FORMAT_VERSION.
    """
    if str(version) != str(FORMAT_VERSION):
        raise SchemaMismatchError(
            f"'{where}' has shard format version {version}, this vdata reads version {FORMAT_VERSION}: "
            "use the vdata that wrote it, or build it anew"
        )


def schema_version(schema: pa.Schema) -> str:
    """The format version that a row file's schema carries; "unknown" where it carries none."""
    version: bytes = (schema.metadata or {}).get(_VERSION_KEY, b"unknown")
    return version.decode()


def clip_columns(clip: EncodedClip) -> dict[str, Any]:
    """The columns that follow from the clip itself; the rest comes from the plan, the dataset and the extractors."""
    picture = clip.picture
    return {
        "clip_in_video": clip.clip_in_video,
        "has_audio": clip.has_audio,
        "start_seconds": clip.start_seconds,
        "end_seconds": clip.end_seconds,
        "fps_num": clip.fps.numerator,
        "fps_den": clip.fps.denominator,
        "num_frames": clip.num_frames,
        "width": clip.width,
        "height": clip.height,
        "picture": {"x": picture.x, "y": picture.y, "width": picture.width, "height": picture.height},
        "source_width": clip.source_width,
        "source_height": clip.source_height,
        "codec": clip.codec,
        "structure": clip.structure,
        "gop": clip.gop,
        "init_size": clip.init_size,
        "fragments": [{"first_frame": f.first_frame, "offset": f.offset, "size": f.size} for f in clip.fragments],
    }


def member_entry(ext: str, file: str, offset: int, content: bytes) -> dict[str, Any]:
    """One entry of the column `members`."""
    return {"name": ext, "file": file, "offset": offset, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _schema(columns: Sequence[Column]) -> pa.Schema:
    fields = [pa.field(column.name, column.type) for column in columns]
    return pa.schema(fields, metadata={_VERSION_KEY: str(FORMAT_VERSION).encode()})
