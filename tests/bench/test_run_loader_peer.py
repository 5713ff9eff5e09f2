"""The peers' side, as far as it runs in this process: no DataLoader is forked here, since DALI may have run."""

import random

import numpy as np
import torch
from torch.nn.functional import interpolate

from vdata import open_shards
from vdata.bench import _run_loader_peer as peer
from vdata.bench._run_loader_peer import Item, Job, augmented, collate, crop_box, missing


def test_pyav_gives_the_wanted_frames_from_anywhere(shards):
    sample = open_shards(shards)[0]
    frames = peer.PEERS["webdataset"]()
    whole = sample.frames(0, 30, 1)
    for wanted in ([0, 1, 2], [5, 9, 13], [17, 29], [12, 24]):
        assert np.array_equal(frames(sample["mp4"], wanted).numpy()[:, : whole.shape[1], : whole.shape[2]], whole[wanted])


def test_windows_lie_inside_and_reach_both_ends():
    job, rng = Job("decord", [], [], frames=4, stride=3, size=8, batch_size=2, workers=1), random.Random(0)
    found = [job.window(12, rng) for _ in range(200)]
    assert {tuple(np.diff(window)) for window in found} == {(3, 3, 3)}
    assert {window[0] for window in found} == {0, 1, 2}


def test_crops_have_the_areas_and_shapes_that_they_should():
    rng = random.Random(0)
    boxes = np.array([crop_box(300, 200, rng) for _ in range(2000)])
    x, y, wide, tall = boxes.T
    assert min(x.min(), y.min()) >= 0
    assert max((x + wide).max() - 300, (y + tall).max() - 200) <= 0
    share, aspect = wide * tall / 60_000, wide / tall
    assert 0.29 < share.min() < 0.33
    assert 0.85 < share.max() <= 0.9  # 267 x 200 is the largest of its shape
    assert 0.73 < aspect.min() < 0.8
    assert 1.28 < aspect.max() < 1.37
    assert crop_box(1000, 10, random.Random(0)) == (495, 0, 10, 10)


def test_a_sample_is_cropped_resized_and_flipped_by_torch():
    frames = torch.randint(0, 256, (3, 40, 60, 3), dtype=torch.uint8)
    flipped = set()
    for seed in range(8):
        found = augmented(frames, Item("", 0, 0, 3, 50, 40), 16, random.Random(seed))
        x, y, wide, tall = crop_box(50, 40, rng := random.Random(seed))
        crop = frames[:, y : y + tall, x : x + wide].permute(0, 3, 1, 2).float()
        wanted = interpolate(crop, (16, 16), mode="bilinear", antialias=True)
        flipped.add(turned := rng.random() < 0.5)
        assert (found - (wanted.flip(3) if turned else wanted)).abs().max() <= 1
    assert flipped == {False, True}


def test_a_batch_has_channels_before_time():
    samples = [torch.randint(0, 256, (3, 16, 16, 3), dtype=torch.uint8).permute(0, 3, 1, 2) for _ in range(2)]
    batch = collate(samples)
    assert batch.shape == (2, 3, 3, 16, 16)
    assert batch.is_contiguous()
    assert torch.equal(batch[1, 2, 0], samples[1][0, 2])


def test_a_part_of_a_file_is_read_alone(tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(b"0123456789")
    assert Item(str(path), 3, 4, 1, 1, 1).source() == b"3456"
    assert Item(str(path), 0, 0, 1, 1, 1).source() == str(path)


def test_what_is_missing_is_said_in_a_line(monkeypatch):
    def no_package():
        raise ImportError("No module named 'decord'")

    def no_ffmpeg():
        raise RuntimeError("Could not load libtorchcodec. Likely causes:\n 1. ...")

    monkeypatch.setattr(peer, "PEERS", {"decord": no_package, "torchcodec": no_ffmpeg})
    assert missing("decord") == "No module named 'decord': `make bench-peers` in a checkout installs it"
    assert missing("torchcodec").endswith("Debian's FFmpeg will do: apt install ffmpeg")
    assert "\n" not in missing("torchcodec")
