"""A run on disk: RUN/checkpoint.pt, written whole or not at all.

Apart from the loop because evaluation reads it too. Nothing random is kept: every step draws from (seed, step, rank), and every
sample of the loader from (seed, epoch, position).
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vdata.errors import ConfigError
from vdata.nn.backbones import Backbone, make_backbone

__all__ = ["FORMAT_VERSION", "Checkpoint", "load_backbone", "load_checkpoint", "save_checkpoint"]

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a run needs to go on, and evaluation to read its backbone."""

    config: Mapping[str, Any]
    """The run's TrainConfig as plain values."""
    step: int
    """Steps done."""
    model: Mapping[str, Tensor]
    """The method's state_dict; the backbone's keys begin with `backbone.`."""
    optimizer: Mapping[str, Any]
    loader: Mapping[str, Any]
    """The iterator's own state_dict: it goes on with the very next batch."""


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes the file beside its place, flushes it to the disk and renames it there."""
    unfinished = path.with_suffix(".tmp")
    fields = {name: getattr(checkpoint, name) for name in Checkpoint.__slots__}
    with unfinished.open("wb") as file:
        torch.save({"format_version": FORMAT_VERSION, **fields}, file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint of a file, its tensors on the CPU. Nothing in the file is executed.

    Raises:
        ConfigError: the file is absent, is no checkpoint of vdata, or is of another format version.
    """
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        # torch's own message runs over many lines; it stays the cause.
        raise ConfigError(f"checkpoint '{path}' cannot be read ({type(error).__name__}): is it RUN/checkpoint.pt?") from error
    version = values.pop("format_version", None) if isinstance(values, dict) else None
    if version != FORMAT_VERSION:
        raise ConfigError(f"checkpoint '{path}' has format version {version}, this vdata reads {FORMAT_VERSION}: train it anew")
    if values.keys() != set(Checkpoint.__slots__):
        raise ConfigError(
            f"checkpoint '{path}' holds {', '.join(map(str, values)) or 'nothing'}, not the parts of RUN/checkpoint.pt"
        )
    return Checkpoint(**values)


def load_backbone(checkpoint: Checkpoint) -> Backbone:
    """The trained backbone, without the method's heads, in evaluation mode.

    Raises:
        ConfigError: the weights are not of the backbone that the run's config names.
    """
    prefix, name = "backbone.", checkpoint.config["backbone"]
    backbone = make_backbone(name)
    weights = {key.removeprefix(prefix): value for key, value in checkpoint.model.items() if key.startswith(prefix)}
    try:
        backbone.load_state_dict(weights)
    except RuntimeError as error:
        # torch's own message lists every key.
        raise ConfigError(f"the checkpoint's weights do not fit backbone '{name}': did another vdata train it?") from error
    return backbone.eval()
