import random

import pytest

from vdata.errors import CorruptShardError, SchemaMismatchError, ShardError
from vdata.shards.rows import read_counts, read_rows, read_schema, write_rows


def test_counts_travel_with_the_rows(shard_folder):
    path = shard_folder / "clips-000000.parquet"
    table = read_rows(shard_folder, 0)
    assert read_counts(shard_folder, 0) == {}
    write_rows(path, table, {"built": 3, "failed": 1})
    assert read_counts(shard_folder, 0) == {"built": 3, "failed": 1}
    assert read_rows(shard_folder, 0).equals(table)


def test_named_columns(shard_folder):
    assert read_rows(shard_folder, 1, ["label"]).to_pydict() == {"label": [1, 2]}
    with pytest.raises(SchemaMismatchError, match="no column 'pid'"):
        read_rows(shard_folder, 1, ["label", "pid"])


@pytest.mark.parametrize("position", [10, -30, -6])
def test_damage_is_an_error_that_names_the_shard(shard_folder, position):
    path = shard_folder / "clips-000000.parquet"
    content = bytearray(path.read_bytes())
    content[position] ^= 0xFF
    path.write_bytes(content[:-20] if position == -30 else content)
    with pytest.raises(CorruptShardError, match="clips-000000"):
        read_rows(shard_folder, 0)


@pytest.mark.parametrize("parquet", [False, True])
def test_no_damage_of_a_footer_gives_another_error(write_shards, tmp_path, parquet):
    path = write_shards(tmp_path, parquet=parquet) / "clips-000000.parquet"
    if not parquet:
        write_rows(path, read_rows(tmp_path, 0), {"built": 3, "reasons": {"truncated": 1}})
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    places, found = random.Random(0), 0
    for _ in range(300):
        content = bytearray(whole)
        content[places.randrange(footer, len(whole))] = places.randrange(256)
        path.write_bytes(content)
        for read in (read_rows, read_counts, read_schema):
            try:
                read(tmp_path, 0)
            except ShardError:
                found += 1
    assert found > 100
