"""Settings of features, and the checkpoint that they are pinned to."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from vdata.config import check
from vdata.errors import ConfigError

__all__ = ["FeaturesConfig", "pinned"]


@dataclass(frozen=True, slots=True)
class FeaturesConfig:
    """Which network looks at which frames: `--set features.KEY=VALUE`. What is none is as the checkpoint was trained."""

    checkpoint: str = ""
    """RUN/checkpoint.pt of `vdata train`: its backbone is taken, and what its method's first view reads."""
    sha256: str = ""
    """Of that file; filled in before the work begins, so that no worker and no later run takes another for it."""
    rate: float = 15.0
    """Rows a second, as near as a whole stride comes: of 25 fps, 15 gives 12.5 and 3 gives 3.125. Source: TOT's features have 15
    [D], Video QA's 3."""
    stride: int | None = None
    """Frames from one row to the next, in place of `rate`."""
    frames: int | None = None
    """T of the window around each row's frame."""
    step: int | None = None
    """Frames from one frame of a window to the next."""
    size: int | None = None
    """H and W of the network's input, pixels."""
    batch: int = 16
    """Windows at a time. It changes a feature by rounding alone, and so may its last bits."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """What the network computes in; rows are stored as float16."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where it runs: an actor a core, or an actor a GPU."""

    def __post_init__(self) -> None:
        """Checks every number."""
        check(bool(self.checkpoint), "features.checkpoint", self.checkpoint, "must name a file: --checkpoint RUN/checkpoint.pt")
        check(0 < self.rate < math.inf, "features.rate", self.rate, "must be positive")
        for name in ("stride", "frames", "step", "size"):
            value = getattr(self, name)
            check(value is None or value >= 1, f"features.{name}", value, "must be at least 1, or none")
        check(self.batch >= 1, "features.batch", self.batch, "must be at least 1")
        check(self.dtype in ("float32", "bfloat16"), "features.dtype", self.dtype, "must be 'float32' or 'bfloat16'")
        check(self.device in ("cpu", "cuda"), "features.device", self.device, "must be 'cpu' or 'cuda'")

    def stride_at(self, fps: Fraction) -> int:
        """Frames from one row to the next in a clip of that rate."""
        return self.stride or max(1, round(fps / Fraction(self.rate)))


def pinned(config: FeaturesConfig) -> FeaturesConfig:
    """The config with the checkpoint's absolute path and hash: what every worker must find.

    Raises:
        ConfigError: the file cannot be read, or is not the one of the hash that was given.
    """
    path = Path(config.checkpoint).absolute()
    found = _sha256(path)
    check(config.sha256 in ("", found), "features.sha256", config.sha256, f"must be that of '{path}', {found}")
    return replace(config, checkpoint=str(path), sha256=found)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(f"checkpoint '{path}' cannot be read ({type(error).__name__}): is it RUN/checkpoint.pt?") from error
