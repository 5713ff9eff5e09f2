"""The loop, on an iterator that behaves as ClipIterator does: every sample follows from (seed, epoch, position)."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import multiprocessing, nn

from vdata.checkpoint import load_backbone, load_checkpoint
from vdata.config import to_mapping
from vdata.errors import ConfigError, DivergedError
from vdata.methods import METHODS
from vdata.metrics import read_metrics
from vdata.nn.backbones import BACKBONES, Backbone, make_backbone
from vdata.nn.contrast import nt_xent
from vdata.nn.gather import rank
from vdata.optim import OptimConfig
from vdata.recipes import TrainConfig
from vdata.train import _step_seed, feature_std, make_method, train

KEPT = ("step", "loss", "noise", "lr", "feature_std")


class SyntheticBatches:
    """Two noisy views of as many prototypes as there are videos."""

    num_invalid = 0

    def __init__(self, batch_size=4, num_videos=12, rank=0, world_size=1, shape=(3, 2, 16, 16), scale=1.0):
        self.batch_size, self.num_videos, self.rank, self.world_size = batch_size, num_videos, rank, world_size
        self.shape, self.scale = shape, scale
        self.epoch = self.position = 0

    def __len__(self):
        return self.num_videos // (self.batch_size * self.world_size)

    def __iter__(self):
        order = np.random.default_rng([1, self.epoch]).permutation(self.num_videos)
        while self.position < len(self):
            start = (self.position * self.world_size + self.rank) * self.batch_size
            self.position += 1
            yield self.batch(order[start : start + self.batch_size])
        self.epoch, self.position = self.epoch + 1, 0

    def batch(self, videos):
        views = {"v0": [], "v1": []}
        for video in videos:
            prototype = np.random.default_rng([2, video]).normal(size=self.shape)
            for number, view in enumerate(views.values()):
                view.append(prototype + 0.5 * np.random.default_rng([3, self.epoch, video, number]).normal(size=self.shape))
        idx = torch.from_numpy(np.asarray(videos))
        stacked = {name: self.scale * torch.from_numpy(np.stack(view)).float() for name, view in views.items()}
        return {**stacked, "idx": idx, "label": idx % 3, "meta": {"v0": {"flip": torch.zeros(len(idx), dtype=torch.bool)}}}

    def state_dict(self):
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state):
        self.epoch, self.position = state["epoch"], state["position"]


@dataclass(frozen=True)
class NoisyConfig:
    temperature: float = 0.2


class Noisy(METHODS["simclr"]):
    """SimCLR whose step draws from torch's generator, as a method with dropout or a permutation does."""

    Config = NoisyConfig

    def __init__(self, backbone, config):
        super().__init__(backbone, METHODS["simclr"].Config(temperature=config.temperature, head_layers=1, head_dim=8))

    def loss(self, batch):
        noise = torch.rand(())
        parts = super().loss({name: view + 0.1 * torch.randn_like(view) for name, view in batch.items() if name in ("v0", "v1")})
        return {**parts, "noise": noise}


class Flat(Backbone):
    """One linear layer, without a norm: what several ranks compute is what one computes."""

    num_features = 6

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3 * 2 * 16 * 16, 6)

    def forward(self, clips):
        return self.layer(clips.flatten(1))


@pytest.fixture(autouse=True)
def _toys(monkeypatch):
    monkeypatch.setitem(METHODS._entries, "noisy", Noisy)
    monkeypatch.setitem(METHODS._entries, "noiseless", Noiseless)
    monkeypatch.setitem(BACKBONES._entries, "flat", Flat)


def config(**settings) -> TrainConfig:
    values = {"backbone": "flat", "steps": 7, "batch_size": 4, "log_every": 1, "checkpoint_every": 1000, **settings}
    return TrainConfig("noisy", **values)


def records(run: Path) -> list[tuple]:
    return [tuple(record[name] for name in KEPT) for record in read_metrics(run / "metrics.jsonl")]


