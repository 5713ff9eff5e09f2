from pathlib import Path

import torch


def test_a_loop_that_was_stopped_ends_with_the_same_weights(example, shards, tmp_path):
    settings = {"batch_size": 4, "size": 32}
    whole = example.train(shards, tmp_path / "whole.pt", 7, **settings)
    # 3 batches an epoch: stopped in the middle of one, and at the end of one.
    for steps in (2, 3, 5, 7):
        parts = example.train(shards, tmp_path / "parts.pt", steps, **settings)
    assert all(torch.equal(one, other) for one, other in zip(whole.parameters(), parts.parameters(), strict=True))
    assert torch.load(tmp_path / "parts.pt", weights_only=True)["step"] == 7


def test_the_example_is_short(example):
    assert len(Path(example.__file__).read_text().splitlines()) < 55
