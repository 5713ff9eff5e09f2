"""Shards as a newcomer has them: a folder of videos, built with keyframes as JPEG."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from vdata.builder import resolve
from vdata.builder.plan import make_plan
from vdata.builder.task import Order, build_shard
from vdata.datasets import DATASETS


@pytest.fixture
def shards(tmp_path, make_video) -> str:
    """12 clips of 70 frames, labels 0 to 2, in two or more shards."""
    for number in range(12):
        make_video(f"root/class {number % 3}/{number}.mp4", num_frames=70, seed=number, size=(64, 48))
    settings = {"clip": {"short_side": 48}, "keyframes": {"form": "jpeg"}, "plan": {"shard_mb": 0.3}}
    config = resolve("folder", ("keyframes",), settings)
    plan = make_plan(tmp_path / "root", DATASETS["folder"](config.own["folder"]).videos(tmp_path / "root", ""), config.plan)
    out = tmp_path / "shards"
    out.mkdir()
    for shard, videos in plan.by_shard().items():
        build_shard(Order(out, tmp_path / "root", shard, videos, config))
    return str(out)


@pytest.fixture
def example(request) -> ModuleType:
    """The example that the test's file is named after."""
    name = Path(request.path).stem.removeprefix("test_")
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[2] / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