class InterruptedRunError(Exception):
    pass


def train_until(step: int, settings: TrainConfig, run: Path) -> None:
    """Trains in a run that dies right after `step`, as by kill -9."""

    def stop(record):
        if record["step"] == step:
            raise InterruptedRunError

    with pytest.raises(InterruptedRunError):
        train(settings, SyntheticBatches(), run, on_record=stop)


@pytest.mark.parametrize("optim", ["sgd", "adamw", "lars"])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path, optim):
    settings = config(checkpoint_every=2, optim=OptimConfig(name=optim, lr=0.01))
    whole = train(settings, SyntheticBatches(), tmp_path / "whole")
    # The last checkpoint is of step 4, in the middle of the second epoch of 3 batches; step 5 is done twice.
    train_until(5, settings, tmp_path / "cut")
    torch.manual_seed(999)
    resumed = train(settings, SyntheticBatches(), tmp_path / "cut")
    assert records(tmp_path / "cut") == records(tmp_path / "whole")
    assert [record[0] for record in records(tmp_path / "cut")] == [1, 2, 3, 4, 5, 6, 7]
    a, b = load_checkpoint(whole), load_checkpoint(resumed)
    assert all(torch.equal(a.model[key], b.model[key]) for key in a.model)
    assert a.loader == b.loader == {"epoch": 2, "position": 1}


def test_a_finished_run_is_left_as_it_is(tmp_path):
    path = train(config(), SyntheticBatches(), tmp_path)
    before = path.read_bytes(), records(tmp_path)
    train(config(), SyntheticBatches(), tmp_path)
    assert (path.read_bytes(), records(tmp_path)) == before


def test_other_settings_do_not_continue_a_run(tmp_path):
    train(config(), SyntheticBatches(), tmp_path)
    with pytest.raises(ConfigError, match=r"seed \(1\) differs from that of '.*checkpoint.pt' \(0\)"):
        train(config(seed=1), SyntheticBatches(), tmp_path)
    train(config(log_every=3), SyntheticBatches(), tmp_path)


def test_what_a_record_holds(tmp_path):
    seen = []
    train(config(log_every=3), SyntheticBatches(), tmp_path, on_record=seen.append)
    assert [record["step"] for record in seen] == [3, 6, 7]
    assert read_metrics(tmp_path / "metrics.jsonl") == seen
    for record in seen:
        assert record["samples_per_second"] > 0
        assert 0 < record["wait_share"] < 1
        assert {"loss", "positive_nearest", "noise", "lr", "feature_std"} < set(record)
    assert len({record["noise"] for record in seen}) == 3  # every step draws anew


def test_the_loss_falls_and_the_checkpoint_holds_the_trained_backbone(tmp_path):
    settings = config(steps=40, optim=OptimConfig(name="adamw", lr=0.003))
    path = train(settings, SyntheticBatches(), tmp_path)
    losses = [record["loss"] for record in read_metrics(tmp_path / "metrics.jsonl")]
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    saved = load_checkpoint(path)
    assert (saved.step, saved.config) == (40, to_mapping(settings))
    trained, untrained = load_backbone(saved).layer.weight, make_backbone("flat", settings.seed).layer.weight
    assert torch.equal(trained, saved.model["backbone.layer.weight"])
    assert not torch.equal(trained, untrained)


