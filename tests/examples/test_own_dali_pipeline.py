import cv2
import numpy as np

import vdata


def test_keyframes_come_from_the_tars_once_an_epoch(example, shards):
    samples = vdata.open_shards(shards)
    pictures = [batch["key"].numpy() for (batch,) in example.keyframes(shards, batch_size=5)]
    assert [len(one) for one in pictures] == [5, 5, 2]
    expected = np.stack([cv2.resize(sample.keyframe(0), (64, 64)) for sample in samples]).astype(int)
    distance = np.abs(np.concatenate(pictures)[:, None].astype(int) - expected[None]).mean(axis=(2, 3, 4))
    assert sorted(distance.argmin(axis=1).tolist()) == list(range(12))
    assert distance.min(axis=1).max() < 12  # JPEG of noise; another clip is 60 away


def test_frames_fed_by_python_are_the_clips(example, shards):
    samples = vdata.open_shards(shards)
    for _ in range(2):
        batches = [batch for (batch,) in example.clips(shards, batch_size=4)]
        labels = np.concatenate([batch["label"].numpy().ravel() for batch in batches])
        assert labels.tolist() == [sample.row["label"] for sample in samples]
        assert all(batch["clip"].shape == (4, 3, 8, 64, 64) for batch in batches)
        expected = samples[5].frames(0, 8).mean(axis=(0, 1, 2))
        assert np.abs(batches[1]["clip"][1].mean(axis=(1, 2, 3)).numpy() - expected).max() < 1
