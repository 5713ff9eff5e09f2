"""`vdata eval`: the protocol that was asked for reaches the loader."""

from __future__ import annotations

import json

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from pipelines import ClipIterator
from vdata.builder import resolve
from vdata.builder.plan import make_plan
from vdata.builder.task import Order, build_shard
from vdata.cli.eval import command, knn_of
from vdata.datasets import DATASETS
from vdata.evaluate import evaluation_view, extract_features
from vdata.recipes import TrainConfig
from vdata.train import train
from vdata.views import Clip


@pytest.fixture
def shards(tmp_path, make_video):
    """Folders `train` and `test` of six and four clips, labels 0 and 1."""
    config = resolve("folder", settings={"clip": {"short_side": 32}})
    for split, count in (("train", 6), ("test", 4)):
        root, out = tmp_path / "root" / split, tmp_path / "shards" / split
        for number in range(count):
            path = f"root/{split}/class {number % 2}/{number}.mp4"
            make_video(path, num_frames=40, size=(64, 32), velocity=(4.0 * (number % 2), 0.0), seed=number)
        plan = make_plan(root, DATASETS["folder"](config.own["folder"]).videos(root, ""), config.plan)
        out.mkdir(parents=True)
        for shard, videos in plan.by_shard().items():
            build_shard(Order(out, root, shard, videos, config))
    return tmp_path / "shards"


def test_the_protocol_is_the_one_that_was_asked_for(shards, tmp_path):
    config = TrainConfig("simclr", steps=1, batch_size=2, settings={"frames": 4, "stride": 2, "size": 24})
    with ClipIterator(shards / "train", views=config.views, batch_size=2) as batches:
        path = train(config, batches, tmp_path / "run")
    arguments = ["--checkpoint", str(path), "--shards", str(shards), "--json"]
    result = CliRunner().invoke(command, [*arguments, "--sampling", "uniform:3", "--crop", "three"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert (found["sampling"], found["crop"], found["step"]) == ("uniform:3", "three", 1)
    assert 0 <= found["trained"]["label"] <= 1
    assert json.loads(CliRunner().invoke(command, arguments).output)["sampling"] == "centre"
    refused = CliRunner().invoke(command, [*arguments, "--sampling", "many"])
    assert "sampling ('many') must be centre or uniform:K" in str(refused.exception)


class Corners(nn.Module):
    """The mean colour of the left and of the right edge: three crops of a wide picture see others than one does."""

    num_features = 6

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(6))

    def forward(self, clips):
        return self.scale * torch.cat([clips[..., 0], clips[..., -1]], dim=1).mean(dim=(2, 3))


def test_windows_and_crops_are_averaged(shards):
    views = (Clip("v0", frames=4, stride=2, size=24),)
    view = evaluation_view(views, "uniform:3", "three")
    with ClipIterator(shards / "train", views=(view,), batch_size=2, train=False) as batches:
        found = extract_features(Corners(), batches).values
        expected = [Corners()(batch["clip"][row]).mean(dim=0) for batch in batches for row in range(len(batch["idx"]))]
    assert torch.allclose(found, torch.stack(expected), atol=1e-6)
    with ClipIterator(shards / "train", views=(evaluation_view(views),), batch_size=2, train=False) as batches:
        assert not torch.allclose(found, extract_features(Corners(), batches).values, atol=1e-3)
    accuracies = knn_of(Corners(), view, (shards / "train", shards / "train"), ("label",))
    assert set(accuracies) == {"label"}
