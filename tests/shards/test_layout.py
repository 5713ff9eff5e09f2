import contextlib

from vdata.shards.layout import clear_leftovers, committed_shards, discard, replacing, shard_name


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_shard_counts_by_its_row_file_alone(tmp_path):
    for name in ("clips-000002.parquet", "clips-1000000.parquet", "clips-000001.tar", "clips-000003.errors.parquet"):
        (tmp_path / name).touch()
    for name in ("clips-000004.parquet.1a.tmp", "errors.parquet", "plan.parquet", "clips-5.parquet"):
        (tmp_path / name).touch()
    assert committed_shards(tmp_path) == [2, 1000000]
    assert shard_name(1000000) == "clips-1000000"


def test_leftovers_go_and_the_rest_stays(tmp_path):
    kept = ["clips-000000.parquet", "clips-000000.tar", "clips-000000.flow.tar", "dataset.json", "errors.parquet", "index"]
    stale = [
        "clips-000001.tar",
        "clips-000001.idx",
        "clips-000001.errors.parquet",
        "clips-000000.parquet.1a.tmp",
        "dataset.json.2b.tmp",
    ]
    for name in kept[:-1] + stale:
        (tmp_path / name).touch()
    for name in ("index", "index.3c.tmp", ".tmp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    assert clear_leftovers(tmp_path) == sorted([*stale, "index.3c.tmp", ".tmp"])
    assert names(tmp_path) == sorted(kept)
    assert clear_leftovers(tmp_path) == []


def test_discard_takes_one_shard_with_its_sidecars(tmp_path):
    for shard in ("000001", "000010"):
        for suffix in (".parquet", ".tar", ".idx", ".errors.parquet", ".flow.tar"):
            (tmp_path / f"clips-{shard}{suffix}").touch()
    discard(tmp_path, 1)
    assert len(names(tmp_path)) == 5
    assert committed_shards(tmp_path) == [10]


def test_replacing_leaves_the_old_file_when_the_block_fails(tmp_path):
    path = tmp_path / "dataset.json"
    path.write_text("old")
    with contextlib.suppress(RuntimeError), replacing(path) as new:
        new.write_text("half")
        raise RuntimeError
    assert (path.read_text(), names(tmp_path)) == ("old", ["dataset.json"])
    with replacing(path) as new:
        new.write_text("new")
    assert (path.read_text(), names(tmp_path)) == ("new", ["dataset.json"])
