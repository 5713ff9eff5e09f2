"""The generated dataset: its listing, its files, and the guards that make a number on it mean something.

The guards read nothing but what a user has: files, rows and the truth.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from vdata.datasets import DATASETS
from vdata.datasets._sample import truth, world
from vdata.datasets._sample.trajectories import MOTIONS
from vdata.errors import ConfigError
from vdata.nn.backbones import make_backbone
from vdata.records import Video

CHANCE = 1 / len(MOTIONS)


def made(root: Path, scale: str) -> Path:
    DATASETS["sample"](DATASETS["sample"].Config(scale=scale)).prepare(root)
    return root


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return made(tmp_path_factory.mktemp("sample"), "tiny")


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> Path:
    return made(tmp_path_factory.mktemp("sample"), "full")


def listed(root: Path, split: str) -> list[Video]:
    return list(DATASETS["sample"](DATASETS["sample"].Config()).videos(root, split))


def decoded(path: Path, size: tuple[int, int] | None = None, count: int | None = None) -> np.ndarray:
    """The first `count` frames or all, uint8 (T, H, W, 3), scaled to (width, height)."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in itertools.islice(container.decode(video=0), count)]
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames] if size else frames)


def test_every_video_is_there_as_its_row_says(tiny):
    plans = {plan.video_id: plan for plan in world.draw(0, "tiny")}
    for split, count in zip(("train", "val", "test"), (60, 30, 30), strict=True):
        videos = listed(tiny, split)
        assert len(videos) == count
        for video in videos:
            plan = plans.pop(video.video_id)
            with av.open(str(tiny / video.source)) as container:
                assert container.streams.video[0].frames == plan.num_frames
                assert (container.streams.video[0].width, container.streams.video[0].height) == plan.size
                assert len(container.streams.audio) == (video.facts["timbre"] >= 0)
            assert len(truth.load(tiny, video.video_id).path) == plan.num_frames
            assert (video.split, video.splits) == (split, (split,))
            assert video.label_name == ("" if video.facts["edge"] else MOTIONS[video.label])
    assert not plans
    assert sum(path.is_file() for name in ("train", "val", "test") for path in (tiny / name).iterdir()) == 120


def test_facts_fill_the_declared_columns(tiny):
    columns = DATASETS["sample"].columns
    for video in listed(tiny, "train"):
        assert list(video.facts) == [column.name for column in columns]
        for column in columns:
            kind = {"int32": int, "double": float, "string": str}[str(column.type)]
            assert type(video.facts[column.name]) is kind


def test_the_files_show_the_plan(tiny):
    # One video through the whole way: encoded flash, sprite and stillness of a camera that does not move.
    videos = [video for split in ("train", "val", "test") for video in listed(tiny, split)]
    video = next(v for v in videos if v.facts["camera"] == "none" and v.label_name == "circle")
    frames, known = decoded(tiny / video.source).astype(float), truth.load(tiny, video.video_id)
    flash = round(video.facts["flash_seconds"] * 25)
    assert np.argmax(frames.mean(axis=(1, 2, 3))) == flash
    for t in [t for t in range(5, 90, 7) if abs(t - flash) > 5]:
        changed = np.abs(frames[t + 3] - frames[t]).mean(axis=-1) > 25
        touched = known.mask(t) | known.mask(t + 3)
        grown = cv2.dilate(touched.astype(np.uint8), np.ones((5, 5))).astype(bool)
        assert changed[~grown].mean() < 0.01
        assert changed[touched].mean() > 0.3


def test_settings_are_checked():
    config = DATASETS["sample"].Config
    with pytest.raises(ConfigError, match=r"sample\.scale \('huge'\)"):
        config(scale="huge")
    with pytest.raises(ConfigError, match=r"sample\.seed \(-1\)"):
        config(seed=-1)


def test_a_root_that_was_not_prepared_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"prepare\(root\)"):
        listed(tmp_path, "train")


def test_an_unknown_split_says_so(tiny):
    with pytest.raises(ConfigError, match="dev"):
        listed(tiny, "dev")


