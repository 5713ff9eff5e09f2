"""`vdata add features` on Ray: actors that hold the network, a shard at a time each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from vdata.builder.add import Addition
from vdata.builder.add_task import AddOrder, add_to_shard
from vdata.builder.config import RunConfig
from vdata.builder.on_ray import die_with_ray, order_name, run_orders
from vdata.builder.state import tool_versions
from vdata.builder.tally import Tally
from vdata.builder.task import Postponed, check_machine
from vdata.checkpoint import load_checkpoint
from vdata.config import from_mapping
from vdata.errors import BuildFailedError
from vdata.features.config import FeaturesConfig, pinned
from vdata.features.extractor import FeatureExtractor, window_view

__all__ = ["feature_addition", "run_on_actors"]


def feature_addition(settings: Mapping[str, Any]) -> Addition:
    """The field `features`, with its settings by key, for vdata.builder.add.add; its orders are for run_on_actors.

    Raises:
        ConfigError: an unknown key, a value that breaks its rule, or no checkpoint of vdata's.
    """
    config = pinned(from_mapping(FeaturesConfig, settings, "features."))
    window_view(config, load_checkpoint(Path(config.checkpoint)).config)
    # By its member, shards that have published features are known before a network has run.
    return Addition("features", config, _tools(), ("features.npy",))


def run_on_actors(orders: Sequence[AddOrder], run: RunConfig) -> Iterator[tuple[AddOrder, Tally]]:
    """Each order with its tally, as they are finished by Ray actors: one a core (at most `run.workers`), or one a GPU.

    Raises:
        BuildFailedError: actors keep dying, Ray has no GPU, or a machine has other tools or does not see the folder.
        ConfigError: a machine does not see the checkpoint, or sees another.
        DiskFullError: there is no room for a shard.
    """
    devices = {order.config.device for order in orders}
    return run_orders(orders, run, workers=lambda run, _: _Actors(run, gpus="cuda" in devices))


class _Actors:
    """Actors, made as they are needed; one that has died is not asked again."""

    def __init__(self, run: RunConfig, *, gpus: bool) -> None:
        import ray  # noqa: PLC0415 - an extra, and a second to import

        self._ray, self._run, self._kind = ray, run, "GPU" if gpus else "CPU"
        # With one CPU Ray gives torch one thread: the same sums whatever the number of cores.
        self._make: Callable[[], Any] = ray.remote(num_cpus=1, num_gpus=int(gpus))(_Actor).remote
        self._idle: list[Any] = []
        self._busy: dict[Any, Any] = {}

    def capacity(self) -> int:
        """One order for each actor there is room for. An actor keeps its core, so no more than that."""
        found = int(self._ray.cluster_resources().get(self._kind, 0))
        if not found:
            raise BuildFailedError(f"Ray finds no {self._kind} for features: run `vdata doctor`, or --set features.device=cpu")
        return min(found, self._run.workers or found)

    def launch(self, order: AddOrder) -> Any:  # noqa: ANN401 - Ray's references carry no types
        """Ray's reference of the order's tally."""
        self._collect()
        actor = self._idle.pop() if self._idle else self._make()
        reference = actor.execute.options(name=order_name(order)).remote(order)
        self._busy[reference] = actor
        return reference

    def _collect(self) -> None:
        """Finds the actors that have finished."""
        for reference in self._ray.wait(list(self._busy), num_returns=len(self._busy), timeout=0)[0] if self._busy else ():
            actor = self._busy.pop(reference)
            try:
                self._ray.get(reference)
            except self._ray.exceptions.RayError:
                continue  # It died, or its order failed, which whoever waits for that order is told.
            self._idle.append(actor)


class _Actor:
    """What lives in a Ray actor: the network, from the first order on."""

    def __init__(self) -> None:
        die_with_ray()
        self._extractor: FeatureExtractor | None = None

    def execute(self, order: AddOrder) -> Tally | Postponed:
        """As add_to_shard."""
        check_machine(order.folder, None, ())
        if (here := _tools()) != order.note["tools"]:
            raise BuildFailedError(f"a worker has {here}, not {order.note['tools']}: all machines need the same versions")
        # Here and not in __init__, whose errors Ray reports as the actor's death.
        self._extractor = self._extractor or FeatureExtractor(order.config)
        return add_to_shard(order, self._extractor)


def _tools() -> dict[str, str]:
    """Versions of what decides the features, beside the checkpoint."""
    return {**tool_versions(), "torch": torch.__version__}
