"""`vdata add features`: what the actors write is what the extractor gives, whatever happens to them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import ray
import torch
from click.testing import CliRunner

import vdata
from pipelines import ClipIterator, LoaderConfig
from vdata.builder import RunConfig, resolve
from vdata.builder.add import add
from vdata.builder.build import finish, missing_orders, plan_splits
from vdata.builder.lock import sole_build
from vdata.builder.plan_file import write_plan
from vdata.builder.state import open_build
from vdata.builder.task import build_shard
from vdata.checkpoint import Checkpoint, load_backbone, load_checkpoint, save_checkpoint
from vdata.cli import group
from vdata.errors import BuildFailedError, ConfigError
from vdata.evaluate import evaluation_view
from vdata.features import FeatureExtractor, actors, feature_addition, run_on_actors
from vdata.media.feature_codec import load_features
from vdata.recipes import train_config
from vdata.shards.encoded import encoded_clip
from vdata.shards.layout import committed_shards
from vdata.shards.rows import read_added
from vdata.shards.verify import verify


@pytest.fixture
def shards(tmp_path, make_video):
    """Three shards of a clip of 15 frames each, built in this process."""
    for number in range(3):
        make_video(f"root/v{number}.mp4", num_frames=15, size=(96, 64), seed=number)
    config = resolve("folder", ("keyframes",), {"clip": {"short_side": 64, "gop": 6}, "plan": {"shard_mb": 0.001}})
    (plan,) = plan_splits(config, tmp_path / "root").values()
    out = tmp_path / "out"
    with sole_build(out) as run:
        open_build(out, config, tmp_path / "root", "")
        write_plan(out, plan)
        for order in missing_orders(out, plan, config, tmp_path / "root", run):
            build_shard(order)
        finish(out, plan)
    assert len(committed_shards(out)) == 3
    return out


def run_here(orders, run):
    """One actor, without Ray."""
    del run
    actor = actors._Actor()
    return ((order, actor.execute(order)) for order in orders)


@pytest.fixture
def add_here(monkeypatch):
    """A function that adds features to a folder in this process, which must not die with its parent."""
    monkeypatch.setattr(actors, "die_with_ray", lambda: None)

    def add_features(folder, checkpoint, **settings):
        addition = feature_addition({"checkpoint": str(checkpoint), **settings})
        return add([folder], addition, run_orders=run_here)[0]

    return add_features


def test_the_rows_and_the_member_say_what_was_added(shards, add_here, checkpoint):
    report = add_here(shards, checkpoint, stride=4)
    assert (report.shards, report.tally.clips_written, report.tally.clips_failed) == (3, 3, 0)
    for sample in vdata.open_shards(shards):
        assert sample.row["fields"] == ["keyframes", "features"]
        assert (sample.row["feature_dim"], sample.row["feature_stride"]) == (128, 4)
        assert load_features(sample["features.npy"]).shape == (4, 128)
    note = read_added(shards, 0)["features"]
    assert note["config"]["checkpoint"] == str(checkpoint)
    assert len(note["config"]["sha256"]) == 64
    assert note["tools"]["torch"] == torch.__version__
    assert verify(shards, decode=True).ok


def test_a_row_is_the_feature_that_evaluation_sees_there(shards, add_here, checkpoint):
    add_here(shards, checkpoint, stride=8)
    # Evaluation's window in the middle of 15 frames is 4, 6, 8, 10: the window of row 1, around frame 8.
    config = train_config("simclr", None, {"simclr": {"frames": 4, "stride": 2, "size": 32}})
    backbone = load_backbone(load_checkpoint(checkpoint))
    # The graph's own resize: the CPU's quicker one rounds otherwise.
    loader = LoaderConfig(shortcuts=())
    with ClipIterator(shards, views=(evaluation_view(config.views),), batch_size=3, train=False, config=loader) as batches:
        (batch,) = batches
        assert [frames.tolist() for frames in batch["meta"]["clip"]["frames"]] == [[4, 6, 8, 10]] * 3
        with torch.inference_mode():
            features = dict(zip(batch["idx"].tolist(), backbone(batch["clip"]).numpy(), strict=True))
    for sample in vdata.open_shards(shards):
        wanted = features[sample.row["index"]]
        assert np.abs(load_features(sample["features.npy"])[1] - wanted).max() <= 2e-3 * np.abs(wanted).max()


@pytest.fixture
def other_run(checkpoint):
    """A function that puts the checkpoint of another moment of the run into a file."""
    saved = load_checkpoint(checkpoint)

    def write(path):
        save_checkpoint(path, Checkpoint(saved.config, 2, saved.model, {}, {}))

    return write


def test_other_settings_or_another_checkpoint_are_refused(shards, add_here, checkpoint, tmp_path, other_run):
    path = tmp_path / "own.pt"
    path.write_bytes(checkpoint.read_bytes())
    add_here(shards, path, stride=4)
    assert add_here(shards, path, stride=4).shards == 0
    with pytest.raises(ConfigError, match="has features with stride 4, not 2"):
        add_here(shards, path, stride=2)
    other_run(path)
    with pytest.raises(ConfigError, match="has features with sha256"):
        add_here(shards, path, stride=4)


def test_a_worker_with_another_torch_or_checkpoint_writes_nothing(shards, checkpoint, tmp_path, other_run, monkeypatch):
    monkeypatch.setattr(actors, "die_with_ray", lambda: None)
    path = tmp_path / "own.pt"
    path.write_bytes(checkpoint.read_bytes())
    addition = feature_addition({"checkpoint": str(path)})
    other_run(path)
    with pytest.raises(ConfigError, match=r"features\.sha256"):
        add([shards], addition, run_orders=run_here)
    addition = feature_addition({"checkpoint": str(path)})
    monkeypatch.setattr(actors.torch, "__version__", "1.0")
    with pytest.raises(BuildFailedError, match="same versions"):
        add([shards], addition, run_orders=run_here)
    assert all("features" not in read_added(shards, shard) for shard in committed_shards(shards))


def test_settings_are_checked_before_ray_starts(checkpoint):
    with pytest.raises(ConfigError, match=r"features\.strid"):
        feature_addition({"checkpoint": str(checkpoint), "strid": 3})
    with pytest.raises(ConfigError, match=r"--checkpoint RUN/checkpoint\.pt"):
        feature_addition({})


@pytest.mark.ray
def test_the_command_adds_features(shards, checkpoint):
    line = ["add", "features", "--shards", str(shards), "--checkpoint", str(checkpoint)]
    result = CliRunner().invoke(group, [*line, "--workers", "1", "--set", "features.stride=4", "--json"])
    assert result.exit_code == 0, result.output
    (report,) = json.loads(result.stdout)
    assert (report["shards"], report["clips"], report["added"], report["failed"]) == (3, 3, 3, 0)
    extract = FeatureExtractor(feature_addition({"checkpoint": str(checkpoint), "stride": 4}).config)
    for sample in vdata.open_shards(shards):
        wanted = load_features(extract(encoded_clip(sample, None)).members["features.npy"])
        # An actor has one thread, and this process more: the sums may end in other bits.
        assert np.abs(load_features(sample["features.npy"]) - wanted).max() <= 2**-10 * np.abs(wanted).max()


def actor_processes():
    """Ours: of all actors of the machine those with an ancestor in this process."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if not place.joinpath("cmdline").read_bytes().startswith(b"ray::_Actor"):
                continue
            process = int(place.name)
            while process not in (0, 1, os.getpid()):
                process = int(Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()[1])
        except OSError:
            continue
        found += [int(place.name)] if process == os.getpid() else []
    return found


