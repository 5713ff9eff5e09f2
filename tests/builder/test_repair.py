"""Damage of every kind is mended, in the cheapest way, and never made worse."""

import json
import shutil

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from vdata.builder import RunConfig
from vdata.builder.remove import remove
from vdata.builder.repair import config_of, repair
from vdata.cli import group
from vdata.errors import ConfigError, ShardError
from vdata.shards import open_index
from vdata.shards.dataset_json import read_dataset_json, write_dataset_json
from vdata.shards.rows import read_rows
from vdata.shards.verify import verify


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def largest(folder):
    """The shard with most clips: its number and the name of its tar."""
    path = max(folder.glob("clips-*.tar"), key=lambda path: path.stat().st_size)
    return int(path.stem[6:]), path


def test_the_folder_that_is_damaged_here_is_whole(out):
    assert verify(out, decode=True).ok
    assert len(list(out.glob("clips-*.tar"))) > 1
    assert len(read_rows(out, largest(out)[0])) > 1


def test_the_original_bytes_of_a_flipped_tar_come_back(out, orders_run_here, contents):
    before = contents(out)
    shard, tar = largest(out)
    key = read_rows(out, shard)["key"][1].as_py()
    flip(tar, read_rows(out, shard)["members"][1].as_py()[0]["offset"] + 100)
    report = repair(out)
    assert [(item.shard, item.key, item.file) for item in report.before.damaged] == [(tar.stem, key, tar.name)]
    assert [(item.shard, item.mended, item.what) for item in report.shards] == [
        (tar.stem, True, "built again: the original bytes came back")
    ]
    assert report.after.ok, report.after.damaged
    assert orders_run_here == [shard]
    assert contents(out) == before
    assert verify(out).ok
    assert not any((out / ".tmp").iterdir())


@pytest.mark.parametrize("suffix", [".parquet", ".tar", ".sha256"])
def test_a_lost_file_comes_back(out, orders_run_here, contents, suffix):
    before = contents(out)
    shard, tar = largest(out)
    tar.with_suffix(suffix).unlink()
    report = repair(out)
    assert report.after.ok, report.after.damaged
    assert orders_run_here == ([] if suffix == ".sha256" else [shard])
    assert contents(out) == before


def test_a_damaged_row_file_costs_its_shard_and_no_other(out, orders_run_here, contents):
    before = contents(out)
    shard, tar = largest(out)
    flip(tar.with_suffix(".parquet"), 300)
    report = repair(out)
    assert report.shards[0].what == "built again: the original bytes came back"
    assert orders_run_here == [shard]
    assert contents(out) == before


def test_what_is_derived_costs_no_build(out, orders_run_here, contents):
    before = contents(out)
    _, tar = largest(out)
    (errors,) = [path for path in out.glob("clips-*.errors.parquet") if pq.read_metadata(path).num_rows]
    for path in (tar.with_suffix(".idx"), errors, out / "index/shard.npy", out / "SHA256SUMS"):
        flip(path, 40)
    (out / f"{tar.stem}.flow.tar").write_bytes(b"a stray")
    (out / ".tmp/clips-000001.dead").mkdir()
    (out / ".tmp/clips-000001.dead/tar").touch()
    assert len(verify(out).damaged) >= 5
    report = repair(out)
    assert report.after.ok, report.after.damaged
    assert all(item.mended for item in report.shards)
    assert orders_run_here == []
    assert contents(out) == before


def test_the_folders_own_errors_are_merged_again(out, orders_run_here, contents):
    before = contents(out)
    flip(out / "errors.parquet", 40)
    assert repair(out).after.ok
    assert orders_run_here == []
    assert contents(out) == before


def test_both_copies_of_the_errors_damaged_costs_a_build(out, orders_run_here, contents):
    before = contents(out)
    (errors,) = [path for path in out.glob("clips-*.errors.parquet") if pq.read_metadata(path).num_rows]
    flip(errors, 40)
    flip(out / "errors.parquet", 40)
    assert repair(out).after.ok
    assert orders_run_here == [int(errors.name[6:12])]
    assert contents(out) == before


def test_a_source_that_is_gone_leaves_the_shard_as_it_is(out, small_root, orders_run_here, contents):
    shard, tar = largest(out)
    row = read_rows(out, shard).slice(0, 1).to_pylist()[0]
    flip(tar, row["members"][0]["offset"] + 100)
    before = contents(out)
    (small_root / row["source"]).rename(small_root / "elsewhere")
    report = repair(out)
    assert [(item.shard, item.mended) for item in report.shards] == [(tar.stem, False)]
    assert f"'{row['source']}' is not below '{small_root}'" in report.shards[0].what
    assert not report.after.ok
    assert orders_run_here == []
    assert contents(out) == before


def test_a_source_that_has_changed_leaves_the_shard_as_it_is(out, small_root, orders_run_here, contents, make_video):
    shard, tar = largest(out)
    rows = read_rows(out, shard).to_pylist()
    flip(tar, rows[0]["members"][0]["offset"] + 100)
    before = contents(out)
    make_video(small_root / rows[0]["source"], num_frames=20, size=(96, 64), seed=77)
    report = repair(out)
    assert not report.shards[0].mended
    assert "came out otherwise" in report.shards[0].what
    assert contents(out) == before
    assert not any((out / ".tmp").iterdir())


