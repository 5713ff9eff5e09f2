"""A checkpoint as `vdata train` saves it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vdata.checkpoint import Checkpoint, save_checkpoint
from vdata.config import to_mapping
from vdata.recipes import train_config
from vdata.train import make_method


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An r3d_small with its first weights, whose method reads windows of 4 frames, every second, at 32 pixels."""
    config = train_config("simclr", None, {"seed": 5, "simclr": {"frames": 4, "stride": 2, "size": 32}})
    path = tmp_path_factory.mktemp("run") / "checkpoint.pt"
    save_checkpoint(path, Checkpoint(to_mapping(config), 1, make_method(config).state_dict(), {}, {}))
    return path
