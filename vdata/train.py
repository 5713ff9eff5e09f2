"""The training loop, for any method: it is handed batches, steps, writes metrics and checkpoints.

It knows neither the loader nor the methods beyond their protocols. What is random in a step depends on (seed, step, rank)
alone, so a run that was interrupted goes on as if it had not been; on a CPU bit for bit.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from vdata.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from vdata.config import check, to_mapping
from vdata.errors import ConfigError, DivergedError
from vdata.methods import METHODS, Method, MovesAfterSteps
from vdata.metrics import MetricsLog, Stopwatch
from vdata.nn.backbones import make_backbone
from vdata.nn.gather import rank, world_size
from vdata.optim import clip_gradients, learning_rate, make_optimizer
from vdata.recipes import TrainConfig

__all__ = ["Batches", "TrainConfig", "feature_std", "make_method", "train"]

_MAY_CHANGE = ("device", "log_every", "checkpoint_every")
"""Settings with which a run may go on otherwise than it began."""


class Batches(Protocol):
    """What the loop asks of a loader; `pipelines.ClipIterator` is one."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """One epoch; the next call gives the next epoch."""

    def __len__(self) -> int:
        """Batches an epoch."""

    @property
    def num_invalid(self) -> int:
        """Rows an epoch that only fill up its last batch on several ranks."""

    def state_dict(self) -> dict[str, Any]:
        """Where it stands: after the batch handed out last."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on with the very next batch."""


