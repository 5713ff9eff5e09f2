"""A plain PyTorch loop that can be stopped at any step: run it again and it goes on behind the last batch that was saved.

python examples/pytorch_loop.py shards/mine
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn

from pipelines import ClipIterator
from vdata.views import Augment, Clip


def train(shards: str, checkpoint: Path, steps: int, *, batch_size: int = 32, size: int = 112, device: str = "cpu") -> nn.Module:
    """A linear classifier of 16 frames, trained up to `steps` steps; what `checkpoint` holds of them is not done again."""
    torch.manual_seed(0)
    views = (Clip("clip", frames=16, stride=4, size=size, augment=Augment(), mean=(0.45,) * 3, std=(0.225,) * 3),)
    model = nn.Sequential(nn.AvgPool3d((4, 8, 8)), nn.Flatten(), nn.LazyLinear(400)).to(device)
    with ClipIterator(shards, views=views, batch_size=batch_size, device=device, where="label >= 0", seed=0) as batches:
        model(torch.zeros(1, 3, 16, size, size, device=device))  # the lazy layer learns its width
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        step = 0
        if checkpoint.exists():
            saved = torch.load(checkpoint, weights_only=True)
            model.load_state_dict(saved["model"])
            optimizer.load_state_dict(saved["optimizer"])
            batches.load_state_dict(saved["batches"])
            step = saved["step"]
        while step < steps:
            for batch in batches:  # one epoch, or the rest of the one that was stopped
                loss = nn.functional.cross_entropy(model(batch["clip"]), batch["label"])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                step += 1
                if step % 10 == 0:
                    print(f"step {step}  loss {loss.item():.3f}")
                if step % 100 == 0 or step == steps:
                    parts = {"model": model, "optimizer": optimizer, "batches": batches}
                    torch.save({name: part.state_dict() for name, part in parts.items()} | {"step": step}, checkpoint)
                if step == steps:
                    break
    return model


if __name__ == "__main__":
    train(sys.argv[1], Path("checkpoint.pt"), steps=1000)
