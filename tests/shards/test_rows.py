import pytest

from vdata.errors import CorruptShardError, SchemaMismatchError
from vdata.shards.rows import read_counts, read_rows, write_rows


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
