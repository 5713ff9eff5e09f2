"""`vdata check-leaks` prints what the library finds, ends with its status, and writes what `vdata remove` takes."""

import json
import shlex

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from vdata.builder import resolve
from vdata.builder.plan import make_plan
from vdata.builder.task import Order, build_shard
from vdata.cli.check_leaks import command
from vdata.cli.remove import command as remove
from vdata.datasets import DATASETS
from vdata.errors import ConfigError, ShardError
from vdata.leaks import find_leaks


@pytest.fixture
def folders(tmp_path, make_video):
    """Two folders that share the film of seed 1, and a third that shares none."""
    config = resolve("folder", settings={"clip": {"short_side": 64}})
    found = []
    for name, seeds in (("train", (0, 1)), ("test", (1, 2)), ("else", (3,))):
        root, out = tmp_path / f"root-{name}", tmp_path / name
        for seed in seeds:
            make_video(f"root-{name}/jump/{seed}.mp4", num_frames=30, seed=seed)
        plan = make_plan(root, DATASETS["folder"](config.own["folder"]).videos(root, ""), config.plan)
        out.mkdir()
        for shard, videos in plan.by_shard().items():
            build_shard(Order(out, root, shard, videos, config))
        found.append(out)
    return found


def check(*arguments):
    return CliRunner().invoke(command, ["--workers", "1", *map(str, arguments)])


def test_leaks_are_printed_and_the_status_is_1(folders, tmp_path):
    train, test, other = folders
    result = check(train, test, "--out", tmp_path / "new/leaks.parquet", "--keys", tmp_path / "new/keys.txt")
    assert result.exit_code == 1, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith(f"{train}: 2 videos, ")
    assert lines[2] == f"1 pairs of videos look alike: {train} and {test}"
    assert lines[3] == "  by label of the second: jump 1"
    assert lines[4].endswith("bits, folders: jump/1.mp4 at 0.00 s (3 of 3 keyframes) = jump/1.mp4 at 0.00 s (3 of 3 keyframes)")
    report = find_leaks([train, test])
    assert (tmp_path / "new/keys.txt").read_text().split() == report.keys_to_remove() == list(report.pairs[0].first.keys)
    assert pq.read_table(tmp_path / "new/leaks.parquet")["kind"].to_pylist() == ["folders"]
    assert lines[-1] == (
        f"1 keys of {train} written to {tmp_path}/new/keys.txt; take these clips out: "
        f"vdata remove --shards {train} --keys {tmp_path}/new/keys.txt"
    )
    given = remove.make_context("remove", shlex.split(lines[-1].partition("vdata remove ")[2])).params
    with given["keys"] as keys:
        assert (given["shards"], keys.name) == (train, str(tmp_path / "new/keys.txt"))
    clean = check(train, other)
    assert (clean.exit_code, clean.output.splitlines()[-1]) == (0, "nothing looks alike")


def test_no_key_is_nothing_to_remove(folders, tmp_path):
    train, _, other = folders
    result = check(train, other, "--keys", tmp_path / "a b.txt")
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == f"0 keys of {train} written to {tmp_path}/a b.txt: nothing is to be removed"
    assert not (tmp_path / "a b.txt").read_text()


def test_json_is_the_report_and_nothing_else(folders):
    train, test, _ = folders
    result = check(train, test, "--json", "--mirror", "--max-distance", 40)
    assert result.exit_code == 1
    assert json.loads(result.stdout) == json.loads(json.dumps(find_leaks([train, test]).to_mapping()))
    assert json.loads(check(train, "--within", "--json").stdout)["clean"] is True


def test_a_clip_that_cannot_be_read_is_named_and_the_status_is_1(folders):
    train, _, other = folders
    (tar,) = train.glob("*.tar")
    tar.write_bytes(b"")
    result = check(train, other)
    assert result.exit_code == 1
    assert "2 could not be read" in result.output
    assert result.output.count("ends within the clip: check with `vdata verify`") == 2


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("train",), ConfigError, "is all of one side: name a second folder"),
        (("train", "train"), ConfigError, "is named twice"),
        (("train", "nowhere"), ShardError, "there is no shard folder 'nowhere'"),
        (("train", "."), ShardError, "holds no shards but the splits else, test, train"),
        (("train", "test", "--out", "leaks.txt"), ConfigError, r"--out \('leaks.txt'\) must end in .parquet"),
        (("train", "test", "--max-distance", "200"), ConfigError, r"max_distance.* \(200\) must be in \[0, 128\]"),
        (("train", "http://host/test"), ConfigError, "a web server has no listing"),
    ],
)
def test_a_mistake_is_one_line(folders, tmp_path, monkeypatch, arguments, error, words):
    monkeypatch.chdir(tmp_path)
    result = check(*arguments)
    assert isinstance(result.exception, error)
    assert "\n" not in str(result.exception)
    with pytest.raises(error, match=words):
        raise result.exception
