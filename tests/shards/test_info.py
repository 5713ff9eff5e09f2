import json
import shutil

import pyarrow as pa
import pytest

from vdata.errors import ShardError
from vdata.shards import write_index
from vdata.shards.info import describe, describe_folder, shard_folders
from vdata.shards.read import open_shards


def test_the_facts_are_those_of_the_rows(shard_folder):
    rows = [sample.row for sample in open_shards(shard_folder)]
    facts = describe_folder(shard_folder)
    assert facts["clips"] == len(rows)
    assert facts["videos"] == len({row["video_index"] for row in rows})
    assert facts["frames"] == sum(row["num_frames"] for row in rows)
    seconds = sum(row["num_frames"] * row["fps_den"] / row["fps_num"] for row in rows)
    assert facts["hours"] == pytest.approx(seconds / 3600, abs=1e-4)
    sizes = {}
    for row in rows:
        for member in row["members"]:
            if member["name"] != "json":
                sizes[member["name"]] = sizes.get(member["name"], 0) + member["size"]
    assert facts["megabytes"] == {name: pytest.approx(size / 1e6, abs=1e-3) for name, size in sizes.items()}
    assert sum(facts["coded_sizes"].values()) == len(rows)
    json.dumps(facts)


def test_a_filter_s_facts_are_those_of_its_clips(shard_folder, add_column):
    scores = {0: [0.1, 0.5, None, 0.25], 1: [4.0, 8.0]}
    for shard, values in scores.items():
        add_column(shard_folder, shard, "motion_score", pa.array(values, pa.float32()))
    rows = [sample.row for sample in open_shards(shard_folder) if (sample.row["motion_score"] or 0) > 0.2]
    facts = describe_folder(shard_folder, "motion_score > 0.2")
    assert (facts["clips"], facts["left_out"], facts["without_value"]) == (4, 2, 1)
    assert facts["frames"] == sum(row["num_frames"] for row in rows)
    mp4 = sum(member["size"] for row in rows for member in row["members"] if member["name"] == "mp4")
    assert facts["megabytes"]["mp4"] == pytest.approx(mp4 / 1e6, abs=1e-3)
    assert facts["columns"] == {"motion_score": {"min": 0.25, "median": 2.25, "max": 8.0, "null": 0}}
    assert describe_folder(shard_folder)["columns"]["motion_score"]["null"] == 1
    assert "left_out" not in describe_folder(shard_folder)
    nothing = describe_folder(shard_folder, "motion_score > 99")
    assert (nothing["clips"], nothing["columns"]["motion_score"]) == (0, {"null": 0})
    json.dumps(nothing)


def test_a_folder_of_splits_stands_for_its_splits(shard_folder, tmp_path):
    for name in ("train", "test"):
        shutil.copytree(shard_folder, tmp_path / "data" / name)
    (tmp_path / "data/source").mkdir()
    assert [folder.name for folder in shard_folders(tmp_path / "data")] == ["test", "train"]
    assert shard_folders(shard_folder) == [shard_folder]


def test_a_folder_of_neither_is_an_error(tmp_path):
    with pytest.raises(ShardError, match="holds no finished shard"):
        shard_folders(tmp_path)
    with pytest.raises(ShardError, match="there is no shard folder"):
        shard_folders(tmp_path / "none")


def test_remote_shards_are_described_as_the_local_ones(write_shards, tmp_path, put, objects):
    for name in ("train", "test"):
        folder = write_shards(tmp_path / "data" / name)
        write_index(folder)
        (folder / "clips-000000.errors.parquet").rename(folder / "errors.parquet")
        put(folder, f"data/{name}")
    objects.pipe("/pre/data/source/a.mp4", b"")
    local, remote = describe(tmp_path / "data"), describe("memory://pre/data")
    assert local[0]["not_built"] == {"no_frames": 1}
    assert [facts.pop("folder") for facts in remote] == ["memory://pre/data/test", "memory://pre/data/train"]
    assert remote == [{name: value for name, value in facts.items() if name != "folder"} for facts in local]
    assert describe("memory://pre/data/train")[0]["clips"] == 6
    with pytest.raises(ShardError, match="there are no shards in 'memory://pre/none'"):
        describe("memory://pre/none")


def test_rows_without_pictures_have_no_size_and_no_hours(bare_folder, mixed_folder):
    facts = describe_folder(bare_folder)
    assert (facts["clips"], facts["frames"], facts["hours"], facts["coded_sizes"]) == (8, 0, 0.0, {})
    assert facts["megabytes"]["mp4"] == 0
    assert facts["columns"]["motion_score"] == {"null": 8}
    mixed = describe_folder(mixed_folder)
    assert (mixed["clips"], mixed["frames"], mixed["coded_sizes"]) == (10, 60, {"64x48": 5})
    assert mixed["columns"]["motion_score"]["null"] == 5
    json.dumps([facts, mixed])
