"""What Lightning 2.6 does with the iterator: it counts its batches, and keeps its state in the checkpoint."""

from __future__ import annotations

import os
import warnings

import pytest
import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its imports' own
    import pytorch_lightning as lightning

from vdata.methods import METHODS

SETTINGS = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu", "devices": 1}


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    warnings.simplefilter("ignore")  # advice of Lightning's
    monkeypatch.setattr(os, "environ", os.environ.copy())  # it leaves variables behind


class Seen(lightning.Callback):
    """The clips of every batch, and a stop after `steps` of them."""

    def __init__(self) -> None:
        self.idx: list[list[int]] = []

    def on_train_batch_start(self, trainer, module, batch, number) -> None:
        self.idx.append(batch["idx"].tolist())


def test_a_run_of_two_epochs_and_one_resumed_in_the_middle_of_an_epoch(example, shards, tmp_path):
    config = METHODS["simclr"].Config(frames=4, stride=2, size=16, head_layers=1)

    def fit(steps, **settings):
        seen = Seen()
        saves = lightning.callbacks.ModelCheckpoint(tmp_path / str(steps), save_top_k=-1, every_n_train_steps=1)
        lightning.seed_everything(0, verbose=False)
        fitted = example.fit(
            shards, batch_size=4, config=config, max_steps=steps, max_epochs=-1, callbacks=[seen, saves], **SETTINGS | settings
        )
        return fitted, seen.idx

    whole, batches = fit(7)
    assert len(batches) == 7
    for epoch in range(2):
        numbers = [number for batch in batches[3 * epoch : 3 * epoch + 3] for number in batch]
        assert len(set(numbers)) == 12
    (checkpoint,) = (path for path in (tmp_path / "7").iterdir() if "step=5" in path.name)
    resumed, rest = fit(7, ckpt_path=str(checkpoint))
    assert rest == batches[5:]
    assert all(torch.equal(one, other) for one, other in zip(whole.parameters(), resumed.parameters(), strict=True))
