"""`vdata info` on clips whose motion is known: built, curated, filtered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from vdata.builder import resolve
from vdata.builder.plan import make_plan
from vdata.builder.task import Order, build_shard
from vdata.cli.info import command
from vdata.datasets import DATASETS
from vdata.errors import ConfigError


@pytest.fixture
def built(tmp_path, make_video) -> Path:
    """Clips that pan by 0, 2 and 4 pixels a frame, of one shard."""
    for speed in (0, 2, 4):
        make_video(f"root/{speed}.mp4", num_frames=30, velocity=(float(speed), 0.0))
    config = resolve("folder", extract=("curation",), settings={"clip": {"short_side": 96}})
    plan = make_plan(tmp_path / "root", DATASETS["folder"](config.own["folder"]).videos(tmp_path / "root", ""), config.plan)
    out = tmp_path / "out"
    out.mkdir()
    for shard, videos in plan.by_shard().items():
        build_shard(Order(out, tmp_path / "root", shard, videos, config))
    return out


def facts(*arguments) -> dict:
    result = CliRunner().invoke(command, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def test_info_counts_the_clips_that_move(built):
    found = facts(built)["columns"]["motion_score"]
    assert found["min"] == 0
    assert found["median"] == pytest.approx(2, rel=0.1)
    assert found["max"] == pytest.approx(4, rel=0.1)
    some = facts(built, "--where", "motion_score > 1 and brightness > 0.01")
    assert (some["clips"], some["left_out"], some["without_value"], some["frames"]) == (2, 1, 0, 60)
    assert facts(built, "--where", "not motion_score > 1")["clips"] == 1


def test_info_prints_a_line_for_each_fact(built):
    printed = CliRunner().invoke(command, [str(built), "--where", "motion_score < 1"], catch_exceptions=False).stdout
    lines = dict(line.split("  ", 1) for line in printed.splitlines())
    assert lines["left out"].strip() == "2"
    assert "motion_score min 0.0, median 0.0, max 0.0, null 0" in lines["columns"]


def test_a_filter_that_is_none_is_one_line(built):
    with pytest.raises(ConfigError, match="cannot be read at character 14"):
        CliRunner().invoke(command, [str(built), "--where", "motion_score = 1"], catch_exceptions=False)
