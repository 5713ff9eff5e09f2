"""`vdata add` as people type it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import vdata
from vdata.builder import resolve
from vdata.builder.build import finish, missing_orders, plan_splits
from vdata.builder.lock import sole_build
from vdata.builder.plan_file import write_plan
from vdata.builder.state import open_build, tool_versions
from vdata.builder.task import build_shard
from vdata.cli import group


def run(*words):
    return CliRunner().invoke(group, [str(word) for word in words])


@pytest.fixture
def shards(make_video, tmp_path):
    """Shards of two videos, built in this process as the command builds them."""
    for number in range(2):
        make_video(f"root/v{number}.mp4", num_frames=50, seed=number)
    out, config = tmp_path / "shards", resolve("folder", ("keyframes",), {"clip": {"short_side": 96}})
    (plan,) = plan_splits(config, tmp_path / "root").values()
    with sole_build(out) as run_of_this:
        open_build(out, config, tmp_path / "root", "")
        write_plan(out, plan)
        for order in missing_orders(out, plan, config, tmp_path / "root", run_of_this):
            build_shard(order)
        finish(out, plan)
    return out


@pytest.mark.usefixtures("orders_run_here")
def test_a_field_is_added_and_told(shards):
    done = run("add", "slic", "--shards", shards, "--box-frames", "every:20", "--set", "slic.reduce=2")
    assert done.exit_code == 0, done.output
    assert f"{shards}: slic added to" in done.output
    sample = vdata.open_shards(shards)[0]
    frames = {*sample.boxes()["frame"].tolist()}
    assert frames <= {*range(0, sample.row["num_frames"], 20)}
    assert len(frames) > 1
    content = json.loads((shards / "dataset.json").read_text())
    assert content["state"] == "complete"
    assert content["added"]["slic"]["config"]["frames"] == "every:20"
    assert content["added"]["slic"]["tools"] == tool_versions(("slic",))
    again = run("add", "slic", "--shards", shards, "--box-frames", "every:20", "--set", "slic.reduce=2", "--json")
    assert again.exit_code == 0, again.output
    (report,) = json.loads(again.stdout.splitlines()[-1])
    assert (report["field"], report["shards"], report["reasons"]) == ("slic", 0, {})
    assert report["standing"] > 0
    other = run("add", "slic", "--shards", shards)
    assert "has slic with frames 'every:20', not 'keyframes'" in str(other.exception)


def test_what_cannot_be_done_is_told(shards, tmp_path):
    assert "Did you mean 'motion'" in str(run("add", "motoin", "--shards", shards).exception)
    assert "slic" in str(run("add", "motion", "--shards", shards, "--set", "slic.reduce=2").exception)
    assert (
        "--box-frames is for extractors that make boxes" in run("add", "motion", "--shards", shards, "--box-frames", "all").output
    )
    assert "there is no shard folder" in str(run("add", "motion", "--shards", tmp_path / "none").exception)