def train(
    config: TrainConfig, batches: Batches, run: Path, on_record: Callable[[Mapping[str, float]], object] = lambda _: None
) -> Path:
    """The path of RUN/checkpoint.pt, trained for `config.steps` steps; a checkpoint that is there already is continued.

    Under torchrun every rank calls it with its own share of the batches, and all see one folder `run`; rank 0 writes. `on_record`
    is called on rank 0 with every record of RUN/metrics.jsonl. Not yet run on a GPU.

    Raises:
        ConfigError: the loader has no batch, or rows that only fill one up, or RUN/checkpoint.pt was begun with other settings.
        DivergedError: the loss is not finite.
    """
    check(len(batches) > 0, "batches", len(batches), "must not be empty: take a batch_size below the number of samples")
    # A clip twice in a batch is its own negative, and without those rows the ranks' batches would differ in size.
    rule = "must be 0 to train on: open the loader with drop_last=True"
    check(batches.num_invalid == 0, "batches.num_invalid", batches.num_invalid, rule)
    path = run / "checkpoint.pt"
    with _process_group(config.device) as device:
        method = make_method(config).to(device)
        optimizer = make_optimizer(method, config.optim)
        first = _resume(path, config, method, optimizer, batches)
        model, spread = _distributed(method), _watch_features(method)
        with _metrics(run, first) as metrics:
            stopwatch = Stopwatch()
            waited = _waited_for(_endless(batches), stopwatch)
            for step in range(first, config.steps):
                lr = learning_rate(step, config.steps, config.optim, config.batch_size)
                torch.manual_seed(_step_seed(config.seed, step))
                losses = _step(model, waited, optimizer, lr, config)
                if isinstance(method, MovesAfterSteps):
                    method.after_step(step, config.steps)
                done = step + 1
                saves = done % config.checkpoint_every == 0 or done == config.steps
                if not saves and done % config.log_every:
                    continue
                means = _mean_over_ranks({**losses, "feature_std": spread()})
                _check_finite(means["loss"], done, path)
                if metrics is None:
                    continue
                record = {"step": done, **means, "lr": lr, **stopwatch.read(config.batch_size // config.accumulate)}
                metrics.write(record)
                on_record(record)
                if saves:
                    state = method.state_dict(), optimizer.state_dict(), batches.state_dict()
                    save_checkpoint(path, Checkpoint(to_mapping(config), done, *state))
    return path


def make_method(config: TrainConfig) -> nn.Module:
    """The untrained method on its backbone, with the same weights in every process."""
    backbone = make_backbone(config.backbone, config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return cast("nn.Module", METHODS[config.method](backbone, config.method_config))


def feature_std(features: Tensor) -> Tensor:
    """The standard deviation over the batch of L2-normalised features (N, D), mean over D; a scalar.

    About 1 / sqrt(D) for features that spread in every direction, near 0 once they have collapsed to one.

    Source: Chen and He, SimSiam, arXiv 2011.10566, section 4.1.
    """
    return functional.normalize(features.float(), dim=1).std(dim=0).mean()


def _step(
    model: nn.Module, batches: Iterator[Mapping[str, Any]], optimizer: Optimizer, lr: float, config: TrainConfig
) -> dict[str, Tensor]:
    """One step over the gradients of the next `config.accumulate` batches; the mean of the losses that it was made with."""
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.zero_grad()
    found = []
    for left in reversed(range(config.accumulate)):
        with _alone(model) if left else nullcontext():
            found.append(_backward(model, next(batches), config.accumulate, amp=config.amp))
    clip_gradients(model, config.optim)
    optimizer.step()
    return {name: torch.stack([losses[name] for losses in found]).mean(dim=0) for name in found[0]}


def _backward(model: nn.Module, batch: Mapping[str, Any], num_parts: int, *, amp: bool) -> dict[str, Tensor]:
    """The losses of one batch, whose gradients have been added to the parameters'."""
    device = next(model.parameters()).device
    with torch.autocast(device.type, torch.bfloat16, enabled=amp):
        losses: dict[str, Tensor] = model({name: _moved(value, device) for name, value in batch.items()})
    (losses["loss"] / num_parts).backward()  # type: ignore[no-untyped-call]
    return {name: value.detach() for name, value in losses.items()}


def _alone(model: nn.Module) -> AbstractContextManager[None]:
    """While the block runs, gradients stay this rank's own: they are averaged once a step."""
    if isinstance(model, DistributedDataParallel):
        return cast("AbstractContextManager[None]", model.no_sync())
    return nullcontext()


def _moved(value: Any, device: torch.device) -> Any:  # noqa: ANN401 - a batch holds tensors, and what describes them
    return value.to(device, non_blocking=True) if isinstance(value, Tensor) else value


class _Losses(nn.Module):
    """A method whose call is its loss: DistributedDataParallel synchronises the gradients of a call only."""

    def __init__(self, method: nn.Module) -> None:
        super().__init__()
        self.method = method

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return cast("Method", self.method).loss(batch)


def _distributed(method: nn.Module) -> nn.Module:
    if world_size() == 1:
        return _Losses(method)
    if next(method.parameters()).is_cuda:
        # Statistics of all ranks, as in SimCLR. torch has no such norm for the CPU: there they stay a rank's own.
        method = nn.SyncBatchNorm.convert_sync_batchnorm(method)  # type: ignore[no-untyped-call]
    return DistributedDataParallel(_Losses(method))


@contextmanager
def _process_group(device: str) -> Iterator[torch.device]:
    """The device of this process, inside the process group that torchrun's environment describes, if there is one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        yield torch.device(device)
        return
    chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if device.startswith("cuda") else torch.device(device)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield chosen
    finally:
        dist.destroy_process_group()


def _resume(path: Path, config: TrainConfig, method: nn.Module, optimizer: Optimizer, batches: Batches) -> int:
    """Steps done already; model, optimiser and loader are brought there."""
    if not path.exists():
        return 0
    saved = load_checkpoint(path)
    for key, now in to_mapping(config).items():
        began = saved.config.get(key)
        if key not in _MAY_CHANGE and now != began:
            raise ConfigError(f"{key} ({now!r}) differs from that of '{path}' ({began!r}): use the same, or another --out")
    method.load_state_dict(saved.model)
    optimizer.load_state_dict(dict(saved.optimizer))
    batches.load_state_dict(dict(saved.loader))
    return saved.step


def _metrics(run: Path, step: int) -> AbstractContextManager[MetricsLog | None]:
    """The run's records on rank 0, nothing elsewhere."""
    return MetricsLog(run, step) if rank() == 0 else nullcontext()


def _endless(batches: Batches) -> Iterator[dict[str, Any]]:
    while True:
        yield from batches


def _waited_for(batches: Iterator[dict[str, Any]], stopwatch: Stopwatch) -> Iterator[dict[str, Any]]:
    """The same batches; the time until each is there counts as waiting."""
    while True:
        with stopwatch.waiting():
            batch = next(batches)
        yield batch


def _step_seed(seed: int, step: int) -> int:
    """A seed of its own for every step and rank, so that no checkpoint needs the state of torch's generator."""
    return int(np.random.SeedSequence([seed, step, rank()]).generate_state(1, np.uint64)[0])


def _watch_features(method: nn.Module) -> Callable[[], Tensor]:
    """A function that gives `feature_std` of the backbone's last output, for any method."""
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        kept[:] = [output.detach()]

    cast("nn.Module", method.backbone).register_forward_hook(keep)
    return lambda: feature_std(kept[0])


def _mean_over_ranks(scalars: Mapping[str, Tensor]) -> dict[str, float]:
    stacked = torch.stack([scalar.detach().float() for scalar in scalars.values()])
    if world_size() > 1:
        dist.all_reduce(stacked)
        stacked /= world_size()
    return dict(zip(scalars, stacked.tolist(), strict=True))


def _check_finite(loss: float, step: int, path: Path) -> None:
    if not math.isfinite(loss):
        way_out = f"lower optim.lr or raise optim.warmup; a '{path}' that is there was written while it was finite"
        raise DivergedError(f"the loss of step {step} is {loss}: {way_out}")