def fitted(train: np.ndarray, train_labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    """The classes of the test rows by multinomial logistic regression on standardised features."""
    mean, std = train.mean(axis=0), train.std(axis=0) + 1e-6
    inputs, labels = torch.from_numpy((train - mean) / std).float(), torch.from_numpy(train_labels)
    linear = nn.Linear(train.shape[1], len(MOTIONS))
    nn.init.zeros_(linear.weight)
    optimiser = torch.optim.LBFGS(linear.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = functional.cross_entropy(linear(inputs), labels) + 1e-3 * linear.weight.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return linear(torch.from_numpy((test - mean) / std).float()).argmax(dim=1).numpy()


def drawn(*splits: str) -> tuple[list[truth.Truth], np.ndarray]:
    plans = [plan for plan in world.draw(0, "full") if plan.split in splits and not plan.edge]
    return [truth.of(plan) for plan in plans], np.array([plan.motion for plan in plans])


def test_guard_true_trajectories_tell_the_motion():
    def spectrum(known):
        return np.abs(np.fft.rfft(known.path - known.path.mean(axis=0), axis=0))[1:26].ravel() / 100

    (train, train_labels), (test, test_labels) = drawn("train"), drawn("test")
    guesses = fitted(np.stack([*map(spectrum, train)]), train_labels, np.stack([*map(spectrum, test)]))
    assert (guesses == test_labels).mean() >= 0.95


def test_guard_one_frame_s_true_geometry_does_not_tell_the_motion():
    def geometry(known):
        x, y, radius = known.path[50] / 48 - 1
        return np.array([x, y, radius, x * x, y * y, radius**2, x * y, x**4, y**4, len(known.distractors)])

    (train, train_labels), (test, test_labels) = drawn("val"), drawn("test")
    guesses = fitted(np.stack([*map(geometry, train)]), train_labels, np.stack([*map(geometry, test)]))
    assert (guesses == test_labels).mean() <= CHANCE + 0.05


def arrays(root: Path, split: str, count: int | None = None) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Clips (N, T, C, H, W), uint8, at 48 pixels, and their labels by name; without the edge videos."""
    videos = [video for video in listed(root, split) if not video.facts["edge"]]
    clips = np.stack([decoded(root / video.source, (48, 48), count) for video in videos])
    names = {"motion": [v.label for v in videos], "scene": [v.facts["scene"] for v in videos]}
    return torch.from_numpy(clips).permute(0, 1, 4, 2, 3), {name: torch.tensor(values) for name, values in names.items()}


def one_frame_accuracy(train, train_labels, test, test_labels, steps: int = 300) -> float:
    """Test accuracy of a 2D network that has seen single frames alone."""
    torch.manual_seed(0)
    layers, channels = [], 3
    for width in (16, 32, 64):
        layers += [nn.Conv2d(channels, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 12))
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3, weight_decay=1e-4)
    for step in range(steps):
        chosen, times = torch.randint(len(train), (64,)), torch.randint(train.shape[1], (64,))
        frames = train[chosen, times].float() / 255 - 0.5
        loss = functional.cross_entropy(network(frames.flip(-1) if step % 2 else frames), train_labels[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    with torch.no_grad():
        guesses = torch.stack([network(test[:, t].float() / 255 - 0.5).argmax(dim=1) for t in range(4, 100, 8)])
    return float((guesses == test_labels).float().mean())


def nearest_accuracy(features, labels, queries, query_labels, k: int = 5) -> float:
    """Accuracy of the vote of the k nearest by cosine."""
    near = (functional.normalize(queries) @ functional.normalize(features).T).topk(k).indices
    return float((labels[near].mode(dim=1).values == query_labels).float().mean())


def untrained_features(clips: torch.Tensor, seed: int) -> torch.Tensor:
    backbone = make_backbone("r3d_small", seed).eval()
    with torch.no_grad():
        parts = [backbone(part[:, 30:62:4].transpose(1, 2).float() / 127.5 - 1) for part in clips.split(40)]
    return torch.cat(parts)


@pytest.mark.slow
def test_guards_on_the_full_videos(full):
    (train, train_labels), (val, val_labels), (test, test_labels) = (arrays(full, split) for split in ("train", "val", "test"))
    # The same network, from the same frames, tells the scene, so its failure at the motion is the data's doing.
    assert one_frame_accuracy(train, train_labels["scene"], test, test_labels["scene"]) >= 0.9
    assert one_frame_accuracy(val, val_labels["motion"], test, test_labels["motion"]) <= CHANCE + 0.05
    for seed in range(3):
        features, queries = untrained_features(train, seed), untrained_features(test, seed)
        assert nearest_accuracy(features, train_labels["motion"], queries, test_labels["motion"]) <= 0.25


def test_guard_scenes_are_alike_across_splits(tiny):
    # Too few videos for a network: the first frame's colour and contrast alone, against a chance of 1/12.
    def look(clips):
        frame = clips[:, 0].float().flatten(2)
        return torch.cat([frame.mean(dim=2), frame.std(dim=2)], dim=1) / 64

    (train, train_labels), (test, test_labels) = arrays(tiny, "train", 1), arrays(tiny, "test", 1)
    assert nearest_accuracy(look(train), train_labels["scene"], look(test), test_labels["scene"], k=1) >= 0.4