def test_a_lost_row_file_and_a_lost_source_keep_the_tar(out, small_root, orders_run_here):
    shard, tar = largest(out)
    source = read_rows(out, shard)["source"][0].as_py()
    tar.with_suffix(".parquet").unlink()
    before = tar.read_bytes()
    (small_root / source).unlink()
    assert not repair(out).after.ok
    assert tar.read_bytes() == before


def test_sources_that_have_moved(out, small_root, orders_run_here, contents, tmp_path):
    before = contents(out)
    flip(largest(out)[1], 600)
    small_root.rename(tmp_path / "moved")
    assert not repair(out).after.ok
    assert repair(out, root=tmp_path / "moved").after.ok
    assert contents(out) == before


def test_other_tools_are_refused(out, orders_run_here):
    content = read_dataset_json(out)
    (out / "SHA256SUMS").unlink()
    write_dataset_json(out, type(content)(**{**vars_of(content), "tools": {**content.tools, "ffmpeg": "3.1"}}))
    flip(largest(out)[1], 600)
    with pytest.raises(ConfigError, match=r"tools.ffmpeg '3.1', not"):
        repair(out)
    assert orders_run_here == []


def vars_of(content):
    return {name: getattr(content, name) for name in type(content).__dataclass_fields__}


@pytest.mark.parametrize("name", ["dataset.json", "plan.parquet"])
def test_nothing_is_built_by_a_damaged_plan_or_config(out, orders_run_here, contents, name):
    flip(out / name, 200)
    flip(largest(out)[1], 600)
    before = contents(out)
    report = repair(out)
    assert f"left as it is: {name} must be restored first" in {item.what for item in report.shards}
    assert orders_run_here == []
    assert contents(out) == before
    assert any(item.file == name and "run the same `vdata build` command again" in item.what for item in report.after.damaged)


def test_a_damaged_dataset_json_or_plan_comes_back_as_its_words_say(out, small_root, build_here, contents):
    before = contents(out)
    for name in ("dataset.json", "plan.parquet"):
        flip(out / name, 200)
        (out / name).unlink()
        build_here(small_root, out)
        assert contents(out) == before


def test_a_shard_with_removed_clips_comes_back_without_them(out, orders_run_here, contents):
    shard, tar = largest(out)
    key = read_rows(out, shard)["key"][0].as_py()
    remove([out], keys=[key])
    before = contents(out)
    flip(tar, 600)
    report = repair(out)
    assert report.shards[0].what == "built again: the original bytes came back"
    assert report.after.ok
    assert contents(out) == before


def test_a_parquet_shard(small_root, tmp_path, build_here, orders_run_here, contents):
    out = build_here(small_root, tmp_path / "cells", format="parquet")
    before = contents(out)
    rows = read_rows(out, 0).to_pylist()
    flip(out / "clips-000000.parquet", rows[0]["members"][0]["offset"] + 50)
    report = repair(out)
    assert {(item.key, item.file) for item in report.before.damaged} >= {(rows[0]["key"], "clips-000000.parquet")}
    assert report.after.ok, report.after.damaged
    assert orders_run_here == [0]
    assert contents(out) == before


def test_the_config_comes_back_whole(out):
    content = read_dataset_json(out)
    assert config_of(content).to_mapping() == content.config


def test_a_folder_without_shards_is_not_made(tmp_path):
    with pytest.raises(ShardError, match="there is no shard folder"):
        repair(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_whole_folder_is_left_alone(out, orders_run_here):
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and not path.name.startswith(".")}
    report = repair(out, workers=1)
    assert report.before.ok
    assert report.shards == ()
    assert {path: path.stat().st_mtime_ns for path in times} == times


@pytest.mark.ray
@pytest.mark.usefixtures("own_ray")
def test_the_command_repairs_on_ray_and_exits_by_what_is_left(out, small_root, contents):
    before = contents(out)
    index = open_index(out)
    flip(index.mp4_path(0), int(index.mp4_offset[0]) + 100)
    command = ["verify", str(out), "--workers", "1", "--json"]
    assert CliRunner().invoke(group, command).exit_code == 1
    result = CliRunner().invoke(group, [*command, "--repair"])
    assert result.exit_code == 0, result.output
    (report,) = json.loads(result.stdout).values()
    assert report["damaged"] == []
    assert [item["key"] for item in report["found"]] == [index.key(0)]
    assert [item["what"] for item in report["repaired"]] == ["built again: the original bytes came back"]
    assert contents(out) == before
    shutil.rmtree(small_root)
    flip(index.mp4_path(0), int(index.mp4_offset[0]) + 100)
    result = CliRunner().invoke(group, [*command, "--repair"])
    assert result.exit_code == 1
    assert "left as it is" in result.stdout


def test_run_config_is_passed_on(out, monkeypatch):
    seen = []
    monkeypatch.setattr("vdata.builder.repair.run_orders", lambda orders, run: seen.append(run) or iter(()))
    flip(largest(out)[1], 600)
    run = RunConfig(workers=3)
    repair(out, run=run)
    assert seen == [run]
