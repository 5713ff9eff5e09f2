"""What a training run is made of: its settings, and the recipes that the package carries as TOML."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vdata.config import check, from_mapping, merge, read_toml
from vdata.errors import UnknownNameError
from vdata.methods import METHODS
from vdata.optim import OptimConfig
from vdata.views import View

__all__ = ["TrainConfig", "read_recipe", "train_config"]

_RECIPES = Path(__file__).parent / "configs"


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Settings of one training run."""

    method: str
    """A name of METHODS."""
    backbone: str = "r3d_small"
    """A name of BACKBONES."""
    steps: int = 1000
    batch_size: int = 32
    """Samples a step, over all ranks and all of `accumulate`."""
    accumulate: int = 1
    """Batches whose gradients are added up for one step. Samples see the negatives of their own batch alone."""
    seed: int = 0
    """Of the weights and of every step's random numbers; the loader has its own."""
    device: str = "cpu"
    """`cpu` or `cuda`; under torchrun every rank takes the GPU of its LOCAL_RANK."""
    amp: bool = False
    """Runs the network in bfloat16; weights, norms' statistics and losses stay float32."""
    log_every: int = 10
    """Steps between two lines of RUN/metrics.jsonl."""
    checkpoint_every: int = 500
    """Steps between two writings of RUN/checkpoint.pt."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The method's own settings, a table of the method's name in TOML."""

    def __post_init__(self) -> None:
        """Checks the numbers, and the method's settings by its own rules."""
        for name in ("steps", "batch_size", "accumulate", "log_every", "checkpoint_every"):
            check(getattr(self, name) >= 1, name, getattr(self, name), "must be at least 1")
        check(self.seed >= 0, "seed", self.seed, "must not be negative")
        check(self.device.partition(":")[0] in ("cpu", "cuda"), "device", self.device, "must be cpu, cuda or cuda:N")
        _ = self.method_config

    @property
    def method_config(self) -> Any:  # noqa: ANN401 - each method has its own Config
        """The method's Config that `settings` describe."""
        return from_mapping(METHODS[self.method].Config, self.settings, prefix=f"{self.method}.")

    @property
    def views(self) -> tuple[View, ...]:
        """What the method reads of every sample."""
        return METHODS[self.method].views(self.method_config)

    @property
    def rank_batch_size(self) -> int:
        """Samples that each of torchrun's ranks loads at a time.

        Raises:
            ConfigError: ranks and `accumulate` do not divide the batch.
        """
        num_ranks = int(os.environ.get("WORLD_SIZE", "1"))
        parts = num_ranks * self.accumulate
        rule = f"must be a multiple of {parts}: {num_ranks} ranks, accumulate={self.accumulate}"
        check(self.batch_size % parts == 0, "batch_size", self.batch_size, rule)
        return self.batch_size // parts


def train_config(method: str, recipe: str | None = None, over: Mapping[str, Any] | None = None) -> TrainConfig:
    """The settings of a run: the dataclasses' defaults, then the recipe, then `over`.

    In both the method's own settings stand in a table of its name, as `{"simclr": {"temperature": 0.2}}`.

    Raises:
        ConfigError: an unknown name, an unknown key or a value that breaks its rule.
    """
    _ = METHODS[method]  # an unknown method is named before its recipes are looked for
    values = merge(read_recipe(method, recipe) if recipe else {}, over or {})
    settings = values.pop(method, {})
    return from_mapping(TrainConfig, {**values, "method": method, "settings": settings})


def read_recipe(method: str, recipe: str) -> dict[str, Any]:
    """The values of a TOML file, or of the package's recipe of that name for the method (`small`, `paper`).

    Raises:
        ConfigError: no such file or recipe, or it is for another method.
    """
    path = Path(recipe)
    if path.suffix != ".toml":
        known = [entry.name.removeprefix(f"{method}-").removesuffix(".toml") for entry in _RECIPES.glob(f"{method}-*.toml")]
        if recipe not in known:
            raise UnknownNameError(f"recipe of {method}", recipe, known)
        path = _RECIPES / f"{method}-{recipe}.toml"
    values = read_toml(path)
    check(values.get("method", method) == method, f"{path}: method", values.get("method"), f"must be '{method}', as was asked")
    return values
