"""SimCLR under Lightning, in whose checkpoints a run goes on in the middle of an epoch.

The iterator itself is the dataloader: Lightning keeps the state of any that has state_dict and load_state_dict.

python examples/lightning_module.py shards/mine
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor

from pipelines import ClipIterator
from vdata.methods import METHODS
from vdata.nn.backbones import make_backbone

METHOD = METHODS["simclr"]


class VideoSimClr(lightning.LightningModule):
    """Any method of `vdata list` trains so: it brings its views and its loss."""

    def __init__(self, config: Any = None, lr: float = 0.01) -> None:  # noqa: ANN401 - each method has its own Config
        super().__init__()
        self.method = METHOD(make_backbone("r3d_small"), config or METHOD.Config())
        self.lr = lr

    def training_step(self, batch: Mapping[str, Tensor], _: int) -> Tensor:
        """The method's loss; its parts are logged."""
        losses = self.method.loss(batch)
        self.log_dict({name: value.detach() for name, value in losses.items()}, batch_size=len(batch["idx"]))
        return losses["loss"]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Plain SGD."""
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


def fit(shards: str, *, batch_size: int = 32, config: Any = None, ckpt_path: str | None = None, **trainer: Any) -> VideoSimClr:  # noqa: ANN401 - Lightning's own
    """The trained module. Under several devices every rank opens the iterator, whose share follows from RANK and WORLD_SIZE."""
    config = config or METHOD.Config()
    module = VideoSimClr(config)
    with ClipIterator(shards, views=METHOD.views(config), batch_size=batch_size, seed=0) as batches:
        lightning.Trainer(**trainer).fit(module, train_dataloaders=batches, ckpt_path=ckpt_path)
    return module


if __name__ == "__main__":
    fit(sys.argv[1], max_epochs=10, accelerator="cpu")
