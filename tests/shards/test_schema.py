import pyarrow as pa
import pytest

from vdata.errors import ConfigError
from vdata.records import Column
from vdata.shards import row_schema
from vdata.shards.schema import COLUMNS, error_schema, schema_version

NAMES = [
    *("key", "index", "video_id", "video_index", "clip_in_video", "dataset", "split", "splits", "label", "labels", "label_name"),
    *("has_audio", "source", "start_seconds", "end_seconds", "fps_num", "fps_den", "num_frames", "width", "height", "picture"),
    *("source_width", "source_height", "codec", "structure", "gop", "fields", "init_size", "fragments", "members"),
]


def test_the_common_columns_are_those_of_the_format_in_order():
    assert row_schema().names == NAMES
    types = {column.name: str(column.type) for column in COLUMNS}
    assert (types["index"], types["label"], types["fps_den"], types["init_size"]) == ("int64", "int32", "int32", "int64")
    assert pa.types.is_struct(row_schema().field("picture").type)


def test_declared_columns_follow_and_may_not_clash():
    pid, camid = Column("pid", pa.int32(), "Person."), Column("camid", pa.int32(), "Camera.")
    assert row_schema([pid], [camid]).names == [*NAMES, "pid", "camid"]
    for clash in (pid, Column("label", pa.string(), "")):
        with pytest.raises(ConfigError, match=f"{clash.name}.*twice"):
            row_schema([pid], [clash])


def test_schemas_carry_the_version():
    assert schema_version(row_schema()) == schema_version(error_schema()) == "1"
    assert schema_version(pa.schema([])) == "unknown"