def test_the_seed_makes_the_run(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        train(config(seed=seed), SyntheticBatches(), tmp_path / name)
    assert records(tmp_path / "a") == records(tmp_path / "b")
    assert records(tmp_path / "a") != records(tmp_path / "c")


def test_a_run_starts_from_the_untrained_network_of_its_seed():
    settings = config(seed=3)
    assert torch.equal(make_method(settings).backbone.layer.weight, make_backbone("flat", 3).layer.weight)
    assert torch.equal(make_method(settings).head[0].weight, make_method(settings).head[0].weight)


def test_bfloat16_trains_with_float32_weights(tmp_path):
    train(config(amp=True), SyntheticBatches(), tmp_path)
    train(config(amp=False), SyntheticBatches(), tmp_path / "full")
    saved = load_checkpoint(tmp_path / "checkpoint.pt")
    assert all(tensor.dtype == torch.float32 for tensor in saved.model.values() if tensor.is_floating_point())
    low, full = records(tmp_path), records(tmp_path / "full")
    assert low != full
    assert low[0][1] == pytest.approx(full[0][1], rel=0.02)


def test_a_real_backbone_takes_a_step(tmp_path):
    settings = TrainConfig("simclr", steps=2, batch_size=4, log_every=1)
    train(settings, SyntheticBatches(shape=(3, 4, 24, 24)), tmp_path)
    assert len(read_metrics(tmp_path / "metrics.jsonl")) == 2


def test_an_empty_loader_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="must not be empty"):
        train(config(), SyntheticBatches(num_videos=3), tmp_path)


def test_rows_that_only_fill_a_batch_up_are_not_trained_on(tmp_path):
    batches = SyntheticBatches()
    batches.num_invalid = 3
    with pytest.raises(ConfigError, match=r"num_invalid \(3\) must be 0 to train on: open the loader with drop_last=True"):
        train(config(), batches, tmp_path)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(tmp_path):
    train_until(5, config(checkpoint_every=4), tmp_path)
    with pytest.raises(DivergedError, match="the loss of step 5 is nan"):
        train(config(checkpoint_every=4), SyntheticBatches(scale=float("nan")), tmp_path)
    assert load_checkpoint(tmp_path / "checkpoint.pt").step == 4


def test_feature_std_tells_spread_from_collapse():
    spread = torch.randn(4000, 64, generator=torch.Generator().manual_seed(0))
    assert feature_std(spread).item() == pytest.approx(1 / 8, rel=0.02)
    assert feature_std(7 * spread).item() == pytest.approx(feature_std(spread).item(), rel=1e-5)
    assert feature_std(torch.ones(10, 64)).item() == pytest.approx(0, abs=1e-6)


class Noiseless(nn.Module):
    """NT-Xent without a norm or noise: what two ranks compute is what one does."""

    Config = NoisyConfig

    def __init__(self, backbone, config):
        super().__init__()
        self.backbone, self.temperature = backbone, config.temperature

    def loss(self, batch):
        loss, nearest = nt_xent(self.backbone(batch["v0"]), self.backbone(batch["v1"]), self.temperature)
        return {"loss": loss, "positive_nearest": nearest, "rank": torch.tensor(float(rank()))}


def ranks_config(**settings) -> TrainConfig:
    optim = OptimConfig(lr=0.01)
    values = {"steps": 5, "batch_size": 6, "log_every": 1, "checkpoint_every": 2, "optim": optim, **settings}
    return TrainConfig("noiseless", "flat", **values)


def two_ranks_config() -> TrainConfig:
    """Two batches a step: gradients are averaged over the ranks once, and no earlier."""
    return ranks_config(batch_size=12, accumulate=2)


def run_rank(number: int, num_ranks: int, port: int, run: Path) -> None:
    """One process of torchrun."""
    torch.set_num_threads(1)
    place = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": num_ranks, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in place.items()} | {"GLOO_SOCKET_IFNAME": "lo"}
    METHODS._entries["noiseless"], BACKBONES._entries["flat"] = Noiseless, Flat
    config = two_ranks_config()
    train(config, SyntheticBatches(config.rank_batch_size, rank=number, world_size=num_ranks), run)