@pytest.mark.ray
def test_an_actor_that_dies_is_replaced(shards, checkpoint):
    killed = []

    def run_and_kill(orders, run):
        for order, tally in run_on_actors(orders, run):
            if not killed:
                killed.extend(actor_processes())
                for process in killed:
                    os.kill(process, signal.SIGKILL)
            yield order, tally

    addition = feature_addition({"checkpoint": str(checkpoint), "stride": 4})
    (report,) = add([shards], addition, run=RunConfig(workers=1), run_orders=run_and_kill)
    assert len(killed) == 1
    assert (report.tally.clips_written, report.tally.clips_failed) == (3, 0)
    assert verify(shards).ok


@pytest.mark.parametrize(
    ("resources", "workers", "gpus", "capacity"),
    [({"CPU": 8.0}, 0, False, 8), ({"CPU": 8.0}, 3, False, 3), ({"CPU": 8.0, "GPU": 2.0}, 0, True, 2)],
)
def test_there_is_an_actor_a_core_or_a_gpu(monkeypatch, resources, workers, gpus, capacity):
    monkeypatch.setattr(ray, "cluster_resources", lambda: resources)
    assert actors._Actors(RunConfig(workers=workers), gpus=gpus).capacity() == capacity


def test_no_gpu_is_an_error_of_one_line(monkeypatch):
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 8.0})
    with pytest.raises(BuildFailedError, match="Ray finds no GPU"):
        actors._Actors(RunConfig(), gpus=True).capacity()