def test_two_ranks_train_as_one_process_does(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(run_rank, args=(2, port, tmp_path / "two"), nprocs=2)
    one = train(two_ranks_config(), SyntheticBatches(6), tmp_path / "one")
    alone, together = (read_metrics(tmp_path / name / "metrics.jsonl") for name in ("one", "two"))
    assert [record["step"] for record in together] == [1, 2, 3, 4, 5]
    for name in ("loss", "positive_nearest", "lr"):
        assert [record[name] for record in together] == pytest.approx([record[name] for record in alone], rel=1e-4)
    assert {record["rank"] for record in together} == {0.5}  # the mean over both ranks
    assert {record["rank"] for record in alone} == {0.0}
    weight = "backbone.layer.weight"
    one, two = load_checkpoint(one), load_checkpoint(tmp_path / "two" / "checkpoint.pt")
    torch.testing.assert_close(two.model[weight], one.model[weight])
    assert two.loader == one.loader


def test_gradients_of_several_batches_make_one_step(tmp_path):
    """Against a loop by hand: the mean of the losses of both halves is what is differentiated."""
    settings = ranks_config(accumulate=2, batch_size=8, steps=2, optim=OptimConfig(lr=0.01, momentum=0.0, warmup=0.0))
    path = train(settings, SyntheticBatches(settings.rank_batch_size), tmp_path)
    method, batches = make_method(settings), SyntheticBatches(4)
    losses, epochs = [], (batch for _ in range(9) for batch in batches)
    for step in range(2):
        parts = [method.loss(next(epochs))["loss"] for _ in range(2)]
        loss = sum(parts) / 2
        grads = torch.autograd.grad(loss, list(method.parameters()))
        with torch.no_grad():
            for parameter, grad in zip(method.parameters(), grads, strict=True):
                decayed = grad + (1e-4 * parameter if parameter.ndim > 1 else 0)
                parameter.sub_(0.01 * 0.5 * (1 + np.cos(np.pi * step / 2)) * decayed)
        losses.append(loss.item())
    assert [record["loss"] for record in read_metrics(tmp_path / "metrics.jsonl")] == pytest.approx(losses, rel=1e-5)
    torch.testing.assert_close(load_checkpoint(path).model["backbone.layer.weight"], method.backbone.layer.weight.detach())


def test_a_resumed_run_with_several_batches_a_step_goes_on_with_the_next(tmp_path):
    settings = config(accumulate=3, batch_size=12, steps=5, checkpoint_every=2)
    train(settings, SyntheticBatches(), tmp_path / "whole")
    train_until(3, settings, tmp_path / "cut")
    train(settings, SyntheticBatches(), tmp_path / "cut")
    assert records(tmp_path / "cut") == records(tmp_path / "whole")


class Moved(Noiseless):
    """Counts the steps that it is told of."""

    def __init__(self, backbone, config):
        super().__init__(backbone, config)
        self.register_buffer("moved", torch.zeros(0))
        self.told = []

    def after_step(self, step, steps):
        self.told.append((step, steps, self.backbone.layer.weight.detach().clone()))


def test_what_moves_is_told_after_the_weights_have(tmp_path, monkeypatch):
    made = []
    monkeypatch.setitem(METHODS._entries, "noiseless", lambda *given: made.append(Moved(*given)) or made[-1])
    monkeypatch.setattr(Moved, "Config", NoisyConfig)
    METHODS._entries["noiseless"].Config = NoisyConfig
    path = train(ranks_config(steps=3), SyntheticBatches(6), tmp_path)
    assert [told[:2] for told in made[-1].told] == [(0, 3), (1, 3), (2, 3)]
    torch.testing.assert_close(made[-1].told[-1][2], load_checkpoint(path).model["backbone.layer.weight"])


def test_the_ranks_of_a_run_draw_different_numbers(monkeypatch):
    seeds = set()
    for number in (0, 1):
        monkeypatch.setattr("vdata.train.rank", lambda number=number: number)
        seeds |= {_step_seed(seed, step) for seed in (0, 1) for step in (0, 1)}
    assert len(seeds) == 8
